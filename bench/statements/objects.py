"""Small objects of no patient, made for one run: they bear a UID root and a mark of their own."""

import secrets
import time
from io import BytesIO
from typing import Any

from msgspec import Struct
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import UID

from bench.data import CT, EXPLICIT_LITTLE, ROOT
from bench.statements import pictures

MR = "1.2.840.10008.5.1.4.1.1.4"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
IMPLICIT_LITTLE = "1.2.840.10008.1.2"
EXPLICIT_BIG = "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
JPEG, JPEG_LS, JPEG_2000, RLE, MPEG4 = (f"1.2.840.10008.1.2.{tail}" for tail in ("4.50", "4.80", "4.90", "5", "4.102"))
Keywords = dict[str, Any]
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"


class Run(Struct, frozen=True):
    """``root``: of all UIDs that this run makes. ``mark``: six letters in its patients' names and numbers."""

    root: str
    mark: str

    def patient_name(self, family: str = "Conformance") -> str:
        """Obviously no patient's."""
        return f"{family}^Synthetic{self.mark}"


def new_run() -> Run:
    """No other run has its UIDs."""
    mark = "".join(secrets.choice(_LETTERS) for _ in range(6))
    return Run(f"{ROOT}.9.{int(time.time())}.{1 + secrets.randbelow(999_999)}", mark)


class Made(Struct, frozen=True):
    """One object: the data set that was written, and its file."""

    dataset: Dataset
    file: bytes
    syntax: str = EXPLICIT_LITTLE

    @property
    def sop_class(self) -> str:
        return str(self.dataset.SOPClassUID)

    @property
    def study(self) -> str:
        return str(self.dataset.StudyInstanceUID)

    @property
    def series(self) -> str:
        return str(self.dataset.SeriesInstanceUID)

    @property
    def sop(self) -> str:
        return str(self.dataset.SOPInstanceUID)

    @property
    def path(self) -> str:
        """Where the instance is served."""
        return f"/studies/{self.study}/series/{self.series}/instances/{self.sop}"

    @property
    def body(self) -> bytes:
        """The data set's bytes, behind the file's head (PS3.10 7.1)."""
        return body_of(self.file)


def body_of(file: bytes) -> bytes:
    """The data set's bytes of a Part-10 file. ValueError when it is none."""
    if file[128:132] != b"DICM" or file[132:136] != b"\x02\0\0\0":
        raise ValueError("it is no Part-10 file with a group length")
    return file[144 + int.from_bytes(file[140:144], "little") :]


def instance(run: Run, study: int, series: int = 1, number: int = 1, **keywords: Any) -> Dataset:
    """A CT image without pixels; ``keywords`` replace or add attributes, None takes one away."""
    uid = f"{run.root}.{study}"
    facts: Keywords = {
        "SpecificCharacterSet": "ISO_IR 192",
        "SOPClassUID": CT,
        "SOPInstanceUID": f"{uid}.{series}.{number}",
        "StudyInstanceUID": uid,
        "SeriesInstanceUID": f"{uid}.{series}",
        "StudyDate": "20240110",
        "StudyTime": "101500",
        "SeriesDate": "20240110",
        "SeriesTime": "101600",
        "AccessionNumber": f"A{run.mark}N{study}E",
        "Modality": "CT",
        "ReferringPhysicianName": "Referrer^Synthetic",
        "StudyDescription": f"Conformance study {study}",
        "SeriesDescription": f"Conformance series {series}",
        "PatientName": run.patient_name(),
        "PatientID": f"CONF-{run.mark}-{study}",
        "IssuerOfPatientID": "CONFORMANCE",
        "PatientBirthDate": "19700101",
        "PatientSex": "O",
        "StudyID": str(study),
        "SeriesNumber": series,
        "InstanceNumber": number,
    }
    made = Dataset()
    for keyword, value in (facts | keywords).items():
        if value is not None:
            setattr(made, keyword, value)
    return made


def with_pixels(made: Dataset, pixels: bytes, side: int = pictures.SIDE, bits: int = 8, **keywords: Any) -> Dataset:
    """The same with native pixels of one sample."""
    facts: Keywords = {
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": side,
        "Columns": side,
        "BitsAllocated": bits,
        "BitsStored": bits,
        "HighBit": bits - 1,
        "PixelRepresentation": 0,
    }
    for keyword, value in (facts | keywords).items():
        setattr(made, keyword, value)
    made.add_new(0x7FE00010, "OW" if bits > 8 else "OB", pixels + b"\0" * (len(pixels) % 2))
    return made


def compressed(made: Dataset, fragment: bytes, **keywords: Any) -> Dataset:
    """The same with the picture as one encapsulated frame."""
    with_pixels(made, pictures.encapsulated(fragment), **keywords)
    made["PixelData"].is_undefined_length = True
    return made


def written(made: Dataset, syntax: str = EXPLICIT_LITTLE) -> Made:
    """With its file in a transfer syntax."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = made.SOPClassUID
    meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    meta.TransferSyntaxUID = UID(syntax)
    made.file_meta = meta
    out = BytesIO()
    dcmwrite(out, made, enforce_file_format=True)
    return Made(made, out.getvalue(), syntax)
