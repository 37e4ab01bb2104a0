"""Bulk receive and send against a real log, over loopback and by feed (H1-H3, H6, H11, H20, H21, H28, H29)."""

import gc
import os
import random
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.data import CT, EXPLICIT_LITTLE, Shape, files
from native import pdu, wire
from native.lane import Lane
from native.segment import Log

SEGMENT_BYTES = 64 << 20
VERIFICATION = "1.2.840.10008.1.1"
CONTEXTS = {1: (CT, EXPLICIT_LITTLE, True), 3: (VERIFICATION, "1.2.840.10008.1.2", False)}


class Intake:
    """A log in memory, and what it acknowledged."""

    def __init__(self, spool: Path, object_bytes_max: int = 1 << 26, gather_bytes_max: int = 1 << 20) -> None:
        self.segment = os.memfd_create("segment")
        os.truncate(self.segment, SEGMENT_BYTES)
        self.log = Log(first_lsn=1, stamp_floor=0, ring_capacity=4096, wait_ms_max=10_000, external_ack=False)
        self.log.add_segment(self.segment, 1, 1, SEGMENT_BYTES)
        self.spool = spool
        self.spool_fd = os.open(spool, os.O_RDONLY | os.O_DIRECTORY)
        limits = {"object_bytes_max": object_bytes_max, "gather_bytes_max": gather_bytes_max}
        self.lane = Lane(self.log, b"origin", self.spool_fd, "spool", **limits)

    def receiver(self) -> wire.Receiver:
        return wire.Receiver(CONTEXTS, self.lane, pdu_bytes_max=65536, command_bytes_max=4096, dataset_bytes_max=4096)

    def kept(self) -> list[bytes]:
        entries = self.log.drain(1000, 0)
        return [os.pread(self.segment, entry.payload_length, entry.payload_offset) for entry in entries]

    def close(self) -> None:
        os.close(self.segment)
        os.close(self.spool_fd)


@pytest.fixture
def intake(tmp_path: Path) -> Iterator[Intake]:
    made = Intake(tmp_path)
    yield made
    made.close()


def generated(count: int, **shape: int) -> list[tuple[str, bytes]]:
    made = files(Shape(series=1, instances=count, **{"stub": True, **shape}))  # type: ignore[arg-type]
    return [(file.sop_instance_uid, file.data[144 + int.from_bytes(file.data[140:144], "little") :]) for file in made]


def store_message(uid: str, dataset: bytes, *, sop_class: str = CT, message_id: int = 1, maximum: int = 16384) -> bytes:
    command = {0x2: sop_class, 0x100: 1, 0x110: message_id, 0x700: 0, 0x800: 1, 0x1000: uid}
    return pdu.encode_message(1, pdu.encode_command(command), dataset, maximum)


def answers(output: bytes) -> list[tuple[int, int]]:
    """(message id, status) of each response."""
    found, at = [], 0
    while at < len(output):
        length = int.from_bytes(output[at + 2 : at + 6], "big")
        command = pdu.decode_command(output[at + 12 : at + 6 + length])
        found.append((command[0x120], command[0x900]))
        at += 6 + length
    return found  # type: ignore[return-value]


def pdata(*values: tuple[int, int, bytes]) -> bytes:
    body = b"".join((len(v) + 2).to_bytes(4, "big") + bytes((c, k)) + v for c, k, v in values)
    return b"\4\0" + len(body).to_bytes(4, "big") + body


@pytest.mark.parametrize("step", [1, 7, 4096, 1 << 20])
def test_every_cut_of_the_stream_gives_the_same(intake: Intake, step: int) -> None:
    sent = generated(3)
    stream = b"".join(store_message(uid, data, message_id=n) for n, (uid, data) in enumerate(sent))
    receiver, output = intake.receiver(), b""
    for at in range(0, len(stream), step):
        assert receiver.feed(stream[at : at + step]) == wire.EVENT_NEED
        output += receiver.take_output()
    assert answers(output) == [(0, 0), (1, 0), (2, 0)]
    kept = intake.kept()
    assert [file.endswith(data) for file, (_, data) in zip(kept, sent, strict=True)] == [True] * 3
    assert receiver.stored_count == 3 and intake.log.acknowledged_lsn() == 3


def test_answers_wait_for_the_sync_of_the_last_of_a_burst(intake: Intake) -> None:
    sent = generated(20)
    stream = b"".join(store_message(uid, data, message_id=n) for n, (uid, data) in enumerate(sent))
    receiver = intake.receiver()
    receiver.feed(stream)
    statistics = intake.log.statistics()
    assert (intake.log.acknowledged_lsn(), statistics["syncs"]) == (20, 1)
    assert len(answers(receiver.take_output())) == 20


def test_a_failed_sync_turns_every_success_into_a700(intake: Intake) -> None:
    ((uid, data),) = generated(1)
    receiver = intake.receiver()
    intake.log.fail("test")
    receiver.feed(store_message(uid, data))
    assert answers(receiver.take_output()) == [(1, 0xA700)] and receiver.stored_count == 0
    assert receiver.refused == [(0xA700, 19, 1)] and receiver.refused == []


def test_loopback_stores_byte_for_byte(intake: Intake) -> None:
    sent = generated(20, stub=False, rows=128)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server = listener.accept()[0]
    with client, server:
        client.setblocking(False)
        server.setblocking(False)
        events: list[int] = []
        receiver = intake.receiver()

        def lease() -> None:
            events.append(receiver.run(server.fileno(), -1, 5000, 1 << 30))

        thread = threading.Thread(target=lease)
        thread.start()
        jobs = [(1, n, CT, uid, data, 0, len(data)) for n, (uid, data) in enumerate(sent, 1)]
        assert wire.Sender(pdu_bytes_max=65536, window=4).store(client.fileno(), -1, jobs, timeout_ms=5000) == [0] * 20
        client.sendall(pdu.encode_release_request())
        thread.join(10)
    assert events == [wire.EVENT_RELEASE]
    assert [file.endswith(data) for file, (_, data) in zip(intake.kept(), sent, strict=True)] == [True] * 20


def test_large_objects_are_spooled_whole(intake: Intake) -> None:
    ((uid, data),) = generated(1, stub=False, rows=1024)
    receiver = intake.receiver()
    for at in range(0, len(stream := store_message(uid, data)), 50000):
        receiver.feed(stream[at : at + 50000])
    assert answers(receiver.take_output()) == [(1, 0)]
    (spooled,) = intake.spool.iterdir()
    assert spooled.read_bytes().endswith(data) and spooled.read_bytes()[128:132] == b"DICM"


def test_h21_a_cut_spooled_object_leaves_nothing(intake: Intake) -> None:
    ((uid, data),) = generated(1, stub=False, rows=1024)
    receiver = intake.receiver()
    receiver.feed(store_message(uid, data[:-9]))
    assert answers(receiver.take_output())[0][1] == 0xC000
    assert not list(intake.spool.iterdir()) and intake.kept() == []
    assert intake.log.statistics()["backlog_bytes"] == 0


def test_a_receiver_that_the_collector_takes_in_a_cycle_gives_up_its_spool(intake: Intake) -> None:
    ((uid, data),) = generated(1, stub=False, rows=1024)
    receiver = intake.receiver()
    receiver.feed(store_message(uid, data)[:-9])
    assert len(list(intake.spool.iterdir())) == 1
    cycle: list[object] = [receiver]
    cycle.append(cycle)
    del receiver, cycle
    gc.collect()
    assert not list(intake.spool.iterdir())


def test_a_spool_name_that_is_taken_stays_with_its_owner(intake: Intake) -> None:
    ((uid, data),) = generated(1, stub=False, rows=1024)
    (intake.spool / "spool-1").write_bytes(b"of an acknowledged record")
    receiver = intake.receiver()
    receiver.feed(store_message(uid, data))
    assert answers(receiver.take_output()) == [(1, 0xA700)]
    assert (intake.spool / "spool-1").read_bytes() == b"of an acknowledged record"


def test_h11_the_object_limit(tmp_path: Path) -> None:
    intake = Intake(tmp_path, object_bytes_max=2 << 20, gather_bytes_max=1 << 20)
    ((uid, data),) = generated(1, stub=False, rows=1200)
    receiver = intake.receiver()
    assert receiver.feed(store_message(uid, data)) == wire.EVENT_ERROR
    assert "longer than an object may be" in receiver.reason and receiver.take_output() == b""
    assert not list(tmp_path.iterdir())
    refused = intake.receiver()
    assert refused.feed(store_message("../x", data)) == wire.EVENT_ERROR
    assert intake.kept() == []
    intake.close()


def test_a_store_that_is_not_finished_leaves_no_file(intake: Intake) -> None:
    ((uid, data),) = generated(1, stub=False, rows=1200)
    receiver = intake.receiver()
    assert receiver.feed(store_message(uid, data)[:-100]) == wire.EVENT_NEED
    assert len(list(intake.spool.iterdir())) == 1
    receiver.close()
    assert list(intake.spool.iterdir()) == []


@pytest.mark.parametrize(
    ("uid", "sop_class", "status"),
    [("1.2.3", CT, 0xA900), ("", "1.2.3", 0xA900), ("1..2", CT, 0xA900), ("../x", CT, 0xA900), ("1" * 65, CT, 0xA900)],
)
def test_h20_h28_h29_identity(intake: Intake, uid: str, sop_class: str, status: int) -> None:
    ((own, data),) = generated(1)
    receiver = intake.receiver()
    receiver.feed(store_message(uid or own, data, sop_class=sop_class) + store_message(own, data, message_id=2))
    assert answers(receiver.take_output()) == [(1, status), (2, 0)] and len(intake.kept()) == 1


def test_messages_for_python_and_echo(intake: Intake) -> None:
    receiver = intake.receiver()
    echo = pdu.encode_command({0x2: VERIFICATION, 0x100: 0x30, 0x110: 5, 0x800: 0x101})
    find = pdu.encode_command({0x2: "1.2", 0x100: 0x20, 0x110: 6, 0x700: 0, 0x800: 1})
    stream = pdu.encode_message(3, find, b"key", 0) + pdu.encode_message(3, echo, None, 0)
    assert receiver.feed(stream) == wire.EVENT_MESSAGE
    assert receiver.feed(b"") == wire.EVENT_MESSAGE and receiver.take_message() == (3, find, b"key")
    assert receiver.feed(b"") == wire.EVENT_NEED and answers(receiver.take_output()) == [(5, 0)]


COMMAND = pdu.encode_command({0x2: CT, 0x100: 1, 0x110: 1, 0x700: 0, 0x800: 1, 0x1000: "1.2"})


@pytest.mark.parametrize(
    "stream",
    [
        b"\4\0\xff\xff\xff\xff",  # H1
        b"\x42\0\0\0\0\4\0\0\0\0",  # H2
        b"\1\0\0\0\0\4\0\0\0\0",
        b"\4\0\0\0\0\x0a\xff\xff\xff\xf0\1\3abcd",  # H6
        pdata((9, 3, COMMAND)),
        pdata((1, 2, b"data set first")),
        pdata((1, 3, COMMAND), (1, 3, COMMAND)),
        pdata((1, 3, COMMAND), (3, 2, b"other context")),
        pdata((1, 1, bytes(4000)), (1, 1, bytes(4000))),
        pdata(*[(1, 1, b"")] * 20),
        pdata((1, 3, b"\0\0\0\1\xff\xff\xff\xff")),
        b"\4\0\0\0\0\3\0\0\0",
        b"\5\0\0\0\0\x09" + bytes(9),
    ],
)
def test_what_breaks_the_protocol_ends_the_association(intake: Intake, stream: bytes) -> None:
    receiver = intake.receiver()
    assert receiver.feed(stream) == wire.EVENT_ERROR and receiver.reason
    assert intake.kept() == []


def test_h09_mutated_streams_never_crash(intake: Intake) -> None:
    chance = random.Random(9)
    sent = generated(2)
    whole = b"".join(store_message(uid, data, maximum=512) for uid, data in sent)
    for _ in range(300):
        mutated = bytearray(whole)
        for _ in range(chance.randrange(1, 6)):
            mutated[chance.randrange(len(mutated))] = chance.randrange(256)
        receiver = intake.receiver()
        for at in range(0, len(mutated), 1500):
            event = receiver.feed(bytes(mutated[at : at + 1500]))
            if event == wire.EVENT_MESSAGE:
                receiver.take_message()
            elif event != wire.EVENT_NEED:
                break
    intake.kept()
    receiver = intake.receiver()
    assert receiver.feed(whole) == wire.EVENT_NEED and receiver.stored_count == 2, "a sound stream is taken"
    assert len(intake.kept()) == 2


def test_sender_says_why_the_association_is_gone() -> None:
    ((uid, data),) = generated(1)
    job = (1, 1, CT, uid, data, 0, len(data))
    for sent, reason in [
        (pdu.encode_abort(0, 0), "aborted"),
        (pdu.encode_release_request(), "release"),
        (b"HTTP/1.1 400", "protocol"),
    ]:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.setblocking(False)
            theirs.sendall(sent)
            sender = wire.Sender(pdu_bytes_max=0)
            assert sender.store(ours.fileno(), -1, [job], timeout_ms=1000) == [] and reason in sender.reason
