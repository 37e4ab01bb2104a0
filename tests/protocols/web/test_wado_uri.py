"""WADO-URI over a real socket (C42, O13): objects, and images of them."""

from io import BytesIO

import pydicom
import pytest
from PIL import Image
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian, JPEGBaseline8Bit

from tests.protocols.web.answers import with_pixels
from tests.protocols.web.serving import Served, serving
from tests.protocols.web.studies import ROOT, file_of, instance

UID = f"{ROOT}.1.1.2"
NAMED = f"studyUID={ROOT}.1&seriesUID={ROOT}.1.1&objectUID={UID}"
EXPLICIT = "1.2.840.10008.1.2.1"


def jpeg() -> bytes:
    made = instance(1, 1, 3, Rows=None, Columns=None)
    return file_of(made, JPEGBaseline8Bit)


FILES = (
    file_of(instance(1, 1, 1)), file_of(instance(1, 1, 2)), jpeg(),
    file_of(instance(2), ImplicitVRLittleEndian), file_of(instance(3, SOPInstanceUID=UID, StudyDescription="other")),
)  # fmt: skip


async def read(served: Served, query: str, root: str = "/wado", **headers: str) -> pydicom.Dataset:
    answer = await served.client.get(f"http://127.0.0.1:{served.port}{root}?{query}", headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("application/dicom")
    assert "multipart" not in answer.headers["content-type"]
    return pydicom.dcmread(BytesIO(answer.content))


def test_c42_o13_the_query_decides_and_not_the_header() -> None:
    async def check(served: Served) -> None:
        for root in ("/wado", "/dicomweb/wado"):
            for accept in ("", "*/*", 'multipart/related; type="image/jpeg"; transfer-syntax=1.2.840.10008.1.2.4.50'):
                query = f"requestType=WADO&{NAMED}&contentType=application%2Fdicom&transferSyntax=*"
                found = await read(served, query, root, Accept=accept)
                assert (found.SOPInstanceUID, found.StudyInstanceUID) == (UID, f"{ROOT}.1")

    serving(check, *FILES)


def test_c42_transfer_syntaxes() -> None:
    async def check(served: Served) -> None:
        for uid, syntax, expected in (
            (f"{ROOT}.1.1.3", "*", JPEGBaseline8Bit),
            (f"{ROOT}.1.1.1", "", EXPLICIT),
            (f"{ROOT}.1.1.1", EXPLICIT, EXPLICIT),
            (f"{ROOT}.2.1.1", "*", EXPLICIT),
            (f"{ROOT}.2.1.1", "", EXPLICIT),
        ):
            asked = f"&transferSyntax={syntax}" if syntax else ""
            found = await read(served, f"requestType=WADO&objectUID={uid}&contentType=application/dicom{asked}")
            assert (found.SOPInstanceUID, found.file_meta.TransferSyntaxUID) == (uid, expected)
        url = f"http://127.0.0.1:{served.port}/wado?requestType=WADO&objectUID={UID}"
        for unknown in (ExplicitVRBigEndian, "1.2.3.4"):
            assert (await served.client.get(f"{url}&transferSyntax={unknown}")).status_code == 406

    serving(check, *FILES)


def test_c42_the_object_uid_is_enough_and_others_choose_among_several() -> None:
    async def check(served: Served) -> None:
        assert (await read(served, f"requestType=WADO&objectUID={ROOT}.1.1.1")).SOPInstanceUID == f"{ROOT}.1.1.1"
        for study in (1, 3):
            found = await read(served, f"requestType=WADO&studyUID={ROOT}.{study}&objectUID={UID}")
            assert found.StudyInstanceUID == f"{ROOT}.{study}"

    serving(check, *FILES)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 400),
        (NAMED, 400),
        (f"requestType=XYZ&{NAMED}", 400),
        ("requestType=WADO", 400),
        (f"requestType=WADO&studyUID={ROOT}.1", 400),
        ("requestType=WADO&objectUID=*", 400),
        (f"requestType=WADO&objectUID={UID}%5C{ROOT}.1.1.1", 400),
        (f"requestType=WADO&objectUID={UID}&objectUID={UID}", 400),
        ("requestType=WADO&objectUID=9.9", 404),
        (f"requestType=WADO&studyUID=9.9&objectUID={UID}", 404),
        (f"requestType=WADO&{NAMED}&anonymize=yes", 400),
        (f"requestType=WADO&{NAMED}&transferSyntax=../..", 400),
        (f"requestType=WADO&{NAMED}&contentType=image/gif", 406),
        (f"requestType=WADO&{NAMED}&contentType=image/jpeg", 404),  # it has no pixels
        (f"requestType=WADO&{NAMED}&contentType=image/jpeg&rows=0", 400),
        (f"requestType=WADO&{NAMED}&contentType=image/jpeg&rows=a", 400),
        (f"requestType=WADO&{NAMED}&contentType=image/jpeg&windowCenter=5", 400),
        (f"requestType=WADO&{NAMED}&contentType=image/jpeg&imageQuality=101", 400),
        (f"requestType=WADO&{NAMED}&contentType=image/jpeg&frameNumber=1,2", 400),
        (f"requestType=WADO&{NAMED}&contentType=image/jpeg&frameNumber=0", 400),
        (f"requestType=WADO&{NAMED}&contentType=nonsense", 406),
    ],
)
def test_c42_what_is_no_request_is_refused(query: str, status: int) -> None:
    async def check(served: Served) -> None:
        answer = await served.client.get(f"http://127.0.0.1:{served.port}/wado?{query}")
        assert answer.status_code == status, answer.text
        assert answer.json()["detail"] and "nonsense" not in answer.text

    serving(check, *FILES)


def test_c42_images_of_the_size_the_window_and_the_frame_asked() -> None:
    ramp = bytes(range(0, 200, 2)) + bytes(range(200, 100, -1))
    made = with_pixels(instance(4), ramp, rows=10, columns=10, bits=8, NumberOfFrames=2)

    async def check(served: Served) -> None:
        async def image(query: str, kind: str = "png") -> Image.Image:
            url = f"http://127.0.0.1:{served.port}/wado?requestType=WADO&objectUID={made.SOPInstanceUID}"
            asked = {"Accept": "multipart/related; type=application/octet-stream"}
            answer = await served.client.get(f"{url}&contentType=image%2F{kind}{query}", headers=asked)
            assert answer.status_code == 200, answer.text
            assert answer.headers["content-type"] == f"image/{kind}"
            return Image.open(BytesIO(answer.content))

        assert (await image("", "jpeg")).size == (10, 10)
        assert (await image("&rows=5&columns=20", "jpeg")).size == (5, 5)
        assert (await image("&rows=30")).size == (30, 30)
        assert (await image("&columns=7&imageQuality=5", "jpeg")).size == (7, 7)
        assert list((await image("&frameNumber=2&windowCenter=150&windowWidth=1")).tobytes()) == [
            255 if value > 149 else 0 for value in range(200, 100, -1)
        ]
        first = list((await image("&frameNumber=1&windowCenter=100&windowWidth=200")).tobytes())
        assert first == sorted(first) and first[0] == 0

    serving(check, file_of(made))
