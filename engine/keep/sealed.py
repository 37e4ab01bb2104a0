"""Small files of a node, with a checksum: what they say decides which acknowledged records are looked for, and where.

``"FRN1"``, XXH3-64 of what follows (big endian), what follows.
"""

from typing import Final

import xxhash

from engine.errors import Corrupt

_MAGIC: Final = b"FRN1"
_HEAD_BYTES: Final = 12


def seal(data: bytes) -> bytes:
    """The file that says ``data``."""
    return _MAGIC + xxhash.xxh3_64_digest(data) + data


def unseal(file: bytes, what: str) -> bytes:
    """What a file says. Raises Corrupt, with ``what`` it is."""
    data = file[_HEAD_BYTES:]
    if file[: len(_MAGIC)] != _MAGIC or file[len(_MAGIC) : _HEAD_BYTES] != xxhash.xxh3_64_digest(data):
        raise Corrupt(f"{what} is not what was written")
    return data
