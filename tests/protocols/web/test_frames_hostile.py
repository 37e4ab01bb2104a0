"""Frames, images and objects of data sets that lie, over a real socket (H35, H36, H38): told apart or refused, never a
5xx, and never another's bytes."""

import random
import struct

import httpx
import pydicom
import pytest
import trio
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate

from tests.filmroom.test_odd_objects import mutated
from tests.protocols.web.answers import parts, path_of, with_pixels
from tests.protocols.web.serving import Served, serving
from tests.protocols.web.studies import file_of, instance

ANY = "multipart/related; type=application/octet-stream; transfer-syntax=*"
JPEG, J2K, RLE = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.5"
PICTURES = [b"\xff\xd8\xff\xdb" + bytes([number]) * 60 + b"\xff\xd9" for number in range(3)]
ITEM = 8 + 66  # the item of one picture
CALL_SECONDS_MAX = 15


def enclosed(made: pydicom.Dataset, data: bytes) -> pydicom.Dataset:
    made.PixelData = data
    made["PixelData"].VR, made["PixelData"].is_undefined_length = "OB", True
    return made


def three(data: bytes) -> pydicom.Dataset:
    return enclosed(with_pixels(instance(1), b"", rows=4, columns=4, bits=8, NumberOfFrames=3), data)


def with_basic_table(*offsets: int) -> pydicom.Dataset:
    items = encapsulate(PICTURES, has_bot=False)[8:]
    table = struct.pack(f"<{len(offsets)}I", *offsets)
    return three(struct.pack("<HHI", 0xFFFE, 0xE000, len(table)) + table + items)


def with_extended_table(offsets: list[int], lengths: list[int]) -> pydicom.Dataset:
    made = three(encapsulate(PICTURES, has_bot=False))
    made.ExtendedOffsetTable = struct.pack(f"<{len(offsets)}Q", *offsets)
    made.ExtendedOffsetTableLengths = struct.pack(f"<{len(lengths)}Q", *lengths)
    return made


BASIC = {
    "sound": (0, ITEM, 2 * ITEM),
    "outside": (0, ITEM, 9_999),
    "far outside": (0, ITEM, 0xFFFFFFFE),
    "twice": (0, 0, 0),
    "backwards": (2 * ITEM, ITEM, 0),
    "inside an item": (0, 11, ITEM + 3),
    "too many": (0, ITEM, 2 * ITEM, 3 * ITEM, 4 * ITEM),
    "too few": (0, ITEM),
}
EXTENDED = {
    "sound": ([0, ITEM, 2 * ITEM], [66] * 3),
    "outside": ([0, ITEM, 1 << 40], [66] * 3),
    "negative": ([0, ITEM, (1 << 64) - ITEM], [66] * 3),
    "overlapping": ([0, ITEM, ITEM + 20], [66] * 3),
    "longer than the item": ([0, ITEM, 2 * ITEM], [66, 66, 1 << 63]),
    "over the next": ([0, ITEM, 2 * ITEM], [66 + ITEM] * 3),
    "of no length": ([0, ITEM, 2 * ITEM], [0] * 3),
    "too few": ([0], [66]),
}


@pytest.mark.parametrize(
    "made",
    [
        *(with_basic_table(*offsets) for offsets in BASIC.values()),
        *(with_extended_table(*each) for each in EXTENDED.values()),
    ],
    ids=[*(f"basic, {name}" for name in BASIC), *(f"extended, {name}" for name in EXTENDED)],
)  # fmt: skip
def test_h36_tables_that_lie_give_frames_of_the_fragments_or_4xx(made: pydicom.Dataset) -> None:
    async def check(served: Served) -> None:
        for number in (1, 2, 3):
            answer = await served.client.get(f"{path_of(made)}/frames/{number}", headers={"Accept": ANY})
            if answer.status_code == 200:
                ((_, data),) = parts(answer)
                assert data == PICTURES[number - 1], "frames are whole, and their own"
            else:
                assert 400 <= answer.status_code < 500
        for below in ("frames/1,2,3", "rendered", "thumbnail", "pixeldata", "frames/3/rendered"):
            answer = await served.client.get(f"{path_of(made)}/{below}", headers={"Accept": "*/*"})
            assert answer.status_code < 500, below
        whole = await served.client.get(path_of(made), headers={"Accept": "application/dicom; transfer-syntax=*"})
        assert whole.status_code == 200, "what is kept is given, whatever its tables say"

    serving(check, file_of(made, JPEG))


def jpeg_of(rows: int, columns: int) -> bytes:
    """A baseline picture that declares a size, and has nothing of it."""
    frame = b"\xff\xc0\0\x0b\x08" + struct.pack(">HH", rows, columns) + b"\1\1\x11\0"
    return b"\xff\xd8" + frame + b"\xff\xda\0\x08\1\1\0\0\x3f\0" + bytes(160)


BOMBS = [
    (JPEG, jpeg_of(65535, 65535)),
    (JPEG, jpeg_of(65500, 65500) + b"\xff\xd9"),
    (J2K, b"\xff\x4f\xff\x51\0\x29\0\0" + b"\0\0\xff\xff" * 2 + bytes(170)),
]


@pytest.mark.parametrize(("syntax", "picture"), BOMBS, ids=["JPEG", "JPEG, ended", "JPEG 2000"])
def test_h38_pictures_that_declare_what_is_not_there_are_4xx(syntax: str, picture: bytes) -> None:
    bomb = enclosed(with_pixels(instance(1), b"", rows=65535, columns=65535, bits=8), encapsulate([picture]))

    async def check(served: Served) -> None:
        with trio.fail_after(CALL_SECONDS_MAX):
            for below in ("rendered", "thumbnail", "frames/1"):
                answer = await served.client.get(f"{path_of(bomb)}/{below}")
                assert 400 <= answer.status_code < 500, below

    serving(check, file_of(bomb, syntax))


FILES = (
    "CT_small.dcm",
    "MR_small_RLE.dcm",
    "MR_small_jp2klossless.dcm",
    "SC_rgb_jpeg_dcmtk.dcm",
    "examples_palette.dcm",
)


def damaged(chance: random.Random, number: int) -> bytes:
    """A real file under a UID of its own, with bytes changed in its header or behind it, some cut out or doubled."""
    made = pydicom.dcmread(str(get_testdata_file(FILES[number % len(FILES)])))
    made.SOPInstanceUID = f"1.2.3.{1000 + number}"
    data = file_of(made, made.file_meta.TransferSyntaxUID)
    at = data.index(b"\xe0\x7f\x10\x00") if number % 2 else 400
    head, middle, tail = data[:at], bytearray(data[at : at + 600]), data[at + 600 :]
    if number % 3 == 0:
        return head + mutated(chance, middle) + tail
    for _ in range(chance.randint(1, 6)):
        middle[chance.randrange(len(middle))] = chance.randrange(256)
    return head + middle + tail


def test_h35_400_mutated_files_by_stow_and_whatever_is_asked_of_what_is_kept() -> None:
    seed = 3535
    print("seed", seed)
    chance = random.Random(seed)

    async def check(served: Served) -> None:
        statuses = []
        for number in range(400):
            sent = {"content": damaged(chance, number), "headers": {"Content-Type": "application/dicom"}}
            answer = await quick(served, "POST", "/studies", **sent)
            assert answer.status_code in (200, 202, 409), answer.text
            statuses.append(answer.status_code)
        found = (await served.client.get("/instances?limit=1000")).json()
        assert 100 < len(found) < 400 and 409 in statuses, "some are sound still, others not"
        for row in found:
            study, series, one = [row[tag]["Value"][0] for tag in ("0020000D", "0020000E", "00080018")]
            path = f"/studies/{study}/series/{series}/instances/{one}"
            for below in ("", "/metadata", "/frames/1", "/rendered", "/bulkdata/7FE00010"):
                answer = await quick(served, "GET", path + below)
                assert answer.status_code < 500, (path, below)

    serving(check, seconds=300)


async def quick(served: Served, method: str, path: str, **how: object) -> httpx.Response:
    with trio.fail_after(CALL_SECONDS_MAX):
        return await served.client.request(method, path, **how)  # type: ignore[arg-type]
