"""Ranges of an object: what slicing gives, or nothing; whole chunks are checked before a byte is given."""

import random
from typing import Any

import pytest
import xxhash

from engine.errors import Corrupt
from engine.fetch import Fetched
from engine.keep.content_digest import CHUNK_BYTES, prove
from engine.model import Instance, Layout
from engine.ranged import Chunks, Ranged

SIZE = 3 * CHUNK_BYTES + 12_345
WHOLE = random.Random(1).randbytes(SIZE)


def fetched(content: bytes, whole: bytes = WHOLE, **more: Any) -> Fetched:
    facts = {
        "study_uid": "1",
        "series_uid": "1",
        "sop_instance_uid": "1",
        "sop_class_uid": "1",
        "transfer_syntax_uid": "1",
        "key": xxhash.xxh3_128_hexdigest(whole),
        "size_bytes": len(whole),
        "stamp": 1,
        "writer": "w",
        "lsn": 1,
        "blake3_root": prove([whole]).root,
    }
    return Fetched(Instance(**facts | more), content, 0)


LAYOUT = Layout(b"table", prove([WHOLE]).chunks)


def damaged(at: int) -> bytes:
    return WHOLE[:at] + bytes([WHOLE[at] ^ 1]) + WHOLE[at + 1 :]


@pytest.mark.parametrize("held_bytes_max", [0, CHUNK_BYTES, 32 << 20])
def test_every_range_is_what_slicing_gives(held_bytes_max: int) -> None:
    chance, ranged = random.Random(2), Ranged(fetched(WHOLE), LAYOUT, Chunks(held_bytes_max))
    assert ranged.frames == b"table"
    edges = [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES, SIZE - 1, SIZE]
    ranges = [(first, last) for first in edges for last in edges if first <= last]
    ranges += [tuple(sorted((chance.randint(0, SIZE), chance.randint(0, SIZE)))) for _ in range(50)]  # type: ignore[misc]
    for first, last in ranges:
        assert ranged.read(first, last - first) == WHOLE[first:last]
        assert ranged.read_at_once(first, last - first) in (None, WHOLE[first:last])
    for offset, length in ((SIZE, 1), (0, SIZE + 1), (-1, 1)):
        with pytest.raises(Corrupt):
            ranged.read(offset, length)


def test_a_range_is_refused_when_its_chunk_is_damaged_and_only_then() -> None:
    for at in (0, CHUNK_BYTES - 1, CHUNK_BYTES, 2 * CHUNK_BYTES + 5, SIZE - 1):
        ranged = Ranged(fetched(damaged(at)), LAYOUT, Chunks())
        for number in range(4):
            offset = number * CHUNK_BYTES + 100
            if number == at // CHUNK_BYTES:
                for ask in (ranged.read, ranged.check):
                    with pytest.raises(Corrupt):
                        ask(offset, 10)
                assert ranged.read_at_once(offset, 10) is None
            else:
                assert ranged.read(offset, 10) == WHOLE[offset : offset + 10]
    cut = Ranged(fetched(WHOLE[:-1]), LAYOUT, Chunks())
    with pytest.raises(Corrupt):
        cut.read(SIZE - 20, 10)


def test_chunks_that_nothing_proves_are_proven_by_the_whole() -> None:
    for layout in (None, Layout(b"", LAYOUT.chunks[:-1] + b"\0"), Layout(b"", b"")):
        assert Ranged(fetched(WHOLE), layout, Chunks()).read(5, 7) == WHOLE[5:12]
        with pytest.raises(Corrupt):
            Ranged(fetched(damaged(SIZE - 1)), layout, Chunks())
    assert Ranged(fetched(WHOLE, blake3_root=b""), LAYOUT, Chunks()).read(5, 7) == WHOLE[5:12]


def test_an_object_of_one_chunk_needs_no_layout() -> None:
    small = WHOLE[:1000]
    ranged = Ranged(fetched(small, small, frames=b"of the state"), None, Chunks())
    assert (ranged.read(990, 10), ranged.frames) == (small[990:], b"of the state")
    with pytest.raises(Corrupt):
        Ranged(fetched(damaged(10)[:1000], small), None, Chunks()).read(990, 10)


def test_what_is_held_is_bounded_and_the_least_used_goes() -> None:
    chunks = Chunks(2 * CHUNK_BYTES)
    ranged = Ranged(fetched(WHOLE), LAYOUT, chunks)
    for number in (0, 1, 0, 2):
        ranged.read(number * CHUNK_BYTES, 10)
    held = [ranged.read_at_once(number * CHUNK_BYTES, 10) is not None for number in range(3)]
    assert held == [True, False, True]
    ranged.read(0, SIZE)
    assert sum(map(len, chunks._held.values())) == chunks._held_bytes <= 2 * CHUNK_BYTES
