"""Form 1 of everything in formats.py: round trip, garbage, every cut, and what later versions add."""

import itertools
import zlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import Corrupt, FilmroomError, Invalid
from engine.keep import formats
from engine.keep.formats import BatchHead, RawRecord, WriterEntry

from .records import record

HEAD = BatchHead(
    tenant="default",
    writer="w1",
    epoch=3,
    number=7,
    nonce="00000000000000aa",
    lsns=((5, 6), (9, 9)),
    lsn_max_before=4,
    stamp_max=99,
)
ENTRY = WriterEntry(kind="sealed", tenant="default", number=4, writer="w1", epoch=3, nonce="bb", last=9)
RECORDS = [record(5, content=1), record(6, content=2), record(9, content=3, preamble=b"II*\0")]
BATCH = formats.encode_batch(HEAD, [formats.raw_of(one) for one in RECORDS])


def test_a_batch_round_trips() -> None:
    batch = formats.decode_batch(BATCH)
    assert batch.head == HEAD
    assert batch.records == RECORDS
    assert formats.decode_batch_head(BATCH) == HEAD
    assert formats.encode_batch(batch.head, batch.raw_records) == BATCH
    assert HEAD.lsn_max == 9


@given(st.lists(st.tuples(st.text(max_size=5), st.dictionaries(st.text(max_size=3), st.binary(max_size=50)))))
def test_any_records_round_trip(given_records: list[tuple[str, dict[str, bytes]]]) -> None:
    raw = tuple(RawRecord(kind, msgspec.Raw(msgspec.msgpack.encode(body))) for kind, body in given_records)
    batch = formats.decode_batch(formats.encode_batch(HEAD, raw))
    assert [(one.kind, msgspec.msgpack.decode(one.body)) for one in batch.raw_records] == given_records


def test_the_bytes_are_frozen() -> None:
    """What form 1 wrote once must be read for ever: never change this test, add another."""
    seal = BatchHead(kind="sealed", tenant="default", writer="w1", epoch=1, number=2, nonce="00000000000000aa")
    stored = bytes.fromhex(
        "46524a42010000004c00000001000000010000000000000058e340aae5cc18f9"
        "86a46b696e64a67365616c6564a674656e616e74a764656661756c74a6777269746572a27731"
        "a565706f636801a66e756d62657202a56e6f6e6365b03030303030303030303030303030616190"
    )
    assert formats.encode_batch(seal, []) == stored
    assert formats.decode_batch(stored).head == seal


def test_every_cut_is_corrupt() -> None:
    for end in range(len(BATCH)):
        with pytest.raises(Corrupt):
            formats.decode_batch(BATCH[:end])
    with pytest.raises(Corrupt):
        formats.decode_batch(BATCH + b"\0")
    entry = formats.encode_writer_entry(ENTRY)
    for end in range(len(entry)):
        with pytest.raises(Corrupt):
            formats.decode_writer_entry(entry[:end])


def test_every_changed_bit_is_noticed() -> None:
    entry = formats.encode_writer_entry(ENTRY)
    for data, decode in ((BATCH, formats.decode_batch), (entry, formats.decode_writer_entry)):
        for at in range(len(data)):
            for bit in (1, 0x80):
                changed = bytearray(data)
                changed[at] ^= bit
                with pytest.raises((Corrupt, Invalid)):
                    decode(bytes(changed))


@given(st.binary(max_size=200))
def test_garbage_is_refused(garbage: bytes) -> None:
    for data in (garbage, BATCH[:4] + garbage, BATCH[:32] + garbage):
        for decode in (formats.decode_batch, formats.decode_batch_head, formats.decode_writer_entry):
            with pytest.raises(FilmroomError):
                decode(data)


def reframed(codec: int, head: bytes, stored: bytes, unfolded_bytes: int) -> bytes:
    return formats._frame(b"FRJB", codec, head, stored, unfolded_bytes)


def test_a_body_that_does_not_unfold_to_what_it_says_is_corrupt() -> None:
    head = msgspec.msgpack.encode(HEAD)
    body = msgspec.msgpack.encode([])
    for stored, size in (
        (zlib.compress(b"\0" * 10_000_000), 100),
        (zlib.compress(body), 2),
        (zlib.compress(body)[:-1], 1),
        (zlib.compress(body) + b"x", 1),
        (b"no zlib", 1),
        (zlib.compress(body), formats.LIMITS.batch_unfolded_bytes_max + 1),
    ):
        with pytest.raises(Corrupt):
            formats.decode_batch(reframed(1, head, stored, size))
    with pytest.raises(Invalid):
        formats.decode_batch(reframed(9, head, body, 1))
    with pytest.raises(Corrupt):
        formats.decode_batch(reframed(0, head, b"\x01", 1))
    with pytest.raises(Corrupt):
        formats.decode_batch(reframed(0, b"\x80", body, 1))


def test_a_newer_form_is_not_guessed_at() -> None:
    newer = bytearray(BATCH)
    newer[4] = 2
    with pytest.raises(Invalid, match="newer"):
        formats.decode_batch(bytes(newer))


def test_what_this_version_does_not_know_survives_a_rewrite() -> None:
    known = msgspec.msgpack.decode(msgspec.msgpack.encode(RECORDS[0]))
    later = [
        RawRecord("store", msgspec.Raw(msgspec.msgpack.encode({**known, "later": [1, 2]}))),
        RawRecord("annotate", msgspec.Raw(msgspec.msgpack.encode({"x": b"y"}))),
    ]
    batch = formats.decode_batch(formats.encode_batch(HEAD, later))
    assert batch.records == [RECORDS[0]]
    again = formats.decode_batch(formats.encode_batch(HEAD, batch.raw_records))
    assert [bytes(one.body) for one in again.raw_records] == [bytes(one.body) for one in later]
    assert [one.kind for one in again.raw_records] == ["store", "annotate"]


def test_a_store_record_that_is_none_is_corrupt() -> None:
    raw = [RawRecord("store", msgspec.Raw(msgspec.msgpack.encode({"lsn": "x"})))]
    with pytest.raises(Corrupt):
        _ = formats.decode_batch(formats.encode_batch(HEAD, raw)).records


def test_writers_entries_round_trip() -> None:
    for kind in ("open", "sealed"):
        entry = msgspec.structs.replace(ENTRY, kind=kind)
        assert formats.decode_writer_entry(formats.encode_writer_entry(entry)) == entry
    with pytest.raises(Corrupt):
        formats.decode_writer_entry(BATCH)


def test_the_layout_is_checked_and_carried() -> None:
    assert formats.decode_layout(formats.encode_layout()) == {"filmroom": 1}
    carried = formats.decode_layout(b'{"filmroom": 1, "later": {"a": [1]}}')
    assert formats.decode_layout(formats.encode_layout(carried)) == carried
    with pytest.raises(Invalid, match="newer"):
        formats.decode_layout(b'{"filmroom": 2}')
    for damaged in (b"", b"{", b"[]", b"{}", b'{"filmroom": "1"}', b'{"filmroom": true}', b'{"filmroom": 0}', b"\xff"):
        with pytest.raises(Corrupt):
            formats.decode_layout(damaged)


@given(st.lists(st.integers(1, 40)))
def test_ranges_hold_exactly_the_numbers(numbers: list[int]) -> None:
    found = formats.ranges(numbers)
    assert [n for first, last in found for n in range(first, last + 1)] == sorted(set(numbers))
    assert all(a[1] + 1 < b[0] for a, b in itertools.pairwise(found))
