"""A small file's range, checked, without waiting: the bytes, or nothing."""

import os
import random
from pathlib import Path

import pytest
import xxhash

from native.glance import glance


def at_first(path: Path, content: bytes) -> bytes:
    path.write_bytes(content)
    return xxhash.xxh3_128_digest(content)


@pytest.mark.parametrize("size", [0, 1, 7, 4096, 300_000])
def test_every_range_is_what_slicing_gives(tmp_path: Path, size: int) -> None:
    chance = random.Random(size)
    content = chance.randbytes(size)
    key = at_first(tmp_path / "x", content)
    for _ in range(50):
        begin = chance.randint(0, size)
        length = chance.choice((0, size - begin, chance.randint(0, size - begin)))
        got = glance(os.fsencode(tmp_path / "x"), key, size, begin, length, b"before", b"behind")
        assert got == b"before" + content[begin : begin + length] + b"behind"


def test_a_byte_that_is_not_what_it_was_gives_nothing_wherever_it_is(tmp_path: Path) -> None:
    content = random.Random(1).randbytes(3000)
    path = tmp_path / "x"
    key = at_first(path, content)
    for at in (0, 999, 1000, 1500, 1999, 2000, 2999):
        damaged = bytearray(content)
        damaged[at] ^= 1
        path.write_bytes(damaged)
        assert glance(os.fsencode(path), key, 3000, 1000, 1000, b"", b"") is None, at
    path.write_bytes(content[:-1])
    assert glance(os.fsencode(path), key, 3000, 1000, 1000, b"", b"") is None
    path.unlink()
    assert glance(os.fsencode(path), key, 3000, 1000, 1000, b"", b"") is None
    path.write_bytes(content)
    assert glance(os.fsencode(path), key, 3000, 1000, 1000, b"", b"") == content[1000:2000]


def test_what_is_not_cached_is_not_waited_for(tmp_path: Path) -> None:
    """Where the page cache can be emptied (a real disk), nothing; never other bytes."""
    content = random.Random(2).randbytes(1 << 20)
    path = tmp_path / "x"
    key = at_first(path, content)
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    assert glance(os.fsencode(path), key, 1 << 20, 500_000, 10, b"", b"") in (None, content[500_000:500_010])
    path.read_bytes()
    assert glance(os.fsencode(path), key, 1 << 20, 500_000, 10, b"", b"") == content[500_000:500_010]


def test_a_pipe_that_stands_in_a_files_place_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x")
    assert glance(os.fsencode(tmp_path / "x"), bytes(16), 10, 0, 10, b"", b"") is None


@pytest.mark.parametrize(
    "wrong", [(bytes(15), 10, 0, 1), (bytes(16), 10, 11, 0), (bytes(16), 10, 5, 6), (bytes(16), 10, 1, (1 << 64) - 1)]
)
def test_what_is_no_range_is_refused(wrong: tuple[bytes, int, int, int]) -> None:
    with pytest.raises(ValueError, match="range"):
        glance(b"/dev/null", *wrong, b"", b"")
