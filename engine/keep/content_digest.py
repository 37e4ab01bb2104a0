"""The digests of one object's bytes: XXH3-128 is its address, BLAKE3 its proof.

*Address*: XXH3-128 (seed 0) of the bytes, as 32 lower-case hex digits in canonical order: what ``xxhsum -H2`` prints.

*Proof*: BLAKE3 of each chunk of 1 MiB (the last is shorter), and a root. The root of an object of one chunk (or none)
is the BLAKE3 of its bytes: what ``b3sum`` prints; then ``chunks`` is empty, since it would say the same. The root of
a longer object is the BLAKE3 of its chunk digests, one after the other. Ranged reads take whole chunks and check
them. Frozen for ever.

The digest that tells *same content* from *other content* under one UID is another: see ``native.dataset``.
"""

from collections.abc import Iterable
from typing import Final

import msgspec
import xxhash
from blake3 import blake3

from engine.keep.copying import Buffer
from engine.limits import MIB

CHUNK_BYTES: Final = MIB
DIGEST_BYTES: Final = 32


class Proof(msgspec.Struct, frozen=True):
    """BLAKE3 of an object: ``root`` 32 bytes, ``chunks`` 32 bytes for each MiB (empty for one chunk)."""

    root: bytes
    chunks: bytes = b""

    def chunk(self, number: int) -> bytes:
        """BLAKE3 of the chunk ``number``."""
        return self.chunks[number * DIGEST_BYTES : (number + 1) * DIGEST_BYTES] if self.chunks else self.root


def address(parts: Iterable[Buffer]) -> str:
    """XXH3-128 of the parts as one, 32 hex digits."""
    digest = xxhash.xxh3_128()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def prove(parts: Iterable[Buffer]) -> Proof:
    """BLAKE3 of the parts as one object. Holds one chunk's state, whatever the parts' sizes."""
    digest, room, digests = blake3(), CHUNK_BYTES, b""
    for part in parts:
        view = memoryview(part).cast("B")
        while len(view):
            if not room:
                digests += digest.digest()
                digest, room = blake3(), CHUNK_BYTES
            piece = view[:room]
            digest.update(piece)
            room -= len(piece)
            view = view[len(piece) :]
    last = digest.digest()
    return Proof(blake3(digests + last).digest(), digests + last) if digests else Proof(last)


class Examination:
    """Address, proof and size of an object that is read piece by piece."""

    def __init__(self) -> None:
        self._address = xxhash.xxh3_128()
        self._chunks: list[bytes] = []
        self.size_bytes = 0

    def add(self, piece: Buffer) -> None:
        """The next piece: a whole number of chunks, except for the last."""
        view = memoryview(piece).cast("B")
        self._address.update(view)
        self.size_bytes += len(view)
        self._chunks += [blake3(view[i : i + CHUNK_BYTES]).digest() for i in range(0, len(view), CHUNK_BYTES)]

    @property
    def address(self) -> str:
        return self._address.hexdigest()

    @property
    def proof(self) -> Proof:
        if len(self._chunks) < 2:
            return Proof(self._chunks[0] if self._chunks else blake3().digest())
        return Proof(blake3(b"".join(self._chunks)).digest(), b"".join(self._chunks))
