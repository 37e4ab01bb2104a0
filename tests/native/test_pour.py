"""Stored objects from a file into a socket: whole and sound, or not to their end."""

import os
import socket
import threading
from pathlib import Path

import pytest
import xxhash

from native.pour import GONE, LEASED, POURED, SHORT, SLOW, UNSOUND, Pour

SMALL = bytes(range(256)) * 800
LARGE = os.urandom(1000) * 3000  # more than a megabyte, and no whole number of pieces
PREAMBLE = b"II*\0".ljust(128, b"p")
LEASE = 1 << 40


def key_of(data: bytes) -> bytes:
    return xxhash.xxh3_128(data).digest()


class Line:
    """A socket that is read by a thread, to its end."""

    def __init__(self) -> None:
        self.ours, self._theirs = socket.socketpair()
        self.ours.setblocking(False)
        self._got = bytearray()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while piece := self._theirs.recv(100_003):
            self._got += piece

    def got(self) -> bytes:
        self.ours.shutdown(socket.SHUT_WR)
        self._thread.join(10)
        self.ours.close()
        self._theirs.close()
        return bytes(self._got)


def sent(pour: Pour) -> int:
    """The state in which it ends, however slow the reader is."""
    while (state := pour.work(LEASE, 100)) == SLOW:
        pass
    return state


@pytest.mark.parametrize("data", [b"", b"x", SMALL, LARGE], ids=len)
@pytest.mark.parametrize("offset", [0, 4097])
def test_an_object_is_sent_behind_what_stands_before_it(tmp_path: Path, data: bytes, offset: int) -> None:
    line, path = Line(), tmp_path / "segment"
    path.write_bytes(b"o" * offset + data + b"more")
    pour = Pour(line.ours.fileno())
    with path.open("rb") as file:
        for before in (b"", b"head", b"h" * 100_000):
            pour.put_object(before, file.fileno(), offset, len(data), key_of(data), b"")
            assert sent(pour) == POURED
    pour.put(b"a", b"b" * 300_000)
    assert sent(pour) == POURED and sent(pour) == POURED
    pour.put(b"end")
    assert sent(pour) == POURED
    whole = data + b"head" + data + b"h" * 100_000 + data + b"a" + b"b" * 300_000 + b"end"
    assert pour.count == len(whole) and line.got() == whole


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=len)
def test_a_preamble_stands_in_place_of_zeros_that_are_hashed(tmp_path: Path, data: bytes) -> None:
    line, path = Line(), tmp_path / "object"
    stored = bytes(128) + data
    path.write_bytes(stored)
    pour = Pour(line.ours.fileno())
    with path.open("rb") as file:
        for _ in range(2):
            pour.put_object(b"", file.fileno(), 0, len(stored), key_of(stored), PREAMBLE)
            assert sent(pour) == POURED
    assert line.got() == (PREAMBLE + data) * 2


@pytest.mark.parametrize("at", [0, 1000, -1])
def test_a_damaged_object_is_not_sent_to_its_end_a_small_one_not_at_all(tmp_path: Path, at: int) -> None:
    for data in (SMALL, LARGE):
        line, path = Line(), tmp_path / "object"
        damaged = bytearray(data)
        damaged[at] ^= 1
        path.write_bytes(damaged)
        pour = Pour(line.ours.fileno())
        with path.open("rb") as file:
            pour.put_object(b"head", file.fileno(), 0, len(data), key_of(data), b"")
            assert sent(pour) == UNSOUND
        got = line.got()
        assert got == b"" if data is SMALL else 0 < len(got) < len(data)


def test_an_object_that_ends_early_is_short(tmp_path: Path) -> None:
    for data in (SMALL, LARGE):
        line, path = Line(), tmp_path / "object"
        path.write_bytes(data[:-1])
        pour = Pour(line.ours.fileno())
        with path.open("rb") as file:
            pour.put_object(b"", file.fileno(), 0, len(data), key_of(data), b"")
            assert sent(pour) == SHORT
        assert len(line.got()) < len(data)


def test_it_goes_on_where_a_slow_reader_or_a_lease_stopped_it(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    path, got, states = tmp_path / "object", b"", set()
    path.write_bytes(LARGE)
    with ours, theirs, path.open("rb") as file:
        ours.setblocking(False)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        pour = Pour(ours.fileno())
        pour.put_object(b"head", file.fileno(), 0, len(LARGE), key_of(LARGE), b"")
        while (state := pour.work(20_000, 0)) != POURED:
            states.add(state)
            got += theirs.recv(70_001)
        while len(got) < len(LARGE) + 4:
            got += theirs.recv(1 << 20)
    assert got == b"head" + LARGE and states <= {SLOW, LEASED} and SLOW in states


def test_a_lease_is_for_so_many_bytes() -> None:
    line = Line()
    pour = Pour(line.ours.fileno())
    pour.put(b"first")
    assert pour.work(1, 0) == POURED and pour.count == 5
    pour.put(b"second")
    assert pour.work(0, 0) == LEASED and pour.count == 5 and pour.work(1, 0) == POURED
    assert line.got() == b"firstsecond"


def test_who_has_gone_is_seen_and_nonsense_refused(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.close()
    with ours:
        pour = Pour(ours.fileno())
        pour.put(b"x")
        assert pour.work(LEASE, 0) == GONE
        for length, key, preamble in ((-1, bytes(16), b""), (5, bytes(15), b""), (5, bytes(16), bytes(6))):
            with pytest.raises(ValueError, match="not an object"):
                pour.put_object(b"", 0, 0, length, key, preamble)
