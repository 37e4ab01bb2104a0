"""Part-10 files made by pydicom."""

from io import BytesIO
from typing import Any

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian


def ct(study_uid: str, series_uid: str, sop_instance_uid: str, **keywords: Any) -> Dataset:
    """A CT without pixels."""
    made = Dataset()
    made.SOPClassUID, made.SOPInstanceUID = CTImageStorage, sop_instance_uid
    made.StudyInstanceUID, made.SeriesInstanceUID = study_uid, series_uid
    for keyword, value in keywords.items():
        setattr(made, keyword, value)
    return made


def part10(made: Dataset) -> bytes:
    """The file, in Explicit VR Little Endian."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = made.SOPClassUID, made.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta = meta
    file = BytesIO()
    made.save_as(file, enforce_file_format=True)
    return file.getvalue()
