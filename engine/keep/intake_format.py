"""The bytes of the intake, version 1. A number once stored never changes.

A *segment* is a file of fixed size, full of zeros before its first use. Records follow each other from offset 0, each
begun on a multiple of 8. A segment that is used again keeps its old bytes: its new generation, which seeds every
checksum and is partly chance, tells them apart: a sender cannot put records of the next one into a file.

Record, little endian::

    0   u32  magic 0x314D5246 ("FRM1")
    4   u16  version (1)
    6   u16  kind: 1 instance (payload is a canonical Part-10 file), 2 spooled (payload is msgpack of Spooled), 3 note
    8   u64  generation of the segment
    16  u64  lsn
    24  u64  synced_to: every LSN up to here was known to be on disk when this record was written
    32  u64  stamp, microseconds, hybrid logical clock
    40  u32  context length (msgpack of model.Origin)
    44  u32  0
    48  u64  payload length
    56  16 B key: XXH3-128 of the payload (of the spooled file for kind 2), canonical byte order
    72  u64  checksum: XXH3-64 of bytes 0..71, seeded by the XXH3-64 of context and payload, seeded by the generation
    80  context, payload; the next record begins at the next multiple of 8 (bytes between mean nothing)

The *checkpoint* file (``node/checkpoint``) is msgpack, sealed (``sealed.py``), replaced by rename. It is durable before
a segment is used under the generation it names. ``voids`` are LSNs that no record will ever have: (last one of a run,
first one of the next).

The *promised* file (``node/promised``) is the highest LSN known to be acknowledged, u64, sealed, overwritten in place
and never synced: it may lag, or be torn (then it says nothing), never lead. It tells a last record that was
acknowledged and damaged from one that was torn while it was written.
"""

from contextlib import suppress
from typing import Final

import msgspec

from engine.errors import Corrupt
from engine.keep.sealed import seal, unseal

CHECKPOINT_VERSION: Final = 1


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """What ``node/checkpoint`` holds: objects up to ``lsn`` are durable; ``generation`` is the highest ever given."""

    version: int = CHECKPOINT_VERSION
    lsn: int = 0
    generation: int = 0
    segments: dict[int, int] = {}
    voids: tuple[tuple[int, int], ...] = ()


class Spooled(msgspec.Struct, frozen=True):
    """Payload of a record whose instance stands in a file of its own below ``node/spool``."""

    name: str
    length: int
    key: bytes


def encode_checkpoint(checkpoint: Checkpoint) -> bytes:
    return seal(msgspec.msgpack.encode(checkpoint))


def decode_checkpoint(data: bytes) -> Checkpoint:
    """Raises Corrupt for anything that is not a checkpoint of this version."""
    try:
        checkpoint = msgspec.msgpack.decode(unseal(data, "the intake's checkpoint file"), type=Checkpoint)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Corrupt("the intake's checkpoint file cannot be read") from error
    if checkpoint.version != CHECKPOINT_VERSION:
        raise Corrupt(
            f"the intake's checkpoint is of version {checkpoint.version}, this program reads {CHECKPOINT_VERSION}"
        )
    return checkpoint


def encode_promised(lsn: int) -> bytes:
    return seal(lsn.to_bytes(8, "little"))


def decode_promised(data: bytes | None) -> int:
    """0 where nothing, or nothing whole, stands: who wrote it may have been killed half-way."""
    with suppress(Corrupt):
        return int.from_bytes(unseal(data or b"", "the promise"), "little")
    return 0
