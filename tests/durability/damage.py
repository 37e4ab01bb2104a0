"""Ways in which a disk lies: one bit, a page of zeros, a tail that is gone, two sectors in each other's place."""

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

import msgspec

Way = Literal["bit", "page", "tail", "sectors"]
WAYS: Final[tuple[Way, ...]] = ("page", "tail", "sectors")
PAGE_BYTES: Final = 4096
SECTOR_BYTES: Final = 512

Extent = tuple[int, int]  # begin and end of bytes that somebody relies on


class Damage(msgspec.Struct, frozen=True):
    """What is done to one file; ``at`` is an offset in it, of a bit eight times that."""

    path: Path
    way: Way
    at: int

    def __str__(self) -> str:
        return f"{self.way} at {self.at // 8 if self.way == 'bit' else self.at} of {self.path.name}"

    def of(self, data: bytes) -> bytes:
        """The damaged bytes; ``data`` itself where the damage would change nothing."""
        if self.way == "bit":
            changed = bytearray(data)
            changed[self.at // 8] ^= 1 << self.at % 8
            return bytes(changed)
        if self.way == "tail":
            return data[: self.at]
        begin = self.at // PAGE_BYTES * PAGE_BYTES
        if self.way == "page":
            return data[:begin] + bytes(len(data[begin : begin + PAGE_BYTES])) + data[begin + PAGE_BYTES :]
        one, other = data[begin : begin + SECTOR_BYTES], data[begin + SECTOR_BYTES : begin + 2 * SECTOR_BYTES]
        return data[:begin] + other + one + data[begin + 2 * SECTOR_BYTES :]


def drawn(chance: random.Random, path: Path, extents: list[Extent], way: Way = "bit") -> Damage:
    """Somewhere in the extents of a file, each byte as likely as another."""
    at = chance.randrange(sum(end - begin for begin, end in extents))
    for begin, end in extents:
        if at < end - begin:
            return Damage(path, way, (begin + at) * 8 + chance.randrange(8) if way == "bit" else begin + at)
        at -= end - begin
    raise AssertionError("the extents are empty")


def inflict(damage: Damage) -> bool:
    """False: this damage changes nothing."""
    data = damage.path.read_bytes()
    changed = damage.of(data)
    _write(damage.path, changed)
    return changed != data


@contextmanager
def damaged(damage: Damage) -> Iterator[bool]:
    """The damage is there inside (see ``inflict``); the bytes are as they were behind it."""
    data = damage.path.read_bytes()
    try:
        yield inflict(damage)
    finally:
        _write(damage.path, data)


def _write(path: Path, data: bytes) -> None:
    """In place: the inode, and who has it open or mapped, stay."""
    fd = os.open(path, os.O_WRONLY)
    try:
        os.pwrite(fd, data, 0)
        os.ftruncate(fd, len(data))
    finally:
        os.close(fd)
