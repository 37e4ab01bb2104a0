"""The requests of the OHIF 3.13 viewer, as it sends them (O01-O16), over a real socket."""

import json
from pathlib import Path
from typing import Any

import httpx
import pydicom
import pytest
import trio
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.sequence import Sequence

from protocols.web import WebSettings
from tests.protocols.web.answers import parts, path_of, with_pixels
from tests.protocols.web.serving import Served, serving
from tests.protocols.web.studies import ARCHIVE, ROOT, file_of, instance, uids

DICOM_JSON = {"Accept": "application/dicom+json"}
ANY_FRAME = {"Accept": "multipart/related; type=application/octet-stream; transfer-syntax=*"}
QUOTED_FRAME = {"Accept": 'multipart/related; type="application/octet-stream"; transfer-syntax="*"'}
_J = "1.2.840.10008.1.2.4."
SLIDE_FRAME = {
    "Accept": ", ".join(
        f'multipart/related; type="{name}"; transfer-syntax={syntax}'
        for name, syntax in [
            ("image/jls", f"{_J}80"),
            ("image/jls", f"{_J}81"),
            ("image/jp2", f"{_J}90"),
            ("image/jp2", f"{_J}91"),
            ("image/jpx", f"{_J}92"),
            ("image/jpx", f"{_J}93"),
            ("application/octet-stream", "*"),
            ("image/jpeg", f"{_J}50"),
        ]
    )
}
NAVIGATION = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"}
LISTED = "limit=101&offset=0&fuzzymatching=true&includefield=00081030%2C00080060%2C00080090%2C00100030"
SERIES_FIELDS = "includefield=00080021%2C00080031%2C0008103E%2C00200011"
VIEWER = "https://viewer.example"
# What is stored, and the type and syntax that a frame of it has to say.
STORED = {
    "MR_small_jp2klossless.dcm": ("image/jp2", f"{_J}90"),
    "693_J2KI.dcm": ("image/jp2", f"{_J}91"),
    "MR_small_jpeg_ls_lossless.dcm": ("image/jls", f"{_J}80"),
    "MR_small_RLE.dcm": ("image/dicom-rle", "1.2.840.10008.1.2.5"),
    "SC_rgb_jpeg_gdcm.dcm": ("image/jpeg", f"{_J}70"),
    "SC_rgb_jpeg_dcmtk.dcm": ("image/jpeg", f"{_J}50"),
    "CT_small.dcm": ("application/octet-stream", "1.2.840.10008.1.2.1"),
    "MR_small_implicit.dcm": ("application/octet-stream", "1.2.840.10008.1.2.1"),
}


async def rows(served: Served, target: str) -> list[dict[str, Any]]:
    answer = await served.client.get(target, headers=DICOM_JSON)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/dicom+json"
    found: list[dict[str, Any]] = answer.json()
    return found


def test_o01_the_list_has_what_its_columns_show() -> None:
    async def check(served: Served) -> None:
        found = {row["0020000D"]["Value"][0]: row for row in await rows(served, f"/studies?{LISTED}")}
        assert len(found) == 5
        first = found[f"{ROOT}.1"]
        assert first["00081030"]["Value"] == ["Cine heart"] and sorted(first["00080061"]["Value"]) == ["CT", "MR"]
        assert (first["00201206"]["Value"], first["00201208"]["Value"]) == ([2], [3])
        assert first["00100010"]["Value"] == [{"Alphabetic": "山田^太郎", "Ideographic": "Yamada^Tarou"}]
        assert first["00080090"]["Value"] == [{"Alphabetic": "Referrer^Rita"}]
        assert first["00100030"]["Value"] == ["19700101"] and first["00080020"]["Value"] == ["20240215"]

    serving(check, *ARCHIVE)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ("PatientName=*yamada*", {1}),
        ("PatientName=*doe*", {3, 5}),
        ("00100020=*ANC001*", {1}),
        ("AccessionNumber=*ACC3*", {3}),
        ("StudyDescription=*Cine*", {1}),
        ("ModalitiesInStudy=CT,MR", {1, 2, 4, 5}),
        ("ModalitiesInStudy=CT%2CMR", {1, 2, 4, 5}),
        ("StudyDate=20240101-20240215", {1, 2}),
        ("StudyDate=19700102-20200301", {3}),
        ("StudyDate=20240101-20991231", {1, 2}),
        ("PatientName=*a*&StudyDate=20200101-20201231&ModalitiesInStudy=US", {3}),
    ],
)
def test_o02_filters_of_the_list(filters: str, expected: set[int]) -> None:
    async def check(served: Served) -> None:
        found = await rows(served, f"/studies?{LISTED}&{filters}")
        assert {int(uid.rpartition(".")[2]) for uid in uids(found)} == expected

    serving(check, *ARCHIVE)


def test_o03_o04_o05_a_study_is_opened_with_the_prior_ones_of_its_patient() -> None:
    prior = file_of(instance(8, PatientID="ANC001", StudyDate="20190101"))
    files = [
        *ARCHIVE[3:],
        prior,
        *(
            file_of(instance(1, number, PatientID="ANC001", SeriesTime="101600", Modality=name))
            for number, name in ((1, "CT"), (2, "MR"))
        ),
    ]

    async def check(served: Served) -> None:
        for _ in range(2):
            (study,) = await rows(served, f"/studies?{LISTED}&StudyInstanceUID={ROOT}.1")
            assert study["0020000D"]["Value"] == [f"{ROOT}.1"]
        assert set(uids(await rows(served, f"/studies?00100020=ANC001&{LISTED}"))) == {f"{ROOT}.1", f"{ROOT}.8"}
        found = await rows(served, f"/studies/{ROOT}.1/series?{SERIES_FIELDS}")
        assert uids(found, "0020000E") == [f"{ROOT}.1.1", f"{ROOT}.1.2"]
        for number, row in enumerate(found, 1):
            assert row["0008103E"]["Value"] == [f"Series {number}"] and row["00200011"]["Value"] == [number]
            assert row["00080021"]["Value"] == ["20240115"] and row["00080031"]["Value"] == ["101600"]
            assert row["00080060"]["Value"] == [["CT"], ["MR"]][number - 1]

    serving(check, *files)


def coloured() -> Dataset:
    """An image with palettes of 4 kB, a profile that is large, and an ECG beside it."""
    made = with_pixels(instance(1, 2, 1), bytes(64), rows=8, columns=8, bits=8)
    made.PhotometricInterpretation = "PALETTE COLOR"
    for colour in ("Red", "Green", "Blue"):
        setattr(made, f"{colour}PaletteColorLookupTableDescriptor", [2048, 0, 16])
        setattr(made, f"{colour}PaletteColorLookupTableData", bytes(4096))
    made.ICCProfile = b"acsp" * 10_000
    group = Dataset()
    group.WaveformBitsAllocated = 16
    group.add_new(0x54001010, "OW", bytes(range(256)) * 200)
    made.WaveformSequence = Sequence([group])
    return made


def test_o06_o10_metadata_of_all_series_at_once_and_the_values_that_it_links() -> None:
    made = coloured()
    others = [with_pixels(instance(1, 1, number), bytes(64), rows=8, columns=8, bits=8) for number in (2, 1)]

    async def check(served: Served) -> None:
        told: dict[int, list[dict[str, Any]]] = {}

        async def ask(number: int) -> None:
            told[number] = await rows(served, f"/studies/{ROOT}.1/series/{ROOT}.1.{number}/metadata")

        async with trio.open_nursery() as nursery:
            for number in (1, 2):
                nursery.start_soon(ask, number)
        assert [row["00200013"]["Value"] for row in told[1]] == [[1], [2]]
        (row,) = told[2]
        assert row["00083002"]["Value"] == ["1.2.840.10008.1.2.1"]
        for tag in ("00281201", "00281202", "00281203"):
            assert len(row[tag]["InlineBinary"]) > 5000
        ecg = row["54000100"]["Value"][0]["54001010"]["BulkDataURI"]
        answer = await served.client.get(ecg, headers={"Accept": "application/octet-stream"})
        assert (answer.status_code, answer.content) == (200, bytes(range(256)) * 200)
        profile = row["00282000"]["BulkDataURI"]
        for accept in ("multipart/related; type=application/octet-stream", 'multipart/related; type="*/*"'):  # B04
            (part,) = parts(await served.client.get(profile, headers={"Accept": accept}))
            assert part[1] == b"acsp" * 10_000
        assert (await served.client.get(profile, headers={"Accept": "*/*"})).content == b"acsp" * 10_000

    serving(check, *map(file_of, (made, *others)))


@pytest.mark.parametrize("name", STORED)
def test_o07_o08_c37_a_frame_leaves_as_it_is_stored_and_says_what_it_is(name: str) -> None:
    path = Path(str(get_testdata_file(name)))
    original = pydicom.dcmread(path)
    kind, syntax = STORED[name]
    whole = next(generate_frames(original.PixelData, number_of_frames=1)) if kind[0] == "i" else original.PixelData

    async def check(served: Served) -> None:
        for headers in (ANY_FRAME, QUOTED_FRAME, SLIDE_FRAME):
            answer = await served.client.get(f"{path_of(original)}/frames/1", headers=headers)
            ((said, data),) = parts(answer)
            assert said["Content-Type"] == f"{kind}; transfer-syntax={syntax}"
            assert data.rstrip(b"\0") == whole.rstrip(b"\0")
            assert int(answer.headers["content-length"]) == len(answer.content)
            assert f'type="{kind}"' in answer.headers["content-type"]

    serving(check, path)


def test_o07_125_frames_at_once() -> None:
    made = with_pixels(instance(1), bytes(range(125)) * 64, rows=8, columns=8, bits=8, NumberOfFrames=125)

    async def check(served: Served) -> None:
        got: dict[int, bytes] = {}

        async def ask(client: httpx.AsyncClient, number: int) -> None:
            ((_, got[number]),) = parts(await client.get(f"{path_of(made)}/frames/{number}", headers=ANY_FRAME))

        limits = httpx.Limits(max_connections=125)
        base = served.client.base_url
        async with (
            httpx.AsyncClient(base_url=base, limits=limits, trust_env=False, timeout=60) as client,
            trio.open_nursery() as nursery,
        ):
            for number in range(1, 126):
                nursery.start_soon(ask, client, number)
        assert b"".join(got[number] for number in range(1, 126)) == made.PixelData

    serving(check, file_of(made))


def test_o09_objects_whole() -> None:
    made = coloured()

    async def check(served: Served) -> None:
        answer = await served.client.get(
            path_of(made), headers={"Accept": 'multipart/related; type="application/dicom"'}
        )
        ((said, data),) = parts(answer)
        assert said["Content-Type"] == "application/dicom; transfer-syntax=1.2.840.10008.1.2.1"
        async for kept in served.archive.fetch(SOPInstanceUID=made.SOPInstanceUID):
            assert data == kept.file

    serving(check, file_of(made))


def documents() -> tuple[Dataset, Dataset]:
    pdf = instance(1, SOPClassUID="1.2.840.10008.5.1.4.1.1.104.1", EncapsulatedDocument=b"%PDF-1.4 small\n\0")
    pdf.EncapsulatedDocumentLength = 15
    video = with_pixels(instance(2), b"", rows=4, columns=4, bits=8, NumberOfFrames=30)
    video.PixelData = encapsulate([b"\0\0\0\x20ftypmp42" + bytes(2_000_000)], has_bot=True)
    video["PixelData"].VR, video["PixelData"].is_undefined_length = "OB", True
    return pdf, video


@pytest.mark.parametrize(("origins", "policy"), [((), "same-origin"), ((VIEWER,), "cross-origin")])
def test_o11_b03_a_page_may_show_documents_and_videos_in_an_element(origins: tuple[str, ...], policy: str) -> None:
    """Such a request names no Origin; where the viewer is served from elsewhere its browser wants to be told."""
    pdf, video = documents()

    async def check(served: Served) -> None:
        for made, kind in ((pdf, "application/pdf"), (video, "video/mp4")):
            answer = await served.client.get(f"{path_of(made)}/rendered", headers=NAVIGATION)
            assert answer.status_code == 200 and answer.headers["content-type"].partition(";")[0] == kind
            assert answer.headers.get_list("cross-origin-resource-policy") == [policy]

    serving(check, file_of(pdf), file_of(video, f"{_J}102"), settings=WebSettings(cors_origins=origins))


def test_o12_b03_images_whose_type_the_query_names() -> None:
    made = with_pixels(instance(1), bytes(range(64)), rows=8, columns=8, bits=8)

    async def check(served: Served) -> None:
        for target in ("thumbnail?accept=image/jpeg", "rendered?accept=image/jpeg", "thumbnail?accept=image%2Fjpeg"):
            for accept in ("*/*", 'multipart/related; type="application/octet-stream"'):  # both were seen
                answer = await served.client.get(f"{path_of(made)}/{target}", headers={"Accept": accept})
                assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
                assert answer.content.startswith(b"\xff\xd8\xff")

    serving(check, file_of(made))


def test_o13_wado_uri_whatever_the_header_says() -> None:
    made = with_pixels(instance(1), bytes(64), rows=8, columns=8, bits=8)
    named = f"studyUID={made.StudyInstanceUID}&seriesUID={made.SeriesInstanceUID}&objectUID={made.SOPInstanceUID}"

    async def check(served: Served) -> None:
        url = f"http://127.0.0.1:{served.port}/wado?requestType=WADO&{named}"
        for headers in (ANY_FRAME, {"Accept": "*/*"}, NAVIGATION):
            answer = await served.client.get(f"{url}&contentType=application/dicom&transferSyntax=*", headers=headers)
            assert answer.status_code == 200 and answer.content[128:132] == b"DICM"

    serving(check, file_of(made))


@pytest.mark.parametrize("end", [b"\r\n--%b--\r\n", b"\r\n--%b--"])
def test_o14_an_upload_is_listed_at_once(end: bytes) -> None:
    boundary = b"1e4f3a5c-8f7d-4d7a-9d8a-7d2b1f3e5c7d"
    kind = f'multipart/related; type="application/dicom"; boundary="{boundary.decode()}"'

    async def check(served: Served) -> None:
        for number in (1, 2):
            part = b"\r\n--%b\r\nContent-Type: application/dicom\r\n\r\n" % boundary
            body = part + file_of(instance(1, number)) + end % boundary
            answer = await served.client.post("/studies", content=body, headers={"Content-Type": kind, "Accept": "*/*"})
            assert answer.status_code == 200 and answer.headers["content-type"] == "application/dicom+json"
            said = pydicom.Dataset.from_json(json.dumps(answer.json()))
            assert said.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == f"{ROOT}.1.{number}.1"
            found = await rows(served, f"/studies/{ROOT}.1/series?{SERIES_FIELDS}")
            assert uids(found, "0020000E") == [f"{ROOT}.1.{one}" for one in range(1, number + 1)]

    serving(check)


def test_o15_b07_preflights_of_uploads_and_of_long_accepts() -> None:
    made = with_pixels(instance(1), bytes(64), rows=8, columns=8, bits=8)

    async def check(served: Served) -> None:
        frame = f"{path_of(made)}/frames/1"
        for target, method, name in (("/studies", "POST", "content-type"), (frame, "GET", "accept")):
            asked = {"Origin": VIEWER, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": name}
            answer = await served.client.options(target, headers=asked)
            assert answer.status_code == 204
            assert answer.headers["access-control-allow-origin"] == VIEWER
            assert method in answer.headers["access-control-allow-methods"]
            allowed = set(answer.headers["access-control-allow-headers"].split(", "))
            assert allowed >= {"accept", "authorization", "content-type", "range", "if-none-match"}
            assert int(answer.headers["access-control-max-age"]) > 0
        answer = await served.client.get(frame, headers=ANY_FRAME | {"Origin": VIEWER})
        assert len(parts(answer)) == 1 and answer.headers["access-control-allow-origin"] == VIEWER

    serving(check, file_of(made), settings=WebSettings(cors_origins=(VIEWER,)))


def test_o16_a_range_of_a_frame_among_parts_is_the_whole() -> None:
    made = with_pixels(instance(1), bytes(range(100)), rows=10, columns=10, bits=8)

    async def check(served: Served) -> None:
        answer = await served.client.get(f"{path_of(made)}/frames/1", headers=ANY_FRAME | {"Range": "bytes=0-65535"})
        ((_, data),) = parts(answer)
        assert data == made.PixelData

    serving(check, file_of(made))
