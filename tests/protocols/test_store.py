"""C-STORE with real peers and a real log (C05, C06, C08; H20, H21, H22)."""

import struct
from collections.abc import Sequence
from pathlib import Path

import pytest
import trio

import engine
from bench.data import Shape, files, write
from engine.ports import Peer
from native import pdu
from protocols.dimse.leases import Interrupts
from protocols.dimse.requestor import Job, associate
from protocols.dimse.settings import DimseSettings
from tests.protocols.hostile_peer import associated
from tests.protocols.serving import CT, EXPLICIT, Served, serving, serving_in
from tests.protocols.storing import StoringArchive


def generated(count: int) -> list[tuple[str, bytes]]:
    """(SOP instance, data set) of generated CT."""
    shape = Shape(studies=1, series=1, instances=count, stub=True)
    return [(file.sop_instance_uid, dataset_of(file.data)) for file in files(shape)]


def dataset_of(file: bytes) -> bytes:
    """What follows the file meta information (its group length says how much that is)."""
    return file[128 + 4 + 12 + struct.unpack_from("<I", file, 128 + 4 + 8)[0] :]


async def store(served: Served, jobs: Sequence[tuple[str, bytes]]) -> list[int]:
    """Statuses of storing (SOP instance, data set) over one association."""
    async with associate(
        Peer("FILMROOM", "127.0.0.1", served.port), DimseSettings(), [(CT, EXPLICIT)], Interrupts()
    ) as requestor:
        context_id = requestor.accepted[CT, EXPLICIT]
        sent: list[Job] = [
            (context_id, at + 1, CT, sop_instance, data, 0, len(data)) for at, (sop_instance, data) in enumerate(jobs)
        ]
        return await requestor.store(sent, trio.CapacityLimiter(1))


def test_C05_what_is_answered_is_kept_byte_for_byte_in_order() -> None:
    archive = StoringArchive()
    sent = generated(50)

    async def check(served: Served) -> None:
        assert await store(served, sent) == [0] * 50
        assert archive.acknowledged() == 50

    serving(check, archive)
    kept = archive.kept()
    assert [file.endswith(data) for file, (_, data) in zip(kept, sent, strict=True)] == [True] * 50
    assert all(file[128:132] == b"DICM" for file in kept)
    assert archive.origins[0].calling_ae_title == "FILMROOM" and archive.origins[0].peer == "127.0.0.1"


@pytest.mark.parametrize("command", ["storescu", "dcmsend"])
def test_C08_dcmtk_stores_over_many_associations_at_once(tmp_path: Path, command: str) -> None:
    archive = StoringArchive()
    write(Shape(studies=1, series=4, instances=10, stub=True), tmp_path)
    paths = [str(file) for file in sorted(tmp_path.rglob("*.dcm"))]
    assert len(paths) == 40

    async def send(served: Served, some: list[str]) -> None:
        code, output = await served.run(command, "-aec", "FILMROOM", "127.0.0.1", str(served.port), *some)
        assert code == 0, output

    async def check(served: Served) -> None:
        async with trio.open_nursery() as nursery:
            for begin in range(0, 40, 5):
                nursery.start_soon(send, served, paths[begin : begin + 5])

    serving(check, archive, receive_threads_max=3)
    assert len(archive.kept()) == 40


def test_C06_a_node_that_is_full_answers_A700_and_takes_more_when_it_is_not() -> None:
    (first, one), (second, two) = generated(2)

    async def work() -> None:
        async with engine.open("memory://") as archive:

            async def check(served: Served) -> None:
                log = archive._house.intake.log
                log.refuse(True)
                assert await store(served, [(first, one), (second, two)]) == [0xA700, 0xA700]
                log.refuse(False)
                assert await store(served, [(first, one)]) == [0]
                assert [kept.sop_instance_uid async for kept in archive.fetch()] == [first]

            await serving_in(check, archive)

    trio.run(work)


def test_H20_other_uid_in_the_data_set_than_in_the_command_is_A900() -> None:
    archive = StoringArchive()
    (first, data), (second, _) = generated(2)

    async def check(served: Served) -> None:
        assert await store(served, [(second, data), (first, data)]) == [0xA900, 0]

    serving(check, archive)
    assert len(archive.kept()) == 1


def test_H21_a_data_set_that_is_cut_is_refused() -> None:
    archive = StoringArchive()
    ((sop_instance, data),) = generated(1)

    async def check(served: Served) -> None:
        statuses = await store(served, [(sop_instance, data[:-7]), (sop_instance, data[: len(data) // 2 | 1])])
        assert all(status >> 8 in range(0xA9, 0xAA) or status >> 12 == 0xC for status in statuses), statuses
        assert len(statuses) == 2

    serving(check, archive)
    assert archive.kept() == []


def test_H22_abort_before_the_response_leaves_all_or_nothing() -> None:
    archive = StoringArchive()
    ((sop_instance, data),) = generated(1)
    elements = {0x2: CT, 0x100: 1, 0x110: 1, 0x700: 0, 0x800: 1, 0x1000: sop_instance}
    message = pdu.encode_message(1, pdu.encode_command(elements), data, 16384)

    async def check(served: Served) -> None:
        for sent in (message[: len(message) // 2], message):
            stream = await associated(served, (CT, EXPLICIT))
            await stream.send_all(bytes(sent) + bytes(pdu.encode_abort(0, 0)))
            await stream.send_eof()
            with trio.fail_after(5):
                while await stream.receive_some(65536):
                    pass
            await stream.aclose()
        assert await store(served, [(sop_instance, data)]) == [0]

    serving(check, archive)
    kept = archive.kept()
    assert 1 <= len(kept) <= 2 and all(file.endswith(data) for file in kept)


def test_a_store_in_progress_is_finished_at_shutdown() -> None:
    archive = StoringArchive()
    ((sop_instance, data),) = generated(1)
    elements = {0x2: CT, 0x100: 1, 0x110: 1, 0x700: 0, 0x800: 1, 0x1000: sop_instance}
    message = pdu.encode_message(1, pdu.encode_command(elements), data, 16384)

    async def check(served: Served) -> None:
        stream = await associated(served, (CT, EXPLICIT))
        await stream.send_all(bytes(message[:100]))
        served.shutdown.set()
        await stream.send_all(bytes(message[100:]))
        with trio.fail_after(5):
            assert await stream.receive_some(1) == b"\x04"

    serving(check, archive)
    assert len(archive.kept()) == 1
