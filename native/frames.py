"""The frame table, form 1: where each frame of Pixel Data stands in the file (PS3.5 8.2, A.4).

Little endian::

    0  u8   1 (the form)
    1  u8   kind: 1 native frames of whole bytes, 2 native frames of bits, 3 encapsulated
    2  u16  0
    4  u32  number of frames
    8  kind 1: u64 offset of the first frame, u64 bytes a frame
       kind 2: u64 offset of the first frame, u64 bits a frame
       kind 3: for each frame u64 offset of its first fragment's item tag, u64 length to the end of its last fragment

A table is empty when the frames cannot be told apart without looking into their bytes.
"""

from collections.abc import Sequence
from itertools import pairwise
from struct import pack, unpack, unpack_from

FRAMES_MAX = 1_000_000
ITEM_HEAD_BYTES = 8


def pack_frames(
    number_of_frames: bytes,
    base: int,
    *,
    native: tuple[int, int] | None = None,
    frame_bits: int = 0,
    fragments: Sequence[tuple[int, int]] = (),
    basic: bytes = b"",
    extended: bytes = b"",
) -> bytes:
    """Make the table. ``base`` is added to every offset; fragments are (offset of item tag, length of value)."""
    count = _count(number_of_frames)
    if native is not None:
        return _native(count, base, native, frame_bits)
    starts = _starts(count, fragments, basic, extended)
    if not starts:
        return b""
    ends = [*starts[1:], len(fragments)]
    table = b"".join(
        _frame(base, fragments[first], fragments[last - 1]) for first, last in zip(starts, ends, strict=True)
    )
    return pack("<BBHI", 1, 3, 0, len(starts)) + table


def frame_table(frames: bytes) -> tuple[int, list[tuple[int, int]]]:
    """Unpack: (bits a frame when they fill no whole bytes, else 0; [(offset in the file, length)])."""
    if not frames:
        return 0, []
    form, kind, _, count = unpack_from("<BBHI", frames)
    if form != 1:
        raise ValueError(f"frame table of form {form}")
    if kind == 3:
        numbers = unpack_from(f"<{2 * count}Q", frames, 8)
        return 0, list(zip(numbers[::2], numbers[1::2], strict=True))
    first, size = unpack_from("<QQ", frames, 8)
    if kind == 1:
        return 0, [(first + n * size, size) for n in range(count)]
    return size, [(first + n * size // 8, ((n + 1) * size + 7) // 8 - n * size // 8) for n in range(count)]


def _count(text: bytes) -> int:
    """Number of Frames as written, 1 when absent, 0 when it is no sensible number: then no frame is told apart."""
    try:
        count = int(text.strip(b" \0") or b"1")
    except ValueError:
        return 0
    return count if 0 < count <= FRAMES_MAX else 0


def _native(count: int, base: int, place: tuple[int, int], frame_bits: int) -> bytes:
    at, length = place
    if not count or not frame_bits or count * frame_bits > length * 8:
        return b""
    kind, size = (2, frame_bits) if frame_bits % 8 else (1, frame_bits // 8)
    return pack("<BBHIQQ", 1, kind, 0, count, base + at, size)


def _frame(base: int, first: tuple[int, int], last: tuple[int, int]) -> bytes:
    return pack("<QQ", base + first[0], last[0] + ITEM_HEAD_BYTES + last[1] - first[0])


def _starts(count: int, fragments: Sequence[tuple[int, int]], basic: bytes, extended: bytes) -> list[int]:
    """Index of each frame's first fragment; empty when nothing sound says it."""
    if not fragments or not count:
        return []
    for table, width in ((extended, "Q"), (basic, "I")):
        size = 8 if width == "Q" else 4
        if table and len(table) % size == 0:
            starts = _from_offsets(unpack(f"<{len(table) // size}{width}", table), fragments)
            if len(starts) == count or (starts and width == "I" and count == 1):
                return starts
    if count == len(fragments):
        return list(range(count))
    return [0] if count == 1 else []


def _from_offsets(offsets: Sequence[int], fragments: Sequence[tuple[int, int]]) -> list[int]:
    """Offsets count from the first fragment's item tag; each must meet a fragment, later than the one before."""
    known = {at - fragments[0][0]: index for index, (at, _) in enumerate(fragments)}
    starts = [known.get(offset, -1) for offset in offsets]
    sound = bool(starts) and starts[0] == 0 and all(a < b for a, b in pairwise(starts))
    return starts if sound else []
