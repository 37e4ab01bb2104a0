"""Instances that come as metadata and bulk data, in JSON and XML, over a real socket (H61)."""

import json
import socket
from collections.abc import Sequence
from functools import partial
from io import BytesIO
from typing import Any
from urllib.parse import quote

import httpx
import pydicom
import pytest
from pydicom.data import get_testdata_file

from protocols.web.forms import native_xml
from tests.protocols.web.multiparts import BOUNDARY, content_type, instances_of, items, value
from tests.protocols.web.serving import Served, serving
from tests.protocols.web.studies import ROOT, file_of, instance

FAILED, REFERENCED, OTHERS = "00081198", "00081199", "0008119A"
JSON, XML = "application/dicom+json", "application/dicom+xml"
PIXELS = bytes(range(256)) * 3 + b"odd"
Part = tuple[dict[str, str], bytes]


async def post(served: Served, parts: Sequence[Part], part_type: str = JSON, path: str = "/studies") -> httpx.Response:
    body = b""
    for headers, data in parts:
        head = "".join(f"{name}: {said}\r\n" for name, said in headers.items())
        body += f"--{BOUNDARY}\r\n{head}\r\n".encode() + data + b"\r\n"
    body += f"--{BOUNDARY}--".encode()
    return await served.client.post(path, content=body, headers=content_type(part_type))


def metadata(*models: dict[str, Any]) -> Part:
    return {"Content-Type": JSON}, json.dumps(models).encode()


def bulk(location: str, data: bytes = PIXELS, content: str = "application/octet-stream") -> Part:
    return {"Content-Type": content, "Content-Location": location}, data


def with_bulk(made: pydicom.Dataset, uri: str) -> dict[str, Any]:
    model: dict[str, Any] = made.to_json_dict()
    model["7FE00010"] = {"vr": "OB", "BulkDataURI": uri}
    return model


async def kept(served: Served, uid: str) -> pydicom.Dataset:
    (one,) = [one async for one in served.archive.fetch(SOPInstanceUID=uid)]
    assert one.transfer_syntax_uid == "1.2.840.10008.1.2.1"
    return pydicom.dcmread(BytesIO(one.file))


def of_every_kind() -> pydicom.Dataset:
    made = instance(1, PatientName="Yamada^Tarou=山田^太郎", PatientComments="ä\nb")
    made.add_new(0x00280009, "AT", 0x00181063)
    made.add_new(0x00189087, "FD", [0.1, 1e-300])
    made.add_new(0x0018605A, "FL", 2.5)
    made.add_new(0x00186020, "SL", -7)
    made.add_new(0x00280106, "US", 65535)
    made.add_new(0x00180050, "DS", ["1.250", "-3e2"])
    inner = instance(8)
    del inner.SpecificCharacterSet  # of items, it is that of all
    made.add_new(0x00081140, "SQ", [pydicom.Dataset(), inner, inner])
    made.add_new(0xFFFCFFFC, "OB", b"padding.")
    made.add_new(0x00091001, "OB", b"\1\2\3\4")
    made.add_new(0x00090010, "LO", "MINE")
    made.add_new(0x00102000, "LO", ["a", "", "c"])
    made.PatientSex = ""
    return made


@pytest.mark.parametrize("part_type", [JSON, XML])
def test_an_instance_is_built_as_explicit_little_endian(part_type: str) -> None:
    made = of_every_kind()
    model = with_bulk(made, "http://somewhere/else/bulk/1")

    def part() -> Part:
        data = json.dumps(model).encode()
        return {"Content-Type": part_type}, native_xml.document(data) if part_type == XML else data

    async def check(served: Served) -> None:
        answer = await post(served, [part(), bulk("http://somewhere/else/bulk/1")], part_type)
        assert answer.status_code == 200, answer.text
        assert instances_of(items(answer, REFERENCED)) == [made.SOPInstanceUID]
        read = await kept(served, made.SOPInstanceUID)
        assert read.PixelData == PIXELS + b"\0"
        del read.PixelData
        for element in made:
            assert read[element.tag] == element, element.tag
        assert len(read) == len(made)

    serving(check)


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small.dcm", "rtplan.dcm", "reportsi.dcm", "waveform_ecg.dcm"])
def test_real_files_come_back_as_they_were(name: str) -> None:
    theirs = pydicom.dcmread(get_testdata_file(name, download=False) or "")
    values: list[bytes] = []

    def apart(element: pydicom.DataElement) -> str:
        values.append(element.value)
        return f"bulk/{len(values)}"

    model = theirs.to_json_dict(500, apart)

    async def check(served: Served) -> None:
        parts = [metadata(model), *(bulk(f"bulk/{number}", data) for number, data in enumerate(values, 1))]
        answer = await post(served, parts)
        assert answer.status_code == 200, answer.text
        read = await kept(served, theirs.SOPInstanceUID)
        for element in theirs:
            if element.tag != 0x00080005:
                assert read[element.tag].to_json_dict(None, 1 << 30) == element.to_json_dict(None, 1 << 30), element.tag

    serving(check)


def test_several_in_one_request_share_and_large_bulk_data_is_streamed() -> None:
    large = bytes(6 << 20)
    models = [with_bulk(instance(1, 1, number), uri) for number, uri in ((1, "a"), (2, "b"), (3, "a"), (4, "missing"))]

    async def check(served: Served) -> None:
        answer = await post(served, [bulk("b"), metadata(*models), bulk("a", large)])
        assert answer.status_code == 202
        assert instances_of(items(answer, REFERENCED)) == [f"{ROOT}.1.1.{number}" for number in (1, 2, 3)]
        (failed,) = items(answer, FAILED)
        assert instances_of([failed]) == [f"{ROOT}.1.1.4"] and value(failed, "00081197") == 0xC000
        assert "neither inline nor" in value(failed, "00000902")
        assert (await kept(served, f"{ROOT}.1.1.3")).PixelData == large
        assert (await kept(served, f"{ROOT}.1.1.2")).PixelData == PIXELS + b"\0"

    serving(check)


def test_h61_no_uri_of_a_request_is_fetched() -> None:
    with socket.create_server(("127.0.0.1", 0)) as trap:
        trap.setblocking(False)
        trapped = f"127.0.0.1:{trap.getsockname()[1]}"
        serving(partial(_ask_for_it, trapped))
        with pytest.raises(BlockingIOError):
            trap.accept()


async def _ask_for_it(trapped: str, served: Served) -> None:
    """Wherever a request may name another place: none of them is called."""
    url = quote(f"http://{trapped}/x", safe="")
    for query in (f"objectUID={url}", f"objectUID=1.2&studyUID={url}", f"objectUID=1.2&contentType={url}"):
        answer = await served.client.get(f"http://127.0.0.1:{served.port}/wado?requestType=WADO&{query}")
        assert 400 <= answer.status_code < 500
    for query in (f"includefield={url}", f"PatientID={url}", f"RetrieveURL={url}"):
        assert (await served.client.get(f"/studies?{query}")).status_code in (200, 400)
    sent = {"do": "send", "query": {"PatientID": "1"}, "destination": trapped}
    answer = await served.client.post(f"http://127.0.0.1:{served.port}/api/v1/jobs", json=sent)
    assert 400 <= answer.status_code < 500
    own = f"http://127.0.0.1:{served.port}/dicomweb/studies"
    for uri in (own, f"http://{trapped}/x", f"//{trapped}/x", "file:///etc/passwd", "http://169.254.169.254/latest/"):
        answer = await post(served, [metadata(with_bulk(instance(1), uri))])
        assert answer.status_code == 409
        (failed,) = items(answer, FAILED)
        assert value(failed, "00081197") == 0xC000
    made = instance(2)
    made.add_new(0x00081190, "UR", f"http://{trapped}/x")
    made.add_new(0x00287FE0, "UR", f"http://{trapped}/pixels")
    answer = await post(served, [metadata(made.to_json_dict())])
    assert answer.status_code == 200
    path = f"/studies/{ROOT}.2/series/{ROOT}.2.1/instances/{ROOT}.2.1.1"
    for below in ("", "/metadata", "/frames/1", "/rendered", "/bulkdata/00287FE0"):
        assert (await served.client.get(path + below)).status_code < 500


@pytest.mark.parametrize(
    "model",
    [
        {"00080018": "x"},
        {"PatientName": {"vr": "PN"}},
        {"00100010": {"vr": "XX", "Value": ["a"]}},
        {"00100010": {"vr": "PN", "Value": "a"}},
        {"00280010": {"vr": "US", "Value": ["many"]}},
        {"00280010": {"vr": "US", "Value": [70000]}},
        {"00280010": {"vr": "US", "InlineBinary": "AAA="}, "00420011": {"vr": "OB", "InlineBinary": "*"}},
        {"00420011": {"vr": "OB", "InlineBinary": 5}},
        {"00081140": {"vr": "SQ", "Value": ["no item"]}},
        {"00100020": {"vr": "LO", "Value": ["a" * 70_000]}},
        {"00100020": {"vr": "LO", "Value": [True]}},
        {"00080018": {"vr": "UI", "Value": ["no uid"]}},
        {"00080018": {"vr": "UI", "Value": ["1." * 40]}},
        {"0020000D": {"vr": "UI"}},
    ],
    ids=range(14),
)
def test_what_is_no_data_set_fails_with_a_reason_and_others_are_kept(model: dict[str, Any]) -> None:
    sound, other = instance(1).to_json_dict(), instance(1, 1, 2).to_json_dict() | model

    async def check(served: Served) -> None:
        answer = await post(served, [metadata(sound, other, 7)])  # type: ignore[arg-type]
        assert answer.status_code == 202, answer.text
        assert instances_of(items(answer, REFERENCED)) == [f"{ROOT}.1.1.1"]
        failed = [*items(answer, FAILED), *items(answer, OTHERS)]
        assert len(failed) == 2
        for one in failed:
            assert value(one, "00081197") in (0xC000, 0xA900)
            assert 0 < len(value(one, "00000902")) <= 64 and "no uid" not in json.dumps(one)

    serving(check)


@pytest.mark.parametrize(
    ("part_type", "data"),
    [
        (JSON, b"[" * 100_000),
        (JSON, b'{"00081140":{"vr":"SQ","Value":[' * 2000),
        (JSON, b"\xff\xfe"),
        (JSON, b""),
        (XML, b"<NativeDicomModel>"),
        (XML, b"<other/>"),
        (XML, b""),
        (XML, b'<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;">]><NativeDicomModel>&c;</NativeDicomModel>'),
        (XML, b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><NativeDicomModel/>'),
        (XML, b'<NativeDicomModel><DicomAttribute tag="00100020" vr="LO"><Value number="99999999">a</Value>'
              b"</DicomAttribute></NativeDicomModel>"),
        (XML, b'<NativeDicomModel>' + b'<DicomAttribute tag="00081140" vr="SQ"><Item number="1">' * 3000),
        (XML, b'<NativeDicomModel>' + b'<DicomAttribute tag="00081140" vr="SQ"><Item number="1">' * 3000
              + b"</Item></DicomAttribute>" * 3000 + b"</NativeDicomModel>"),
    ],
    ids=range(12),
)  # fmt: skip
def test_metadata_that_is_none_is_one_failed_item(part_type: str, data: bytes) -> None:
    async def check(served: Served) -> None:
        answer = await post(served, [({"Content-Type": part_type}, data)], part_type)
        assert answer.status_code == 409, answer.text
        (other,) = items(answer, OTHERS)
        assert value(other, "00081197") == 0xC000 and value(other, "00000902")
        again = await post(served, [metadata(instance(1).to_json_dict())])
        assert again.status_code == 200

    serving(check)


def test_dicom_parts_are_none_of_metadata() -> None:
    async def check(served: Served) -> None:
        answer = await post(served, [({"Content-Type": "application/dicom"}, file_of(instance(1)))])
        assert answer.status_code == 400
        answer = await post(served, [metadata(with_bulk(instance(1), "a")), bulk("a", content="image/jpeg")])
        assert answer.status_code == 409

    serving(check)
