"""Sending C-STORE over an association that the peer made: its own commands come between the answers (PS3.7 9.3.3.3)."""

import os
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from native import pdu, wire

CT = "1.2.840.10008.5.1.4.1.1.2"
MANY = 200


class Peer:
    """The other end: reads requests, says what a test wants."""

    def __init__(self, socket: socket.socket) -> None:
        self.socket = socket
        self._file = socket.makefile("rb")

    def request(self) -> dict[int, int | str | bytes | list[int]]:
        """The next C-STORE-RQ, with its data set read."""
        command = b""
        while not command:
            length = int.from_bytes(self._file.read(6)[2:], "big")
            body = self._file.read(length)
            if body[5] == 3:
                command = body[6:]
        while True:
            length = int.from_bytes(self._file.read(6)[2:], "big")
            if self._file.read(length)[5] == 2:
                return pdu.decode_command(command)

    def exactly(self, length: int) -> bytes:
        return self._file.read(length)

    def answer(self, message_id: int, status: int = 0) -> bytes:
        elements = {0x2: CT, 0x100: 0x8001, 0x120: message_id, 0x800: 0x101, 0x900: status, 0x1000: "1.2"}
        return bytes(pdu.encode_message(1, pdu.encode_command(elements), None, 16384))


def cancel() -> bytes:
    return bytes(pdu.encode_message(3, pdu.encode_command({0x100: 0x0FFF, 0x120: 9, 0x800: 0x101}), None, 16384))


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, Peer]]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield ours, Peer(theirs)


def beside(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def jobs(count: int) -> list[tuple[int, int, str, str, bytes, int, int]]:
    return [(1, number + 1, CT, f"1.2.{number}", b"x" * 1000, 0, 1000) for number in range(count)]


@pytest.mark.parametrize("pdu_bytes_max", [16, 17, 64, 299, 300, 16384])
def test_no_pdu_is_longer_than_the_peer_takes(ends: tuple[socket.socket, Peer], pdu_bytes_max: int) -> None:
    """The command too, which is some 200 bytes (PS3.8 D.1)."""
    ours, peer = ends
    seen: list[tuple[int, bytes]] = []

    def read() -> None:
        while not seen or seen[-1][0] != 2:
            length = int.from_bytes(peer.exactly(6)[2:], "big")
            assert length <= pdu_bytes_max
            body = peer.exactly(length)
            assert int.from_bytes(body[:4], "big") == length - 4
            seen.append((body[5], body[6:]))
        peer.socket.sendall(peer.answer(1))

    thread = beside(read)
    sender = wire.Sender(pdu_bytes_max=pdu_bytes_max)
    sent = sender.store(ours.fileno(), -1, jobs(1), originator=("MODALITY", 7), timeout_ms=5000)
    thread.join(10)
    assert sent == [0]
    command = [part for control, part in seen if control & 1]
    assert [control for control, _ in seen if control & 1] == [1] * (len(command) - 1) + [3]
    assert pdu.decode_command(b"".join(command))[0x1030] == "MODALITY"
    assert b"".join(part for control, part in seen if not control & 1) == b"x" * 1000


@pytest.mark.parametrize("cut", range(0, len(cancel()) + 1, 3))
def test_a_command_of_the_peer_is_handed_back_whole(ends: tuple[socket.socket, Peer], cut: int) -> None:
    """Wherever the bytes are cut: what the sender read goes before what it left in the socket."""
    ours, peer = ends

    def answer() -> None:
        message_id = peer.request()[0x110]
        assert isinstance(message_id, int)
        peer.socket.sendall(peer.answer(message_id) + cancel()[:cut])

    thread = beside(answer)
    sender = wire.Sender(pdu_bytes_max=16384, shared=True)
    assert sender.store(ours.fileno(), -1, jobs(1), timeout_ms=5000) == [0]
    thread.join(5)
    receiver = wire.Receiver(
        {1: (CT, "1.2.840.10008.1.2.1", False), 3: (CT, "1.2.840.10008.1.2.1", False)},
        None,
        pdu_bytes_max=16384,
        command_bytes_max=4096,
        dataset_bytes_max=4096,
    )
    peer.socket.sendall(cancel()[cut:])
    event = receiver.feed(sender.take_rest())
    if event == wire.EVENT_NEED:
        event = receiver.run(ours.fileno(), -1, 1000, 1 << 20)
    assert event == wire.EVENT_MESSAGE
    assert pdu.decode_command(receiver.take_message()[1])[0x100] == 0x0FFF
    assert receiver.at_rest


def test_behind_a_command_of_the_peer_nothing_more_is_sent(ends: tuple[socket.socket, Peer]) -> None:
    ours, peer = ends
    seen = []

    def answer() -> None:
        for _ in range(3):
            seen.append(peer.request()[0x110])
            first = cancel() if len(seen) == 3 else b""
            peer.socket.sendall(first + peer.answer(int(str(seen[-1]))))

    thread = beside(answer)
    sender = wire.Sender(pdu_bytes_max=16384, shared=True)
    assert sender.store(ours.fileno(), -1, jobs(MANY), timeout_ms=5000) == [0, 0, 0]
    thread.join(5)
    assert sender.reason == ""
    assert sender.take_rest() == cancel()
    assert sender.take_rest() == b""
    assert seen == [1, 2, 3]


def test_on_an_association_of_ours_a_command_breaks_the_protocol(ends: tuple[socket.socket, Peer]) -> None:
    ours, peer = ends
    peer.socket.sendall(cancel())
    sender = wire.Sender(pdu_bytes_max=16384)
    assert sender.store(ours.fileno(), -1, jobs(1), timeout_ms=5000) == []
    assert sender.reason == "peer broke the protocol"


@pytest.mark.parametrize("end", [pdu.encode_abort(0, 0), pdu.encode_release_request()], ids=["abort", "release"])
def test_how_the_peer_ends_it_is_handed_back(ends: tuple[socket.socket, Peer], end: bytes) -> None:
    ours, peer = ends
    peer.socket.sendall(end)
    sender = wire.Sender(pdu_bytes_max=16384, shared=True)
    assert sender.store(ours.fileno(), -1, jobs(1), timeout_ms=5000) == []
    assert sender.reason in ("peer aborted the association", "peer asked for release")
    assert sender.take_rest() == end


def test_an_answer_that_does_not_come_is_waited_for_in_pieces(ends: tuple[socket.socket, Peer]) -> None:
    ours, peer = ends
    sender = wire.Sender(pdu_bytes_max=16384, shared=True)
    assert sender.store(ours.fileno(), -1, jobs(2), timeout_ms=5000, patience_ms=1) == []
    assert (sender.unanswered, sender.reason) == (1, "")
    assert sender.store(ours.fileno(), -1, jobs(2), timeout_ms=5000, patience_ms=1, resume=1) == []
    assert peer.request()[0x110] == 1
    peer.socket.sendall(peer.answer(1, 0xB000) + peer.answer(2))
    assert sender.store(ours.fileno(), -1, jobs(2), timeout_ms=5000, resume=1) == [0xB000, 0]
    assert sender.unanswered == 0
    assert peer.request()[0x110] == 2


def test_an_object_that_cannot_be_read_fails_alone(ends: tuple[socket.socket, Peer]) -> None:
    ours, peer = ends
    short = os.memfd_create("short")
    os.write(short, b"x" * 10)
    peer.socket.sendall(peer.answer(1) + peer.answer(3))
    asked = jobs(3)
    asked[1] = (1, 2, CT, "1.2.3", short, 0, 1000)  # type: ignore[assignment]
    sender = wire.Sender(pdu_bytes_max=16384)
    assert sender.store(ours.fileno(), -1, asked, timeout_ms=5000) == [0, wire.UNSOUND_OBJECT, 0]
    os.close(short)
    assert [peer.request()[0x110] for _ in range(2)] == [1, 3]


def test_what_is_lost_in_the_middle_of_a_large_object_ends_the_association(ends: tuple[socket.socket, Peer]) -> None:
    ours, peer = ends
    short = os.memfd_create("short")
    os.truncate(short, 3 << 20)

    def swallow() -> None:
        while peer.socket.recv(1 << 20):
            pass

    thread = beside(swallow)
    sender = wire.Sender(pdu_bytes_max=16384)
    asked = [(1, 1, CT, "1.2.3", short, 0, 4 << 20)]
    assert sender.store(ours.fileno(), -1, asked, timeout_ms=5000) == [wire.UNSOUND_OBJECT]
    assert sender.reason == "an object is not what was written"
    os.close(short)
    ours.shutdown(socket.SHUT_WR)
    thread.join(5)


def test_answers_out_of_their_order_are_each_taken_once(ends: tuple[socket.socket, Peer]) -> None:
    """In an asynchronous window they may come so (PS3.7 D.3.3.3), and the first of them last."""
    ours, peer = ends
    sender = wire.Sender(pdu_bytes_max=16384, window=3)
    todo = jobs(3)
    peer.socket.sendall(peer.answer(2, 0xB000))
    assert sender.store(ours.fileno(), -1, todo, timeout_ms=5000, patience_ms=1) == []
    assert (sender.unanswered, sender.reason) == (3, "")
    assert sender.store(ours.fileno(), -1, todo, timeout_ms=5000, patience_ms=1, resume=3) == []
    assert sender.unanswered == 3
    peer.socket.sendall(peer.answer(3, 0xA700) + peer.answer(1))
    assert sender.store(ours.fileno(), -1, todo, timeout_ms=5000, patience_ms=5000, resume=3) == [0, 0xB000, 0xA700]
    assert sender.unanswered == 0
    assert [peer.request()[0x110] for _ in todo] == [1, 2, 3]
    ours.shutdown(socket.SHUT_WR)
    assert peer.socket.recv(1) == b"", "nothing was sent again"
