"""A study as one ZIP file with a DICOMDIR, read by zipfile, pydicom's FileSet, dcmdump and dciodvfy."""

import io
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pydicom
import pytest
import trio
from pydicom.data import get_testdata_file
from pydicom.fileset import FileSet

from protocols.web.wado import zipped
from protocols.web.wado.dicomdir import record_type
from tests.protocols.web.serving import Served, serving
from tests.protocols.web.studies import CT, MR, ROOT, file_of, instance
from tests.protocols.web.test_objects import fails, in_folder, read

ZIP = {"Accept": "application/zip"}
STUDY = f"/studies/{ROOT}.1"
SR = "1.2.840.10008.5.1.4.1.1.88.11"
TITLE = pydicom.Dataset()
TITLE.CodeValue, TITLE.CodingSchemeDesignator, TITLE.CodeMeaning = "11528-7", "LN", "Radiology Report"
REPORT: dict[str, Any] = {"CompletionFlag": "COMPLETE", "VerificationFlag": "UNVERIFIED", "Rows": None}
REPORT["ConceptNameCodeSequence"] = [TITLE]
FILES = [
    *(
        file_of(instance(1, 1, number, PatientName="Müller^Hans=山田", PixelData=bytes(8), BitsAllocated=16))
        for number in (2, 1)
    ),
    file_of(instance(1, 2, 1, SOPClassUID=MR, Modality="MR", StudyID=None)),
    file_of(instance(1, 3, 1, SOPClassUID=SR, Modality="SR", ContentDate="20240101", ContentTime="12", **REPORT)),
    file_of(instance(2)),
]


async def fetched(served: Served, path: str = STUDY) -> dict[str, bytes]:
    """The members of an answer, by name."""
    answer = await served.client.get(path, headers=ZIP)
    assert answer.status_code == 200 and answer.headers["content-type"] == "application/zip"
    assert int(answer.headers["content-length"]) == len(answer.content)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as read:
        assert read.testzip() is None
        return {name: read.read(name) for name in read.namelist()}


def test_a_study_is_a_file_set_with_every_object_as_it_is_stored(tmp_path: Path) -> None:
    async def check(served: Served) -> None:
        members = await fetched(served)
        assert list(members) == [
            "DICOMDIR",
            *("DICOM/SE000001/IM000001", "DICOM/SE000001/IM000002", "DICOM/SE000002/IM000001"),
            "DICOM/SE000003/IM000001",
        ]
        for name, data in members.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(data)
        assert len(await fetched(served, f"{STUDY}/series/{ROOT}.1.1")) == 3
        assert len(await fetched(served, f"{STUDY}/series/{ROOT}.1.1/instances/{ROOT}.1.1.2")) == 2

    serving(check, *FILES)
    directory = pydicom.dcmread(tmp_path / "DICOMDIR")
    records = directory.DirectoryRecordSequence
    kinds = [record.DirectoryRecordType for record in records]
    assert kinds == ["PATIENT", "STUDY", "SERIES", "IMAGE", "IMAGE", "SERIES", "IMAGE", "SERIES", "SR DOCUMENT"]
    assert str(records[0].PatientName) == "Müller^Hans=山田" and records[1].StudyID == "1"
    found = FileSet(directory)
    assert [Path(one.path).relative_to(tmp_path).as_posix() for one in found] == [
        "/".join(record.ReferencedFileID) for record in records if "ReferencedFileID" in record
    ]
    for one in found:
        loaded = one.load()
        assert (loaded.SOPInstanceUID, loaded.SOPClassUID) == (one.SOPInstanceUID, one.SOPClassUID)
    assert [one.InstanceNumber for one in found] == [1, 2, 1, 1]
    assert not complaints(tmp_path / "DICOMDIR")


def test_a_document_without_a_name_has_an_empty_one(tmp_path: Path) -> None:
    pdf = instance(1, SOPClassUID="1.2.840.10008.5.1.4.1.1.104.1", Modality="DOC", Rows=None, Columns=None)
    pdf.ContentDate, pdf.ContentTime, pdf.DocumentTitle = "20240101", "12", "Report"
    pdf.EncapsulatedDocument, pdf.MIMETypeOfEncapsulatedDocument = b"%PDF", "application/pdf"

    async def check(served: Served) -> None:
        (tmp_path / "DICOMDIR").write_bytes((await fetched(served))["DICOMDIR"])

    serving(check, file_of(pdf))
    (record,) = pydicom.dcmread(tmp_path / "DICOMDIR").DirectoryRecordSequence[3:]
    assert record.DirectoryRecordType == "ENCAP DOC" and record.ConceptNameCodeSequence == []
    assert not complaints(tmp_path / "DICOMDIR")


def complaints(path: Path) -> list[str]:
    """What other readers find wrong with a file."""
    found: list[str] = []
    for reader in ("dcmdump", "dciodvfy"):
        if shutil.which(reader) is not None:
            done = subprocess.run([reader, path], capture_output=True, text=True, check=False)
            found += [line for line in (done.stdout + done.stderr).splitlines() if line.startswith(("Error", "E:"))]
    return found


def test_objects_larger_than_a_piece_have_their_crc_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipped, "AT_ONCE_BYTES_MAX", 800)
    files = [
        file_of(instance(1, 1, number, PixelData=bytes(number * 2000), BitsAllocated=16)) for number in range(1, 4)
    ]

    async def check(served: Served) -> None:
        members = await fetched(served)
        for name, data in members.items():
            if name != "DICOMDIR":
                assert read(data).PixelData == bytes(len(read(data).PixelData)) and len(data) > 800

    serving(check, *files)


@pytest.mark.parametrize(
    ("accept", "is_zip"),
    [
        ("application/zip", True),
        ("application/zip, */*;q=0.1", True),
        ('multipart/related; type="application/dicom", application/zip', False),
        ('multipart/related; type="application/dicom"; q=0.5, application/zip', True),
        ("application/zip; q=0", False),
        ("*/*", False),
    ],
)
def test_what_is_liked_most_is_given(accept: str, *, is_zip: bool) -> None:
    async def check(served: Served) -> None:
        answer = await served.client.get(STUDY, headers={"Accept": accept})
        assert (answer.headers["content-type"] == "application/zip") == is_zip
        assert answer.status_code == (406 if accept.endswith("q=0") else 200)

    serving(check, *FILES)


def test_a_zip_that_a_client_has_is_not_sent_again_and_one_of_nothing_is_404() -> None:
    async def check(served: Served) -> None:
        first = await served.client.get(STUDY, headers=ZIP)
        again = await served.client.get(STUDY, headers=ZIP | {"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert (await served.client.get("/studies/1.2.3", headers=ZIP)).status_code == 404
        assert (await served.client.get(STUDY, headers=ZIP)).content == first.content

    serving(check, *FILES)


@pytest.mark.parametrize("size", [20_000, 5_000_000])
def test_nothing_damaged_is_packed_as_sound(tmp_path: Path, size: int) -> None:
    files = [file_of(instance(1, 1, number, PixelData=bytes(size), BitsAllocated=16)) for number in range(1, 4)]

    async def check(served: Served) -> None:
        path = max((tmp_path / "archive").rglob("*.dcm"))
        data = bytearray(path.read_bytes())
        data[-10] ^= 1
        path.write_bytes(data)
        await fails(served, STUDY, "application/zip")
        path.unlink()
        await fails(served, STUDY, "application/zip")

    trio.run(in_folder, tmp_path, check, *files)


def test_record_types_are_those_of_pydicom() -> None:
    for uid, kind in pydicom.fileset._FOUR_LEVEL_SOP_CLASSES.items():
        assert record_type(uid, has_rows=kind == "IMAGE") == kind, uid.name
    assert record_type(CT, has_rows=True) == "IMAGE" and record_type("1.2.3", has_rows=False) == "PRIVATE"


def test_objects_that_lack_much_are_packed_all_the_same() -> None:
    odd = pydicom.dcmread(str(get_testdata_file("reportsi.dcm")))
    bare: dict[str, Any] = dict.fromkeys(("PatientName", "StudyDate", "StudyTime", "SeriesNumber", "InstanceNumber"))

    async def check(served: Served) -> None:
        for study in (f"{ROOT}.1", odd.StudyInstanceUID):
            members = await fetched(served, f"/studies/{study}")
            (record,) = pydicom.dcmread(io.BytesIO(members["DICOMDIR"])).DirectoryRecordSequence[3:]
            assert record.ReferencedFileID == ["DICOM", "SE000001", "IM000001"]

    serving(check, file_of(instance(1, 1, 1, **bare)), Path(str(get_testdata_file("reportsi.dcm"))))
