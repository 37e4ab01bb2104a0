"""Small studies made by pydicom."""

from io import BytesIO
from typing import Any

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import ExplicitVRLittleEndian

ROOT = "1.2.826.0.1.3680043.10.1407.9"
CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"


def file_of(made: Dataset, syntax: str = ExplicitVRLittleEndian) -> bytes:
    """The Part-10 file of a data set."""
    made.file_meta = FileMetaDataset()
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    made.file_meta.TransferSyntaxUID = syntax
    out = BytesIO()
    dcmwrite(out, made, enforce_file_format=True)
    return out.getvalue()


def instance(study: int, series: int = 1, number: int = 1, **keywords: Any) -> Dataset:
    """One CT image without pixels; ``keywords`` replace or add; None takes away."""
    made = Dataset()
    made.SpecificCharacterSet = "ISO_IR 192"
    facts: dict[str, Any] = {
        "SOPClassUID": CT,
        "SOPInstanceUID": f"{ROOT}.{study}.{series}.{number}",
        "StudyInstanceUID": f"{ROOT}.{study}",
        "SeriesInstanceUID": f"{ROOT}.{study}.{series}",
        "StudyDate": f"2024{study % 12 + 1:02}15",
        "StudyTime": "101500",
        "SeriesDate": "20240115",
        "AccessionNumber": f"ACC{study}",
        "Modality": "CT",
        "ReferringPhysicianName": "Referrer^Rita",
        "StudyDescription": f"Study {study}",
        "SeriesDescription": f"Series {series}",
        "PatientName": f"Doe^Jane{study}",
        "PatientID": f"PID{study:03}",
        "PatientBirthDate": "19700101",
        "PatientSex": "F",
        "StudyID": str(study),
        "SeriesNumber": series,
        "InstanceNumber": number,
        "Rows": 4,
        "Columns": 4,
    }
    for keyword, value in (facts | keywords).items():
        if value is not None:
            setattr(made, keyword, value)
    return made


def files(*made: Dataset) -> list[bytes]:
    """Their files."""
    return [file_of(one) for one in made]


# Five studies, as different as questions are.
ARCHIVE = files(
    instance(1, 1, 1, PatientName="山田^太郎=Yamada^Tarou", PatientID="ANC001", StudyDescription="Cine heart"),
    instance(1, 1, 2, PatientName="山田^太郎=Yamada^Tarou", PatientID="ANC001", StudyDescription="Cine heart"),
    instance(1, 2, 1, PatientName="山田^太郎=Yamada^Tarou", PatientID="ANC001", Modality="MR", SOPClassUID=MR),
    instance(2, PatientName="Anchor^Ann", StudyDate="20240110", IssuerOfPatientID="HOSP"),
    instance(3, PatientName="Doe^Jane", Modality="US", StudyDate="20200301"),
    instance(4, PatientName="Müller^Hans", StudyDate="20200601", Modality="MR", SOPClassUID=MR),
    instance(5, PatientName="MacDoe^John", StudyDate="20201231", AccessionNumber=None, PatientID=""),
)


def uids(rows: list[dict[str, Any]], tag: str = "0020000D") -> list[str]:
    """What each row of an answer says of one attribute."""
    return [row[tag]["Value"][0] for row in rows]
