"""Images to look at over a real socket (C41, O11, O12, B03, H33, H34, H38, H39)."""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy
import pydicom
import pytest
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate
from pydicom.pixels import apply_modality_lut, apply_voi_lut, pixel_array

from tests.protocols.web.answers import parts, path_of, with_pixels
from tests.protocols.web.serving import Served, serving
from tests.protocols.web.studies import ROOT, file_of, instance

PDF, MP4, J2K = "1.2.840.10008.5.1.4.1.1.104.1", "1.2.840.10008.1.2.4.102", "1.2.840.10008.1.2.4.90"


WRONG = (
    *(f"viewport={one}" for one in ("0,1", "a", "1,2,3", "99999,1", "nan,1", "1,1,-1,0,1,1")),
    *(f"window={one}" for one in ("1", "1,0", "1,2,cubic", "1,2,3,4", ",", "1e999,1")),
    *(f"quality={one}" for one in ("0", "101", "x")),
)


def image(data: bytes) -> numpy.ndarray:
    return numpy.asarray(Image.open(BytesIO(data)))


def file(name: str) -> Path:
    return Path(str(get_testdata_file(name)))


def linear(values: numpy.ndarray, center: float, width: float) -> numpy.ndarray:
    """PS3.3 C.11.2.1.2.1, as it stands there."""
    grey = numpy.zeros(values.shape)
    for at, x in numpy.ndenumerate(values):
        if x <= center - 0.5 - (width - 1) / 2:
            grey[at] = 0
        elif x > center - 0.5 + (width - 1) / 2:
            grey[at] = 255
        else:
            grey[at] = ((x - (center - 0.5)) / (width - 1) + 0.5) * 255
    return grey


def near(got: numpy.ndarray, expected: numpy.ndarray) -> bool:
    """Within one grey level."""
    return got.shape == expected.shape and bool((abs(got.astype(float) - expected) <= 1.0).all())


def get_image(name: str, query: str, check_image: Any) -> None:
    original = pydicom.dcmread(file(name))

    async def check(served: Served) -> None:
        answer = await served.client.get(f"{path_of(original)}/rendered{query}", headers={"Accept": "image/png"})
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "image/png"
        check_image(image(answer.content), original)

    serving(check, file(name))


@pytest.mark.parametrize(("center", "width"), [(40, 400), (1024, 2000), (-500.5, 1), (100, 1.5)])
def test_c41_window_of_the_query(center: float, width: float) -> None:
    def right(got: numpy.ndarray, original: pydicom.Dataset) -> None:
        assert near(got, linear(apply_modality_lut(original.pixel_array, original), center, width))

    get_image("CT_small.dcm", f"?window={center},{width},linear", right)


@pytest.mark.parametrize("function", ["linear-exact", "sigmoid", "LINEAR_EXACT"])
def test_c41_functions_of_a_window(function: str) -> None:
    def right(got: numpy.ndarray, original: pydicom.Dataset) -> None:
        values = apply_modality_lut(original.pixel_array, original).astype(float)
        if function == "sigmoid":
            expected = 255 / (1 + numpy.exp(-4 * (values - 100) / 900))
        else:
            expected = numpy.clip((values - 100) / 900 + 0.5, 0, 1) * 255
        assert near(got, expected)

    get_image("CT_small.dcm", f"?window=100,900,{function}", right)


def test_c41_windows_and_tables_of_the_data_set() -> None:
    """MR with a window; VOI and modality tables (with which pydicom's 8 bits come from its own functions)."""

    def windowed(got: numpy.ndarray, original: pydicom.Dataset) -> None:
        center, width = float(original.WindowCenter), float(original.WindowWidth)
        assert near(got, linear(original.pixel_array.astype(float), center, width))

    get_image("MR_small.dcm", "", windowed)

    def looked_up(got: numpy.ndarray, original: pydicom.Dataset) -> None:
        values = apply_voi_lut(apply_modality_lut(original.pixel_array, original), original)
        bits = original.VOILUTSequence[0].LUTDescriptor[2]
        assert near(got, values * 255.0 / ((1 << bits) - 1))

    get_image("vlut_04.dcm", "", looked_up)


def test_c41_monochrome1_palette_ybr_and_planes() -> None:
    made = with_pixels(
        instance(1), bytes(range(64)), rows=8, columns=8, bits=8, PhotometricInterpretation="MONOCHROME1"
    )

    async def check(served: Served) -> None:
        answer = await served.client.get(f"{path_of(made)}/rendered", headers={"Accept": "image/png"})
        assert near(image(answer.content), 255 - numpy.arange(64).reshape(8, 8))

    serving(check, file_of(made))

    def palette(got: numpy.ndarray, original: pydicom.Dataset) -> None:
        expected = pydicom.pixels.apply_color_lut(original.pixel_array, original)
        assert near(got, expected if expected.dtype == numpy.uint8 else expected // 256)

    for name in ("examples_palette.dcm", "OBXXXX1A.dcm"):
        if "PALETTE" in pydicom.dcmread(file(name)).PhotometricInterpretation:
            get_image(name, "", palette)

    def colours(got: numpy.ndarray, original: pydicom.Dataset) -> None:
        assert near(got, pixel_array(original)), original.filename  # in RGB

    for name in ("SC_rgb.dcm", "SC_rgb_rle.dcm", "SC_ybr_full_uncompressed.dcm", "SC_rgb_gdcm_KY.dcm", "color-pl.dcm"):
        get_image(name, "", colours)


def test_c41_viewports_qualities_frames_and_thumbnails_at_every_level() -> None:
    original = pydicom.dcmread(file("emri_small_jpeg_2k_lossless.dcm"))
    study, path = f"/studies/{original.StudyInstanceUID}", path_of(original)

    async def check(served: Served) -> None:
        async def get(url: str, status: int = 200, accept: str = "*/*") -> Any:
            answer = await served.client.get(url, headers={"Accept": accept})
            assert answer.status_code == status, (url, answer.status_code)
            return answer

        assert image((await get(f"{path}/rendered?viewport=32,99")).content).shape == (32, 32)
        assert image((await get(f"{path}/rendered?viewport=130,130")).content).shape == (130, 130)
        assert image((await get(f"{path}/rendered?viewport=20,20,4,8,10,20")).content).shape == (20, 10)
        whole = image((await get(f"{path}/rendered", accept="image/png")).content)
        turned = image((await get(f"{path}/rendered?viewport=64,64,,,-64,64", accept="image/png")).content)
        assert (turned == whole[:, ::-1]).all()
        small, large = [len((await get(f"{path}/rendered?quality={one}")).content) for one in (5, 100)]
        assert small < large
        got = parts(await get(f"{path}/frames/3,1/rendered", accept='multipart/related; type="image/png"'))
        assert [headers["Content-Type"] for headers, _ in got] == ["image/png"] * 2
        assert (image(got[1][1]) == whole).all() and not (image(got[0][1]) == whole).all()
        series = f"{study}/series/{original.SeriesInstanceUID}"
        for level in (study, series, path, f"{path}/frames/2"):
            thumbnail = await get(f"{level}/thumbnail?accept=image/jpeg")  # O12
            assert thumbnail.headers["content-type"] == "image/jpeg" and max(image(thumbnail.content).shape) == 128
            assert image((await get(f"{level}/thumbnail?viewport=16,16")).content).shape == (16, 16)
            assert (await get(f"{level}/rendered?accept=image/jpeg")).headers["content-type"] == "image/jpeg"
        await get(f"{path}/frames/11/rendered", 404)
        await get(f"{path}/rendered", 406, "image/gif")
        for wrong in (
            "viewport=0,1",
            "viewport=a",
            "viewport=1,2,3",
            "viewport=99999,1",
            "viewport=nan,1",
            "quality=0",
        ):
            await get(f"{path}/rendered?{wrong}", 400)
        for wrong in (
            "window=1",
            "window=1,0",
            "window=1,2,cubic",
            "window=1,2,3,4",
            "window=,",
            "window=1e999,1",
            "quality=x",
        ):
            await get(f"{path}/rendered?{wrong}", 400)
        await get(f"{path}/rendered?viewport=10,10,900,0,5,5", 406)
        assert (await get(f"{path}/rendered?window=500,1000&viewport=50,50")).status_code == 200  # B03

    serving(check, file("emri_small_jpeg_2k_lossless.dcm"))


def test_o11_documents_and_videos_are_as_they_are_whatever_accept_says() -> None:
    document = instance(1, SOPClassUID=PDF, EncapsulatedDocument=b"%PDF-1.4 small\n\0", EncapsulatedDocumentLength=15)
    video = with_pixels(instance(2), b"", rows=4, columns=4, bits=8, NumberOfFrames=30)
    video.PixelData = encapsulate([b"\0\0\0\x20ftypmp42" + bytes(2_000_000)], has_bot=True)
    video["PixelData"].VR, video["PixelData"].is_undefined_length = "OB", True
    browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

    async def check(served: Served) -> None:
        for accept in (browser, "application/pdf", "image/jpeg"):
            answer = await served.client.get(f"{path_of(document)}/rendered", headers={"Accept": accept})
            assert (answer.status_code, answer.content) == (200, b"%PDF-1.4 small\n")
            assert answer.headers["content-type"] == "application/pdf"
        answer = await served.client.get(f"{path_of(video)}/rendered", headers={"Accept": browser})
        assert answer.headers["content-type"].startswith("video/mp4") and answer.content[4:12] == b"ftypmp42"
        ranged = await served.client.get(f"{path_of(video)}/rendered", headers={"Range": "bytes=4-11"})
        assert (ranged.status_code, ranged.content) == (206, b"ftypmp42")
        assert (await served.client.get(f"{path_of(video)}/frames/1")).status_code == 404
        for made in (document, video):  # no image of them is made: none is given for one
            assert (await served.client.get(f"{path_of(made)}/thumbnail")).status_code in (404, 406)

    serving(check, file_of(document), file_of(video, MP4))


def test_h33_h34_h38_h39_hostile_pictures_are_4xx() -> None:
    bomb = with_pixels(instance(1, 1, 1), b"", rows=65535, columns=65535, bits=16)
    bomb.PixelData = encapsulate([b"\xff\x4f\xff\x51\x00\x2f" + bytes(2) + b"\xff\xff\xff\xff" * 2 + bytes(150)])
    bomb["PixelData"].VR, bomb["PixelData"].is_undefined_length = "OB", True
    wide = with_pixels(instance(1, 1, 2), bytes(16), rows=4, columns=4, bits=8)
    del wide.Rows
    wide.add_new(0x00280010, "UL", 0xFFFFFFFF)
    palette = with_pixels(instance(1, 1, 3), bytes([0, 255, 7, 3] * 4), rows=4, columns=4, bits=8)
    palette.PhotometricInterpretation = "PALETTE COLOR"
    for colour in ("Red", "Green", "Blue"):
        setattr(palette, f"{colour}PaletteColorLookupTableDescriptor", [4, 0, 16])
        setattr(palette, f"{colour}PaletteColorLookupTableData", bytes(range(8)))
    runs = with_pixels(instance(1, 1, 4), b"", rows=4, columns=4, bits=8)
    runs.PixelData = encapsulate([b"\x0f\0\0\0" + b"\xff\xff\xff\x7f" * 15])
    runs["PixelData"].VR, runs["PixelData"].is_undefined_length = "OB", True
    short = with_pixels(instance(1, 1, 5), bytes(4), rows=400, columns=400, bits=8)

    async def check(served: Served) -> None:
        for made in (bomb, wide, runs, short):
            for path in ("rendered", "thumbnail", "frames/1"):
                answer = await served.client.get(f"{path_of(made)}/{path}")
                assert 400 <= answer.status_code < 500, path
        clamped = await served.client.get(f"{path_of(palette)}/rendered", headers={"Accept": "image/png"})
        assert image(clamped.content)[0].tolist() == [[1, 1, 1], [7, 7, 7], [7, 7, 7], [7, 7, 7]]  # H34
        assert (await served.client.get(f"/studies/{ROOT}.1/rendered")).status_code == 200  # what can be shown

    rle = "1.2.840.10008.1.2.5"
    serving(check, file_of(bomb, J2K), *map(file_of, (wide, palette, short)), file_of(runs, rle), seconds=90)
