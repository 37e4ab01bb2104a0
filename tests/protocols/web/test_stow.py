"""STOW-RS over a real socket (C44-C46, O14, H43, H44): what clients send, and what they hear."""

from collections.abc import AsyncIterator
from io import BytesIO
from xml.etree import ElementTree

import httpx
import pytest
from pydicom import dcmread

from tests.protocols.web.multiparts import BOUNDARY, body_of, content_type, instances_of, items, store, value
from tests.protocols.web.serving import Served, serving
from tests.protocols.web.studies import CT, ROOT, file_of, instance, uids

FAILED, REFERENCED, OTHERS = "00081198", "00081199", "0008119A"
ONE, TWO, THREE = (file_of(instance(1, 1, number)) for number in (1, 2, 3))
ELSEWHERE = file_of(instance(2))


def names(*numbers: int, study: int = 1) -> list[str]:
    return [f"{ROOT}.{study}.1.{number}" for number in numbers]


def was_stored(answer: httpx.Response, *numbers: int) -> None:
    assert answer.status_code == 200, answer.text
    assert instances_of(items(answer, REFERENCED)) == names(*numbers)
    assert FAILED not in answer.json() and OTHERS not in answer.json()


async def listed(served: Served) -> set[str]:
    return set(uids((await served.client.get("/instances")).json(), "00080018"))


def test_c44_o14_the_answer_names_each_instance_and_the_next_search_finds_it() -> None:
    async def check(served: Served) -> None:
        for count, file in enumerate((ONE, TWO, THREE), 1):
            answer = await store(served, file)
            was_stored(answer, count)
            assert await listed(served) == set(names(*range(1, count + 1)))
        assert answer.headers["content-type"] == "application/dicom+json"
        (item,) = items(answer, REFERENCED)
        assert value(item, "00081150") == CT
        study = f"http://127.0.0.1:{served.port}/dicomweb/studies/{ROOT}.1"
        assert value(item, "00081190") == f"{study}/series/{ROOT}.1.1/instances/{ROOT}.1.1.3"
        assert value(answer.json(), "00081190") == study

    serving(check)


@pytest.mark.parametrize(
    ("lead", "tail", "boundary", "head"),
    [
        (b"\r\n", b"", BOUNDARY, b"Content-Type: application/dicom\r\n"),
        (b"", b"", f'"{BOUNDARY}"', b'Content-Type: application/dicom; transfer-syntax="1.2.840.10008.1.2.1"\r\n'),
        (b"\r\n", b"\r\n", f'"{BOUNDARY}"', b"Content-Type: application/dicom;transfer-syntax=1.2.840.10008.1.2.1\r\n"),
        (b"a preamble\r\n", b"\r\nan epilogue", BOUNDARY, b"content-type:APPLICATION/DICOM\r\nContent-ID: <1>\r\n"),
        (b"", b"\r\n", BOUNDARY, b""),
    ],
)  # fmt: skip
def test_c44_forms_of_a_body(lead: bytes, tail: bytes, boundary: str, head: bytes) -> None:
    body = body_of(ONE, TWO, lead=lead, tail=tail, head=head)

    async def chunks() -> AsyncIterator[bytes]:
        for at in range(0, len(body), 37):
            yield body[at : at + 37]

    async def check(served: Served) -> None:
        headers = content_type(boundary=boundary)
        was_stored(await served.client.post("/studies", content=body, headers=headers), 1, 2)
        was_stored(await served.client.post("/studies", content=chunks(), headers=headers), 1, 2)
        unnamed = {"Content-Type": f"multipart/related; boundary={boundary}"}
        was_stored(await served.client.post(f"/studies/{ROOT}.1", content=body, headers=unnamed), 1, 2)

    serving(check)


def test_c44_a_body_may_be_one_instance() -> None:
    async def check(served: Served) -> None:
        answer = await served.client.post("/studies", content=ONE, headers={"Content-Type": "application/dicom"})
        was_stored(answer, 1)

    serving(check)


def test_c45_xml_for_those_who_ask_for_it() -> None:
    async def check(served: Served) -> None:
        answer = await store(served, ONE, b"no DICOM", Accept="application/dicom+xml")
        assert answer.status_code == 202
        assert answer.headers["content-type"] == "application/dicom+xml"
        root = ElementTree.fromstring(answer.content)
        space = {"n": "http://dicom.nema.org/PS3.19/models/NativeDICOM"}
        kept = "n:DicomAttribute[@tag='00081199']/n:Item/n:DicomAttribute[@keyword='ReferencedSOPInstanceUID']/n:Value"
        assert [one.text for one in root.findall(kept, space)] == names(1)
        assert len(root.findall("n:DicomAttribute[@tag='0008119A']/n:Item", space)) == 1
        assert (await store(served, ONE, Accept="text/html")).status_code == 406

    serving(check)


def test_c45_some_fail_and_some_are_kept() -> None:
    cut = TWO[:-3]

    async def check(served: Served) -> None:
        answer = await store(served, ONE, cut, b"", THREE)
        assert answer.status_code == 202
        assert instances_of(items(answer, REFERENCED)) == names(1, 3)
        (failed,) = items(answer, FAILED)
        assert instances_of([failed]) == names(2)
        assert value(failed, "00081197") == 0xC000
        assert value(failed, "00000902") == "the data set ends inside an element"
        (other,) = items(answer, OTHERS)
        assert (value(other, "00081197"), value(other, "00000902")) == (0xC000, "no DICOM data set")
        assert await listed(served) == set(names(1, 3))

    serving(check)


def test_c45_none_is_kept() -> None:
    bare = instance(1)
    del bare.SeriesInstanceUID

    async def check(served: Served) -> None:
        answer = await store(served, file_of(bare))
        assert answer.status_code == 409
        assert answer.json()[REFERENCED] == {"vr": "SQ"}
        (failed,) = items(answer, FAILED)
        assert value(failed, "00081197") == 0xA900
        assert await listed(served) == set()

    serving(check)


def test_c46_instances_of_another_study_fail_and_others_are_kept() -> None:
    async def check(served: Served) -> None:
        answer = await store(served, ELSEWHERE, ONE, path=f"/studies/{ROOT}.1")
        assert answer.status_code == 202
        (failed,) = items(answer, FAILED)
        assert (instances_of([failed]), value(failed, "00081197")) == ([f"{ROOT}.2.1.1"], 43265)
        assert await listed(served) == set(names(1))
        assert (await store(served, ELSEWHERE, path=f"/studies/{ROOT}.1")).status_code == 409

    serving(check)


def test_c46_what_is_no_dicom_part_is_a_failed_item() -> None:
    async def check(served: Served) -> None:
        body = body_of(ONE).removesuffix(b"--\r\n") + b"\r\nContent-Type: text/plain\r\n\r\nhello\r\n--9f3c0d--\r\n"
        answer = await served.client.post("/studies", content=body, headers=content_type())
        assert answer.status_code == 202
        (other,) = items(answer, OTHERS)
        assert value(other, "00081197") == 0x0122

    serving(check)


def test_c46_a_patient_without_id_is_accepted() -> None:
    async def check(served: Served) -> None:
        was_stored(await store(served, file_of(instance(1, PatientID=None, PatientName=None))), 1)

    serving(check)


def test_h43_h44_what_is_here_with_other_content_or_elsewhere_is_kept_with_a_warning() -> None:
    changed = file_of(instance(1, StudyDescription="other"))
    moved = file_of(instance(3, SOPInstanceUID=f"{ROOT}.1.1.1"))

    async def check(served: Served) -> None:
        was_stored(await store(served, ONE), 1)
        was_stored(await store(served, ONE), 1)
        for file, word in ((changed, "version"), (moved, "another study")):
            answer = await store(served, file, ONE)
            assert answer.status_code == 202
            warned, plain = items(answer, REFERENCED)
            assert value(warned, "00081196") == 0x0111 and word in value(warned, "00000902")
            assert "00081196" not in plain and FAILED not in answer.json()
        kept = {f"{ROOT}.{study}.1" for study in (1, 3)}
        assert set(uids((await served.client.get("/instances")).json(), "0020000E")) == kept

    serving(check)


def test_what_is_kept_is_the_data_set_as_it_came() -> None:
    async def check(served: Served) -> None:
        await store(served, ONE)
        async for kept in served.archive.fetch(SOPInstanceUID=f"{ROOT}.1.1.1"):
            assert dcmread(BytesIO(kept.file)) == dcmread(BytesIO(ONE))
            assert kept.file[kept.file.index(b"\x08\0\x05\0CS") :] == ONE[ONE.index(b"\x08\0\x05\0CS") :]

    serving(check)


def test_a_tiff_preamble_is_given_back_and_an_executable_one_is_not() -> None:
    tiff, other = b"II*\0" + bytes(124), b"MZ" + bytes(126)

    async def check(served: Served) -> None:
        was_stored(await store(served, tiff + ONE[128:], other + TWO[128:]), 1, 2)
        for number, preamble in ((1, tiff), (2, bytes(128))):
            (kept,) = [one async for one in served.archive.fetch(SOPInstanceUID=f"{ROOT}.1.1.{number}")]
            assert kept.file[:128] == preamble

    serving(check)
