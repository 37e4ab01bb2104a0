"""Metadata over a real socket (C31, C33, C34, O06)."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pydicom
import pytest
import trio
from pydicom.data import get_testdata_file

from protocols.web import WebSettings
from protocols.web.wado import metadata
from tests.protocols.web.serving import Served, serving
from tests.protocols.web.studies import ROOT, file_of, files, instance
from tests.protocols.web.test_objects import fails, in_folder, object_of

SERIES = f"/studies/{ROOT}.1/series/{ROOT}.1.1"


async def models(served: Served, path: str) -> list[dict[str, Any]]:
    answer = await served.client.get(path)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/dicom+json"
    read: list[dict[str, Any]] = json.loads(answer.content)
    return read


def with_pixels(*place: int, **more: Any) -> pydicom.Dataset:
    made = instance(*place, BitsAllocated=16, BitsStored=12, HighBit=11, PixelRepresentation=0, **more)
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.PixelData = bytes(32)
    return made


def test_c33_all_instances_and_all_attributes_at_every_level() -> None:
    made = [with_pixels(1, 2, 1), *(with_pixels(1, 1, number) for number in range(12, 0, -1)), with_pixels(2)]

    async def check(served: Served) -> None:
        study = await models(served, f"/studies/{ROOT}.1/metadata")
        series = await models(served, f"{SERIES}/metadata")
        (one,) = await models(served, f"{SERIES}/instances/{ROOT}.1.1.7/metadata")
        assert study[:12] == series and len(study) == 13 and one == series[6]
        assert [row["00200013"]["Value"][0] for row in series] == list(range(1, 13))
        theirs = next(data for data in made if data.SOPInstanceUID == f"{ROOT}.1.1.7")
        expected = {f"{element.tag:08X}" for element in theirs} | {"00081190", "00083002"}
        assert set(one) == expected and list(one) == sorted(one)
        read = pydicom.Dataset.from_json(one, lambda tag, vr, uri: bytes(32))
        for element in theirs:
            assert read[element.tag].value == element.value, element.tag
        assert one["00083002"]["Value"] == ["1.2.840.10008.1.2.1"]  # O06
        base = f"http://127.0.0.1:{served.port}/dicomweb{SERIES}/instances/{ROOT}.1.1.7"
        assert one["00081190"]["Value"] == [base]
        assert one["7FE00010"] == {"vr": "OW", "BulkDataURI": f"{base}/bulkdata/7FE00010"}  # C34

    serving(check, *files(*made))


def test_what_is_not_there() -> None:
    async def check(served: Served) -> None:
        for path in (
            "/studies/9.9/metadata",
            f"/studies/{ROOT}.2/series/{ROOT}.1.1/metadata",
            f"{SERIES}/instances/9/metadata",
        ):
            answer = await served.client.get(path)
            assert (answer.status_code, answer.json()["status"]) == (404, 404)
        assert (await served.client.get("/studies/x/metadata")).status_code == 400
        assert (await served.client.get(f"{SERIES}/metadata", headers={"Accept": "image/png"})).status_code == 406

    serving(check, *files(instance(1), instance(2)))


@pytest.mark.parametrize("at_once", [640, 3])
def test_c33_gzip_and_etag(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "AT_ONCE_COUNT_MAX", at_once)

    async def check(served: Served) -> None:
        plain = await served.client.get(f"{SERIES}/metadata", headers={"Accept-Encoding": "identity"})
        packed = await served.client.get(f"{SERIES}/metadata", headers={"Accept-Encoding": "gzip"})
        assert "content-encoding" not in plain.headers and packed.headers["content-encoding"] == "gzip"
        assert plain.json() == packed.json() and len(plain.json()) == 10
        assert ("content-length" in plain.headers) == (at_once > 10)
        tag = plain.headers["etag"]
        assert packed.headers["etag"] == tag and "Accept-Encoding" in plain.headers["vary"]
        again = await served.client.get(f"{SERIES}/metadata", headers={"If-None-Match": tag})
        assert (again.status_code, again.content) == (304, b"")
        head = await served.client.head(f"{SERIES}/metadata")
        assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", tag)
        await served.archive.store(file_of(instance(1, 1, 99)))
        more = await served.client.get(f"{SERIES}/metadata", headers={"If-None-Match": tag})
        assert more.status_code == 200 and len(more.json()) == 11

    made = files(*(instance(1, 1, number) for number in range(10)))
    serving(check, *made, settings=WebSettings(gzip_bytes_min=100))


def test_c33_a_series_of_a_thousand() -> None:
    """Ten times the second that is wanted of a quiet machine: what is measured is in docs/benchmarks.md."""
    made = files(*(instance(1, 1, number) for number in range(1, 1001)))

    async def check(served: Served) -> None:
        assert len((await served.client.get(f"{SERIES}/metadata")).json()) == 1000
        with trio.fail_after(10):
            answer = await served.client.get(f"{SERIES}/metadata", headers={"Accept-Encoding": "gzip"})
        assert [row["00200013"]["Value"][0] for row in answer.json()] == list(range(1, 1001))

    serving(check, *made)


def test_attributes_that_the_stored_header_leaves_out_are_read_from_the_object() -> None:
    long = with_pixels(1, 1, 2, PatientComments="c" * 3000)
    item = pydicom.Dataset()
    item.ICCProfile = bytes(20_000)
    long.OpticalPathSequence = [pydicom.Dataset(), item]
    long.RedPaletteColorLookupTableData = bytes(4096)
    made = [with_pixels(1, 1, 1), long, with_pixels(1, 1, 3)]

    async def check(served: Served) -> None:
        first, read, last = await models(served, f"{SERIES}/metadata")
        assert first["00200013"]["Value"] == [1] and last["00200013"]["Value"] == [3]
        assert read["00104000"]["Value"] == ["c" * 3000]
        assert "InlineBinary" in read["00281201"]
        base = f"http://127.0.0.1:{served.port}/dicomweb{SERIES}/instances/{ROOT}.1.1.2/bulkdata"
        assert read["00480105"]["Value"][1]["00282000"]["BulkDataURI"] == f"{base}/00480105/2/00282000"
        assert read["7FE00010"]["BulkDataURI"] == f"{base}/7FE00010"
        assert read["00083002"] and list(read) == sorted(read)

    serving(check, *files(*made))


@pytest.mark.parametrize(
    "name",
    [
        "emri_small_jpeg_2k_lossless.dcm",
        "image_dfl.dcm",
        "MR_small_bigendian.dcm",
        "MR_small_implicit.dcm",
        "liver.dcm",
    ],
)
def test_real_objects_in_every_syntax(name: str) -> None:
    theirs = pydicom.dcmread(str(get_testdata_file(name)))

    async def check(served: Served) -> None:
        (read,) = await models(served, f"/studies/{theirs.StudyInstanceUID}/metadata")
        expected = {f"{element.tag:08X}" for element in theirs if element.tag & 0xFFFF and element.tag != 0xFFFCFFFC}
        assert set(read) == expected | {"00081190", "00083002"}
        assert read["00083002"]["Value"] == [theirs.file_meta.TransferSyntaxUID]
        assert "BulkDataURI" in read["7FE00010"]
        if "PerFrameFunctionalGroupsSequence" in theirs:
            assert len(read["52009230"]["Value"]) == theirs.NumberOfFrames

    serving(check, open(str(get_testdata_file(name)), "rb").read())  # noqa: SIM115, PTH123


def test_xml_is_a_part_for_each_instance() -> None:
    async def check(served: Served) -> None:
        for accept in ('multipart/related; type="application/dicom+xml"', "application/dicom+xml"):
            answer = await served.client.get(f"{SERIES}/metadata", headers={"Accept": accept})
            assert answer.headers["content-type"].startswith('multipart/related; type="application/dicom+xml"')
            boundary = answer.headers["content-type"].rpartition("=")[2].encode()
            parts = answer.content.split(b"--" + boundary)[1:-1]
            trees = [ElementTree.fromstring(part.partition(b"\r\n\r\n")[2]) for part in parts]
            assert len(trees) == 2
            found = {one.get("tag"): one for one in trees[0]}
            assert found["7FE00010"][0].get("uri", "").endswith("/bulkdata/7FE00010")
            assert found["00100010"].get("keyword") == "PatientName"

    serving(check, *files(with_pixels(1, 1, 1), with_pixels(1, 1, 2)))


def test_dicomweb_client_reads_metadata() -> None:
    from dicomweb_client.api import DICOMwebClient

    def read(port: int) -> None:
        client = DICOMwebClient(f"http://127.0.0.1:{port}/dicomweb")
        found = client.retrieve_series_metadata(f"{ROOT}.1", f"{ROOT}.1.1")
        assert [pydicom.Dataset.from_json(one).InstanceNumber for one in found] == [1, 2]
        assert len(client.retrieve_study_metadata(f"{ROOT}.1")) == 2
        assert client.retrieve_instance_metadata(f"{ROOT}.1", f"{ROOT}.1.1", f"{ROOT}.1.1.2")["00200013"]["Value"] == [
            2
        ]

    async def check(served: Served) -> None:
        await trio.to_thread.run_sync(read, served.port)

    serving(check, *files(instance(1, 1, 1), instance(1, 1, 2)))


def test_h70_a_damaged_attribute_is_not_told(tmp_path: Path) -> None:
    """Of those that are read from the object itself, since the header leaves them out."""
    made = with_pixels(1)
    made.add_new(0x00420011, "OB", b"d" * 3000)
    made.add_new(0x0040A160, "UT", "text " * 1000)

    async def check(served: Served) -> None:
        one = await served.archive.locate(made.StudyInstanceUID, made.SeriesInstanceUID, made.SOPInstanceUID)
        path = f"/studies/{made.StudyInstanceUID}/metadata"
        assert "text" in (await served.client.get(path)).text
        file = object_of(tmp_path, one)
        content = bytearray(file.read_bytes())
        content[content.index(b"text text")] = ord("n")
        file.write_bytes(content)
        await fails(served, path, "application/dicom+json")

    trio.run(in_folder, tmp_path, check, file_of(made))
