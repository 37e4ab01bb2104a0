"""Single PDUs said and heard by a thread: cut anywhere, late, or never."""

import fcntl
import os
import socket
import termios
import threading
from collections.abc import Iterator

import pytest

from native import pdu, wire

WHOLE = bytes(pdu.encode_abort(0, 0))
PATIENCE_MS = 60_000
HEARD_BYTES_MAX = 1 << 16


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield ours, theirs


@pytest.mark.parametrize("cut", range(len(WHOLE) + 1))
def test_a_pdu_is_heard_whole_however_it_is_cut(pair: tuple[socket.socket, socket.socket], cut: int) -> None:
    ours, theirs = pair
    theirs.send(WHOLE[:cut])
    speaking = threading.Thread(target=theirs.send, args=(WHOLE[cut:],))
    if cut < len(WHOLE):
        assert wire.hear(ours.fileno(), -1, timeout_ms=0) == WHOLE[:cut]
        theirs.send(WHOLE[:cut])
    speaking.start()
    assert wire.hear(ours.fileno(), -1, timeout_ms=PATIENCE_MS) == WHOLE
    speaking.join()


def test_who_dribbles_is_not_heard_to_the_end(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    much = 5000

    def dribble() -> None:
        for _ in range(much):
            queued = bytearray(4)
            while fcntl.ioctl(ours, termios.FIONREAD, queued) or any(queued):
                if is_over.is_set():
                    return
            theirs.send(b"\4")

    is_over = threading.Event()
    speaking = threading.Thread(target=dribble)
    theirs.send(b"\4\0\0\0\xff\xff")
    speaking.start()
    heard = wire.hear(ours.fileno(), -1, timeout_ms=PATIENCE_MS)
    is_over.set()
    speaking.join()
    assert 6 <= len(heard) < much


def test_hearing_ends_with_the_connection(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    theirs.send(WHOLE[:3])
    theirs.close()
    assert wire.hear(ours.fileno(), -1, timeout_ms=PATIENCE_MS) == WHOLE[:3]
    assert wire.hear(ours.fileno(), -1, timeout_ms=PATIENCE_MS) == b""


def test_hearing_and_saying_are_called_back(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, _ = pair
    interrupt = os.eventfd(1)
    try:
        assert wire.hear(ours.fileno(), interrupt, timeout_ms=PATIENCE_MS) == b""
        much = bytes(8 << 20)
        assert 0 < wire.tell(ours.fileno(), interrupt, much, timeout_ms=PATIENCE_MS) < len(much)
    finally:
        os.close(interrupt)


def test_a_pdu_that_is_longer_than_any_that_opens_or_ends_is_not_gathered(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = pair
    theirs.send(b"\4\0\xff\xff\xff\xff" + bytes(HEARD_BYTES_MAX))
    assert len(wire.hear(ours.fileno(), -1, timeout_ms=PATIENCE_MS)) == HEARD_BYTES_MAX


def test_what_is_said_arrives_and_what_nobody_takes_is_told(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    assert wire.tell(ours.fileno(), -1, WHOLE, timeout_ms=PATIENCE_MS) == len(WHOLE)
    assert theirs.recv(100) == WHOLE
    much = bytes(8 << 20)
    assert 0 < wire.tell(ours.fileno(), -1, much, timeout_ms=0) < len(much)
    theirs.close()
    assert wire.tell(ours.fileno(), -1, WHOLE, timeout_ms=PATIENCE_MS) == 0


def test_a_connection_that_is_being_made_is_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        ours = socket.socket(type=socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        with ours:
            ours.connect_ex(server.getsockname())
            assert wire.tell(ours.fileno(), -1, WHOLE, timeout_ms=PATIENCE_MS) == len(WHOLE)
            with server.accept()[0] as theirs:
                assert theirs.recv(100) == WHOLE
