"""Bytes of stored objects, and whether they are what was written: a key is the XXH3-128 of its object. Blocking."""

from collections.abc import Iterator
from typing import Final

import xxhash

from engine import read_range
from engine.errors import Corrupt
from engine.model import FileRange, Instance
from protocols.windows import Fetched

PIECE_BYTES: Final = 1 << 20  # at a time
KEY_DIGITS: Final = 32
NOT_WRITTEN: Final = "an object is not what was written"
TOO_SHORT: Final = "an object is shorter than its record says"


def key_of(instance: Instance) -> bytes:
    """XXH3-128 of its object."""
    return bytes.fromhex(instance.key[:KEY_DIGITS])


def read(source: FileRange | bytes, offset: int, length: int) -> bytes:
    """A range of an object. Raises Corrupt when it ends before, and for a bad sector."""
    if isinstance(source, bytes):
        data = source[offset : offset + length]
    else:
        try:
            data = read_range(source.fd, source.offset + offset, min(length, source.length - offset))
        except OSError as error:  # as good as a wrong byte
            raise Corrupt(TOO_SHORT) from error
    if len(data) != length:
        raise Corrupt(TOO_SHORT)
    return data


def pieces_of(source: FileRange | bytes, offset: int, length: int) -> Iterator[bytes]:
    """The same, some of it at a time."""
    for at in range(offset, offset + length, PIECE_BYTES):
        yield read(source, at, min(PIECE_BYTES, offset + length - at))


def all_of(source: FileRange | bytes) -> Iterator[bytes]:
    """All of it, some at a time; what is in memory at once."""
    if isinstance(source, bytes):
        yield source
    else:
        yield from pieces_of(source, 0, source.length)


def is_sound(fetched: Fetched) -> bool:
    """Whether its object is what was written: asked before another data set is made of it."""
    hashed = xxhash.xxh3_128()
    try:
        for piece in all_of(fetched.source):
            hashed.update(piece)
    except Corrupt:
        return False
    return hashed.digest() == key_of(fetched.instance)
