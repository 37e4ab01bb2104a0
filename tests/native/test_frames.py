"""Where frames stand: native and encapsulated, told by offset tables or fragments, and tables that lie (H36, H37).

The oracle is pydicom's own generator of frames, and what was put in.
"""

import random
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from struct import pack

import pydicom
import pytest
from pydicom.encaps import generate_frames

from native import dataset
from tests.native.real_files import REFUSED, files

JPEG = "1.2.840.10008.1.2.4.50"
EXPLICIT = "1.2.840.10008.1.2.1"
UIDS = b"".join(
    dataset.element(tag, "UI", value)
    for tag, value in ((0x00080016, b"1.2.3"), (0x00080018, b"1.2.4"), (0x0020000D, b"1.2.5"), (0x0020000E, b"1.2.6"))
)
ITEM = b"\xfe\xff\x00\xe0"
END = b"\xfe\xff\xdd\xe0\0\0\0\0"


def told_apart(packed: bytes) -> tuple[int, list[list[tuple[int, int]]]]:
    """The whole table, and the same frame by frame."""
    bits, table = dataset.frame_table(packed)
    assert dataset.frame_count(packed) == len(table)
    for number, spans in enumerate(table):
        assert dataset.frame_at(packed, number) == (bits, number * bits % 8, spans)
    with pytest.raises((IndexError, ValueError)):
        dataset.frame_at(packed, len(table))
    return bits, table


def item(value: bytes) -> bytes:
    return ITEM + pack("<I", len(value)) + value


def encapsulated(
    fragments: list[bytes],
    *,
    frames: bytes | None = None,
    basic: bytes = b"",
    offsets: bytes | None = None,
    lengths: bytes | None = None,
) -> bytes:
    """A canonical file."""
    body = UIDS
    if frames is not None:
        body += dataset.element(0x00280008, "IS", frames)
    for tag, value in ((0x7FE00001, offsets), (0x7FE00002, lengths)):
        if value is not None:
            body += pack("<HH", tag >> 16, tag & 0xFFFF) + b"OV\0\0" + pack("<I", len(value)) + value
    body += b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff" + item(basic) + b"".join(map(item, fragments)) + END
    return dataset.canonical_head("1.2.3", "1.2.4", JPEG) + body


def shown(file: bytes) -> list[list[bytes]]:
    """Spans of each frame, as bytes."""
    bits, table = told_apart(dataset.describe(file).frames)
    assert bits == 0
    return [[file[at : at + length] for at, length in spans] for spans in table]


def native(
    rows: int, columns: int, bits: int, pixels: bytes, *, samples: int = 1, frames: bytes = b"", ybr: bool = False
) -> bytes:
    body = UIDS + dataset.element(0x00280002, "US", pack("<H", samples))
    body += dataset.element(0x00280004, "CS", b"YBR_FULL_422" if ybr else b"MONOCHROME2")
    body += dataset.element(0x00280008, "IS", frames) if frames else b""
    for tag, number in ((0x00280010, rows), (0x00280011, columns), (0x00280100, bits)):
        body += dataset.element(tag, "US", pack("<H", number))
    body += b"\xe0\x7f\x10\x00OW\0\0" + pack("<I", len(pixels)) + pixels
    return dataset.canonical_head("1.2.3", "1.2.4", EXPLICIT) + body


def starts(fragments: list[bytes], firsts: list[int]) -> list[int]:
    return [sum(len(one) + 8 for one in fragments[:first]) for first in firsts]


FRAGMENTS = [bytes([65 + n]) * (2 * n + 2) for n in range(6)]
OFFSETS = starts(FRAGMENTS, [0, 1, 4])
THREE = [FRAGMENTS[:1], FRAGMENTS[1:4], FRAGMENTS[4:]]


def test_fragments_alone_tell_one_frame_each_or_one_frame() -> None:
    assert shown(encapsulated(FRAGMENTS, frames=b"6")) == [[one] for one in FRAGMENTS]
    assert shown(encapsulated(FRAGMENTS)) == [FRAGMENTS]
    assert shown(encapsulated(FRAGMENTS, frames=b"3")) == []
    assert shown(encapsulated([])) == []


def test_a_basic_offset_table_joins_fragments_without_their_item_headers() -> None:
    file = encapsulated(FRAGMENTS, frames=b"3", basic=pack("<3I", *OFFSETS))
    assert shown(file) == THREE
    encoded = pydicom.dcmread(BytesIO(file)).PixelData
    assert [b"".join(spans) for spans in shown(file)] == list(generate_frames(encoded, number_of_frames=3))


def test_an_extended_offset_table_is_used_with_its_lengths() -> None:
    fragments = [b"odd!", b"padded\0\0"[:7] + b"\0", b"even"]
    offsets, lengths = pack("<3Q", *starts(fragments, [0, 1, 2])), pack("<3Q", 4, 7, 4)
    assert shown(encapsulated(fragments, frames=b"3", offsets=offsets, lengths=lengths)) == [
        [b"odd!"],
        [b"padded\0"],
        [b"even"],
    ]


LYING_BASIC = {
    "outside": [0, 10, 1 << 31],
    "negative": [0, 10, 0xFFFFFFF6],
    "overlapping": [0, 10, 10],
    "backwards": [0, 42, 10],
    "between": [0, 11, 42],
    "late": [10, 24, 42],
    "short": [0, 10],
    "long": [0, 10, 24, 42],
}


@pytest.mark.parametrize("name", LYING_BASIC)
def test_h36_a_basic_offset_table_that_lies_is_not_believed(name: str) -> None:
    table = pack(f"<{len(LYING_BASIC[name])}I", *LYING_BASIC[name])
    assert shown(encapsulated(FRAGMENTS, frames=b"3", basic=table)) == []
    assert shown(encapsulated(FRAGMENTS[:3], frames=b"3", basic=table)) == [[one] for one in FRAGMENTS[:3]]
    assert shown(encapsulated(FRAGMENTS, frames=b"3", basic=pack("<3I", *OFFSETS) + b"\0")) == []


@pytest.mark.parametrize(
    ("offsets", "lengths"),
    [
        ([0, 10, 1 << 63], [2, 4, 6]),
        ([0, 10, (1 << 64) - 8], [2, 4, 6]),
        ([0, 10, 10], [2, 4, 6]),
        ([0, 10, 22], [2, 4, 1 << 63]),
        ([0, 10, 22], [2, 4, 7]),
        ([0, 10, 22], [2, 4, 4]),
        ([0, 10, 22], [2, 4]),
        ([0, 10], [2, 4, 6]),
        ([0, 10, 22], None),
    ],
)
def test_h36_an_extended_offset_table_that_lies_falls_back_to_the_fragments(
    offsets: list[int], lengths: list[int] | None
) -> None:
    packed = [None if one is None else pack(f"<{len(one)}Q", *one) for one in (offsets, lengths)]
    file = encapsulated(FRAGMENTS[:3], frames=b"3", offsets=packed[0], lengths=packed[1])
    assert shown(file) == [[one] for one in FRAGMENTS[:3]]


@pytest.mark.parametrize(
    "number", [b"2147483647", b"0", b"-1", b"1e9", b"1000001", b"99999999999999999999", b"1\\2", b" ", b"x", b"+", b"7"]
)
def test_h37_a_number_of_frames_that_lies_leaves_the_frames_unknown_and_the_store_kept(number: bytes) -> None:
    blank = not number.strip()
    assert shown(encapsulated(FRAGMENTS, frames=number)) == ([FRAGMENTS] if blank else [])
    assert shown(native(4, 4, 16, bytes(32), frames=number)) == ([[bytes(32)]] if blank else [])


def test_native_frames_of_bytes_and_of_bits() -> None:
    pixels = bytes(range(96))
    assert shown(native(4, 4, 16, pixels, frames=b"3")) == [[pixels[at : at + 32]] for at in (0, 32, 64)]
    assert shown(native(4, 4, 8, pixels, samples=3, frames=b"2 ")) == [[pixels[:48]], [pixels[48:]]]
    assert shown(native(4, 4, 8, pixels, samples=3, frames=b"+3", ybr=True)) == [
        [pixels[at : at + 32]] for at in (0, 32, 64)
    ]
    file = native(3, 3, 1, b"\xab\xcd\xef\x01", frames=b"3")
    bits, table = told_apart(dataset.describe(file).frames)
    assert bits == 9 and [file[at : at + length] for ((at, length),) in table] == [
        b"\xab\xcd",
        b"\xcd\xef",
        b"\xef\x01",
    ]


@pytest.mark.parametrize(("rows", "columns", "bits"), [(65535, 65535, 65535), (0, 4, 16), (4, 4, 0), (5, 4, 16)])
def test_h33_native_frames_that_do_not_fit_are_unknown(rows: int, columns: int, bits: int) -> None:
    assert dataset.describe(native(rows, columns, bits, bytes(32))).frames == b""
    assert dataset.describe(native(rows, columns, bits, bytes(32), samples=65535, frames=b"999999")).frames == b""


def test_every_cut_of_a_table_and_garbage_never_lead_outside() -> None:
    chance = random.Random(36)
    whole = encapsulated(
        FRAGMENTS,
        frames=b"6",
        basic=pack("<6I", *starts(FRAGMENTS, list(range(6)))),
        offsets=pack("<6Q", *starts(FRAGMENTS, list(range(6)))),
        lengths=pack("<6Q", *map(len, FRAGMENTS)),
    )
    begin = whole.index(b"\x28\x00\x08\x00")
    for _ in range(3000):
        mutated = bytearray(whole)
        for _ in range(chance.randrange(1, 4)):
            mutated[chance.randrange(begin, len(whole))] = chance.randrange(256)
        try:
            found = dataset.describe(bytes(mutated))
        except dataset.Malformed:
            continue
        spans = [span for frame in dataset.frame_table(found.frames)[1] for span in frame]
        assert all(len(UIDS) < at and at + length <= len(whole) for at, length in spans)
        assert all(one[0] + one[1] <= other[0] for one, other in pairwise(spans))


@pytest.mark.parametrize("file", [encapsulated(FRAGMENTS, frames=b"6"), native(4, 4, 16, bytes(32))])
def test_every_cut_of_a_packed_table_is_refused(file: bytes) -> None:
    packed = dataset.describe(file).frames
    for end in range(1, len(packed)):
        with pytest.raises(ValueError, match="cut"):
            dataset.frame_table(packed[:end])


def test_a_table_of_another_form_is_refused() -> None:
    assert dataset.frame_table(b"") == (0, [])
    for head in (b"\2\1", b"\1\3", b"\1\x09"):
        with pytest.raises(ValueError, match="form"):
            dataset.frame_table(head + bytes(22))


@pytest.mark.parametrize("path", [path for path in files() if path.name not in REFUSED], ids=lambda path: path.name)
def test_frames_of_real_files_are_those_of_pydicom(path: Path) -> None:
    data = path.read_bytes()
    head, offset, _ = dataset.canonical(data)
    file = head + data[offset:]
    bits, table = told_apart(dataset.describe(file).frames)
    try:
        theirs = pydicom.dcmread(BytesIO(file))
        pixels, count = theirs.PixelData, int(theirs.get("NumberOfFrames") or 1)
    except (AttributeError, ValueError):
        assert table == [] or "PixelData" not in theirs
        return
    ours = [b"".join(file[at : at + length] for at, length in spans) for spans in table]
    if theirs.file_meta.TransferSyntaxUID.is_deflated or not ours:
        return
    if theirs.file_meta.TransferSyntaxUID.is_compressed:
        assert ours == list(generate_frames(pixels, number_of_frames=count))
    elif not bits:
        assert len(ours) == count and b"".join(ours) == pixels[: sum(map(len, ours))]
