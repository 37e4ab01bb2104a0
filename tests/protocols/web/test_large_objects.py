"""Parts of large objects: found by what was noted when they came, and checked without reading the rest."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import httpx
import numpy
import pydicom
import pytest
import trio
from PIL import Image
from pydicom.encaps import encapsulate, encapsulate_extended

import engine
from engine.keep.content_digest import CHUNK_BYTES
from native.pixels import look
from protocols.web.wado import opened
from tests.protocols.web.answers import parts, path_of, with_pixels
from tests.protocols.web.serving import Served, serving_in
from tests.protocols.web.studies import file_of, instance
from tests.protocols.web.test_objects import in_folder, object_of

ANY = "multipart/related; type=application/octet-stream; transfer-syntax=*"
OCTETS = "application/octet-stream"
JPEG = "1.2.840.10008.1.2.4.50"
SIDE, COUNT = 512, 14  # frames of 262,144 bytes: 3.5 MiB
FRAMES = [bytes([number]) * (SIDE * SIDE) for number in range(1, COUNT + 1)]


def native() -> pydicom.Dataset:
    return with_pixels(instance(1), b"".join(FRAMES), rows=SIDE, columns=SIDE, bits=8, NumberOfFrames=COUNT)


def compressed(fragments_per_frame: int = 1) -> pydicom.Dataset:
    """Frames that only look compressed: nothing decodes them here."""
    made = with_pixels(instance(1), b"", rows=SIDE, columns=SIDE, bits=8, NumberOfFrames=COUNT)
    made.PixelData = encapsulate(FRAMES, fragments_per_frame=fragments_per_frame)
    made["PixelData"].is_undefined_length = True
    return made


async def damage(served: Served, folder: Path, made: pydicom.Dataset, places: list[int]) -> None:
    one = await served.archive.locate(made.StudyInstanceUID, made.SeriesInstanceUID, made.SOPInstanceUID)
    path = object_of(folder, one)
    content = bytearray(path.read_bytes())
    for at in places:
        content[at] ^= 1
    path.write_bytes(content)


async def refused(served: Served, path: str, accept: str) -> None:
    """Before anything was sent, or cut."""
    try:
        answer = await served.client.get(path, headers={"Accept": accept})
    except httpx.RemoteProtocolError:
        return
    assert answer.status_code == 500


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.1", JPEG])
def test_a_frame_is_one_checked_range_and_never_the_whole(
    tmp_path: Path, syntax: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = native() if syntax != JPEG else compressed(2)
    walks: list[int] = []
    monkeypatch.setattr(opened, "look", lambda *given: walks.append(1) or look(*given))

    async def check(served: Served) -> None:
        await damage(served, tmp_path, made, [2 * CHUNK_BYTES + 7])  # of the third of four chunks
        sound, touched = [], []
        for number in range(1, COUNT + 1):
            answer = await served.client.get(f"{path_of(made)}/frames/{number}", headers={"Accept": ANY})
            (sound if answer.status_code == 200 else touched).append(number)
            if answer.status_code == 200:
                assert parts(answer)[0][1] == FRAMES[number - 1]
        assert len(touched) in (4, 5) and touched == list(range(touched[0], touched[-1] + 1))
        assert not walks, "the offsets that were found when it came are at hand"
        await refused(served, f"{path_of(made)}/frames/1,{touched[0]}", ANY)
        await refused(served, f"{path_of(made)}/pixeldata", ANY)
        both = await served.client.get(f"{path_of(made)}/frames/1,{COUNT}", headers={"Accept": ANY})
        assert [data for _, data in parts(both)] == [FRAMES[0], FRAMES[-1]]

    trio.run(in_folder, tmp_path, check, file_of(made, syntax))


def test_bulk_data_renderings_and_transcoded_frames_are_checked_too(tmp_path: Path) -> None:
    made = native()

    async def check(served: Served) -> None:
        bulk = f"{path_of(made)}/bulkdata/7FE00010"
        whole = await served.client.get(bulk, headers={"Accept": OCTETS})
        assert whole.content == b"".join(FRAMES)
        await damage(served, tmp_path, made, [-5])

        async def asked(path: str, accept: str, **headers: str) -> httpx.Response:
            return await served.client.get(path, headers={"Accept": accept, **headers})

        first = await asked(bulk, OCTETS, Range="bytes=1000000-2500000")
        assert (first.status_code, first.content) == (206, b"".join(FRAMES)[1000000:2500001])
        assert (await asked(bulk, OCTETS, Range="bytes=-20")).status_code == 500
        await refused(served, bulk, OCTETS)
        await refused(served, bulk, f'multipart/related; type="{OCTETS}"')
        image = await asked(f"{path_of(made)}/frames/1/rendered", "image/png")
        assert numpy.asarray(Image.open(BytesIO(image.content))).max() == 1
        assert (await asked(f"{path_of(made)}/frames/{COUNT}/rendered", "image/png")).status_code == 500
        rle = 'multipart/related; type="image/dicom-rle"'
        assert (await asked(f"{path_of(made)}/frames/1", rle)).status_code == 200
        await refused(served, f"{path_of(made)}/frames/{COUNT}", rle)

    trio.run(in_folder, tmp_path, check, file_of(made))


@pytest.mark.parametrize("at", [200, 400])
def test_headers_are_checked_before_anything_is_made_of_them(tmp_path: Path, at: int) -> None:
    made = native()

    async def check(served: Served) -> None:
        await damage(served, tmp_path, made, [at])
        for path, accept in (
            (f"frames/{COUNT}", ANY),
            ("bulkdata/7FE00010", OCTETS),
            (f"frames/{COUNT}/rendered", "image/png"),
            ("thumbnail", "image/png"),
        ):
            await refused(served, f"{path_of(made)}/{path}", accept)

    trio.run(in_folder, tmp_path, check, file_of(made))


def extended(made: pydicom.Dataset) -> None:
    made.PixelData, offsets, lengths = encapsulate_extended(FRAMES)
    made.ExtendedOffsetTable, made.ExtendedOffsetTableLengths = offsets, lengths
    made["PixelData"].is_undefined_length = True


def untabled(made: pydicom.Dataset) -> None:
    made.PixelData = encapsulate(FRAMES, has_bot=False)
    made["PixelData"].is_undefined_length = True


@pytest.mark.parametrize("form", [extended, untabled])
def test_where_frames_stand_outlives_restart_and_reindex(
    tmp_path: Path, form: Callable[[pydicom.Dataset], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = compressed()
    form(made)
    walks: list[int] = []
    monkeypatch.setattr(opened, "look", lambda *given: walks.append(1) or look(*given))

    async def check(served: Served) -> None:
        answer = await served.client.get(f"{path_of(made)}/frames/{COUNT},2", headers={"Accept": ANY})
        assert [data for _, data in parts(answer)] == [FRAMES[-1], FRAMES[1]]

    async def main() -> None:
        with trio.fail_after(120):
            async with engine.open(str(tmp_path)) as archive:
                await archive.store(file_of(made, JPEG))
                await serving_in(check, archive)  # from the intake
            async with engine.open(str(tmp_path)) as archive:
                await serving_in(check, archive)
                await archive.store(file_of(made, JPEG))  # the same again
                await archive.reindex()
                await serving_in(check, archive)

    trio.run(main)
    assert not walks
