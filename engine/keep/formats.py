"""What is stored, byte by byte: form 1 of journal batches, of the writers stream, of ``format.json``.

(The intake's records and checkpoint are drawn in ``intake_format.py``, an instance's state in ``fold.py``.) A stored
number is never given another meaning; a new form gets a new number. Who reads an unknown form says so and changes
nothing.

**Journal batch** (``t/{tenant}/j/{writer}/{epoch}/{number}``), all numbers little endian::

    offset  bytes
    0       4      "FRJB"
    4       1      form: 1
    5       1      codec of the body: 0 as it is, 1 zlib (level 1)
    6       2      zero
    8       4      length of the head
    12      4      length of the body as stored
    16      4      length of the body unfolded
    20      4      zero
    24      8      XXH3-64 of all other bytes (offsets 0-23 and 32 to the end)
    32      -      head: a msgpack map
    -       -      body: a msgpack array of records, each [kind, map]

The head is never compressed, so that recovery reads it without the records. Its fields (absent = default):

    kind            "batch", or "sealed": the last of its epoch, without records
    tenant, writer, epoch, number    where it belongs: a batch that lies elsewhere is damage
    nonce           16 hex digits, drawn by the process that opened the epoch; in a seal: by the one that sealed it
    lsns            [[first, last], ...] of this writer that the batch carries, ascending
    lsn_max_before  highest LSN in all earlier batches of this writer, epochs before included
    stamp_max       highest stamp in this and all earlier batches of this writer
    low_water       every record that this epoch will still bring has a higher stamp (0: not said)
    written_us      microseconds since 1970 UTC on the writer's clock; for people, nothing depends on it

Record kinds: ``store`` (``model.StoreRecord``), ``act`` (``model.ActRecord``). Unknown kinds and unknown fields are
kept as the bytes they are, and survive a rewrite (``Batch.raw_records``).

**Writers stream entry** (``t/{tenant}/w/{number}``): the same frame with "FRWR", codec 0, no body. Head::

    kind            "open" or "sealed"
    tenant, number, writer, epoch
    nonce           of the epoch (open), of who sealed it (sealed)
    last            (sealed) number of the epoch's seal
    written_us      as above

**Entry of a shared table** (``shared_table.py``): the same frame with "FRTB". Head: ``number`` (its own, that ends its
key), ``floor`` (entries below it mean nothing any more), ``nonce`` (of the append that made it), ``written_us``.
Body: a msgpack array of rows, each [name, body or nil].

**format.json**: ``{"filmroom": 1}`` and what later versions add; 1 is the version of the layout in ``paths.py``.
"""

import struct
import zlib
from collections.abc import Sequence
from typing import Any, Final, Literal, TypeVar

import msgspec
import xxhash

from engine.errors import Corrupt, Invalid
from engine.limits import LIMITS
from engine.model import ActRecord, Record, StoreRecord

LAYOUT: Final = 1
FORM: Final = 1
NUMBERS_MAX: Final = (1 << 32) - 1

_BATCH: Final = b"FRJB"
_WRITERS: Final = b"FRWR"
_TABLE: Final = b"FRTB"
_FRAME: Final = struct.Struct("<4sBBHIIII")
_CHECKSUM: Final = struct.Struct("<Q")
_HEAD_OFFSET: Final = _FRAME.size + _CHECKSUM.size
_AS_IT_IS: Final = 0
_ZLIB: Final = 1
_ZLIB_LEVEL: Final = 1

Ranges = tuple[tuple[int, int], ...]


class BatchHead(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The head of a journal batch; see above."""

    kind: Literal["batch", "sealed"] = "batch"
    tenant: str
    writer: str
    epoch: int
    number: int
    nonce: str
    lsns: Ranges = ()
    lsn_max_before: int = 0
    stamp_max: int = 0
    low_water: int = 0
    written_us: int = 0

    @property
    def lsn_max(self) -> int:
        """Highest LSN in this and all earlier batches of the writer."""
        return max(self.lsn_max_before, self.lsns[-1][1] if self.lsns else 0)


class TableHead(msgspec.Struct, frozen=True, kw_only=True):
    """The head of an entry of a shared table; see above."""

    number: int
    floor: int
    nonce: str
    written_us: int = 0


Row = tuple[str, bytes | None]


class RawRecord(msgspec.Struct, frozen=True, array_like=True):
    """One record as stored: what this version does not know of it is kept."""

    kind: str
    body: msgspec.Raw


class Batch(msgspec.Struct, frozen=True):
    """A journal batch as read."""

    head: BatchHead
    raw_records: tuple[RawRecord, ...]

    @property
    def records(self) -> list[Record]:
        """The records of known kinds, in their order. Raises ``Corrupt`` when one of them is none."""
        try:
            return [decoder.decode(raw.body) for raw in self.raw_records if (decoder := _RECORDS.get(raw.kind))]
        except msgspec.MsgspecError as error:
            raise Corrupt(f"a record of {self.head.writer} cannot be read: {error}") from error


class WriterEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One entry of a tenant's writers stream; see above."""

    kind: Literal["open", "sealed"]
    tenant: str
    number: int
    writer: str
    epoch: int
    nonce: str
    last: int = 0
    written_us: int = 0


Head = TypeVar("Head", BatchHead, WriterEntry)

_ENCODER: Final = msgspec.msgpack.Encoder()
_RECORDS: Final[dict[str, msgspec.msgpack.Decoder[StoreRecord] | msgspec.msgpack.Decoder[ActRecord]]] = {
    "store": msgspec.msgpack.Decoder(StoreRecord),
    "act": msgspec.msgpack.Decoder(ActRecord),
}
_RECORDS_DECODER: Final = msgspec.msgpack.Decoder(tuple[RawRecord, ...])
_BATCH_HEAD: Final = msgspec.msgpack.Decoder(BatchHead)
_WRITER_HEAD: Final = msgspec.msgpack.Decoder(WriterEntry)
_TABLE_HEAD: Final = msgspec.msgpack.Decoder(TableHead)
_ROWS_DECODER: Final = msgspec.msgpack.Decoder(list[Row])


def raw_of(record: Record) -> RawRecord:
    """A record as a batch keeps it."""
    return RawRecord("store" if isinstance(record, StoreRecord) else "act", msgspec.Raw(_ENCODER.encode(record)))


def encode_batch(head: BatchHead, records: Sequence[RawRecord]) -> bytes:
    """A batch as it is stored."""
    return _frame_folded(_BATCH, _ENCODER.encode(head), _ENCODER.encode(records))


def decode_batch(data: bytes) -> Batch:
    """Raises ``Corrupt`` (not what was written), ``Invalid`` (written by a newer version)."""
    codec, head, stored, unfolded_bytes = _unframe(_BATCH, data)
    body = _unfold(codec, stored, unfolded_bytes)
    try:
        return Batch(_BATCH_HEAD.decode(head), _RECORDS_DECODER.decode(body))
    except msgspec.MsgspecError as error:
        raise Corrupt(f"a journal batch has a sound checksum, but not its fields: {error}") from error


def decode_batch_head(data: bytes) -> BatchHead:
    """The head alone; checks the whole batch's checksum. Raises as ``decode_batch``."""
    return _decode_head(_BATCH_HEAD, _unframe(_BATCH, data)[1])


def encode_writer_entry(entry: WriterEntry) -> bytes:
    """An entry of the writers stream as it is stored."""
    return _frame(_WRITERS, _AS_IT_IS, _ENCODER.encode(entry), b"", 0)


def decode_writer_entry(data: bytes) -> WriterEntry:
    """Raises as ``decode_batch``."""
    return _decode_head(_WRITER_HEAD, _unframe(_WRITERS, data)[1])


def encode_table_entry(head: TableHead, rows: Sequence[Row]) -> bytes:
    """An entry of a shared table as it is stored."""
    return _frame_folded(_TABLE, _ENCODER.encode(head), _ENCODER.encode(rows))


def decode_table_entry(data: bytes) -> tuple[TableHead, list[Row]]:
    """Raises as ``decode_batch``."""
    codec, head, stored, unfolded_bytes = _unframe(_TABLE, data)
    try:
        return _TABLE_HEAD.decode(head), _ROWS_DECODER.decode(_unfold(codec, stored, unfolded_bytes))
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Corrupt("an entry of a shared table has a sound checksum, but not its fields") from error


def encode_layout(fields: dict[str, Any] | None = None) -> bytes:
    """``format.json``; fields of later versions are carried."""
    return msgspec.json.encode({**(fields or {}), "filmroom": LAYOUT}) + b"\n"


def decode_layout(data: bytes) -> dict[str, Any]:
    """Raises ``Corrupt``, ``Invalid`` when the layout is newer than this version."""
    try:
        fields = msgspec.json.decode(data, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Corrupt("format.json cannot be read: is this an archive of Filmroom?") from error
    layout = fields.get("filmroom")
    if not isinstance(layout, int) or isinstance(layout, bool) or layout < 1:
        raise Corrupt("format.json does not name a version: is this an archive of Filmroom?")
    if layout > LAYOUT:
        raise Invalid(f"the archive has layout {layout}, this version knows {LAYOUT}: use a newer Filmroom")
    return fields


def ranges(numbers: Sequence[int]) -> Ranges:
    """The numbers as ascending, closed ranges."""
    found: list[tuple[int, int]] = []
    for number in sorted(set(numbers)):
        if found and found[-1][1] + 1 == number:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return tuple(found)


def _frame_folded(magic: bytes, head: bytes, body: bytes) -> bytes:
    folded = zlib.compress(body, _ZLIB_LEVEL)
    codec, stored = (_ZLIB, folded) if len(folded) < len(body) else (_AS_IT_IS, body)
    return _frame(magic, codec, head, stored, len(body))


def _frame(magic: bytes, codec: int, head: bytes, stored: bytes, unfolded_bytes: int) -> bytes:
    if max(len(head), len(stored), unfolded_bytes) > NUMBERS_MAX:
        raise Invalid("a journal batch above 4 GiB cannot be written")
    start = _FRAME.pack(magic, FORM, codec, 0, len(head), len(stored), unfolded_bytes, 0)
    return b"".join((start, _CHECKSUM.pack(_checksum(start, head, stored)), head, stored))


def _unframe(magic: bytes, data: bytes) -> tuple[int, bytes, bytes, int]:
    """Codec, head, body as stored, bytes of the body unfolded."""
    if len(data) < _HEAD_OFFSET or data[:4] != magic:
        raise Corrupt("this is no entry of a journal stream")
    _, form, codec, zero, head_bytes, stored_bytes, unfolded_bytes, zeros = _FRAME.unpack_from(data)
    if form > FORM:
        raise Invalid(f"a journal entry has form {form}, this version knows {FORM}: use a newer Filmroom")
    head_end = _HEAD_OFFSET + head_bytes
    if len(data) != head_end + stored_bytes or form < 1 or zero or zeros:
        raise Corrupt("a journal entry is cut short, or longer than it says")
    head, stored = data[_HEAD_OFFSET:head_end], data[head_end:]
    if _CHECKSUM.unpack_from(data, _FRAME.size)[0] != _checksum(data[: _FRAME.size], head, stored):
        raise Corrupt("a journal entry does not match its checksum")
    return codec, head, stored, unfolded_bytes


def _unfold(codec: int, stored: bytes, unfolded_bytes: int) -> bytes:
    if codec == _AS_IT_IS:
        return stored
    if codec != _ZLIB:
        raise Invalid(f"a journal batch is compressed in an unknown way ({codec}): use a newer Filmroom")
    if unfolded_bytes > LIMITS.batch_unfolded_bytes_max:
        raise Corrupt("a journal batch says that it unfolds to more than any batch may")
    unfolder = zlib.decompressobj()
    try:
        body = unfolder.decompress(stored, unfolded_bytes + 1)
    except zlib.error as error:
        raise Corrupt("a journal batch cannot be unfolded") from error
    if len(body) != unfolded_bytes or not unfolder.eof or unfolder.unused_data:
        raise Corrupt("a journal batch does not unfold to what it says")
    return body


def _decode_head(decoder: "msgspec.msgpack.Decoder[Head]", head: bytes) -> Head:
    try:
        return decoder.decode(head)
    except msgspec.MsgspecError as error:
        raise Corrupt(f"a journal entry has a sound checksum, but not its fields: {error}") from error


def _checksum(start: bytes, head: bytes, stored: bytes) -> int:
    digest = xxhash.xxh3_64(start)
    digest.update(head)
    digest.update(stored)
    return digest.intdigest()
