"""The DICOM files that pydicom carries, and those of them that the archive refuses, with the reason."""

from pathlib import Path

import pydicom

FOLDER = Path(pydicom.__file__).parent / "data" / "test_files"
NOT_DICOM = {".gz", ".icc", ".json", ".md", ".py", ".pyc", ".txt", ".zip"}

MISSING_UID = "SOP Class, SOP Instance, Study or Series Instance UID is missing"
NO_DATA_SET = "no DICOM data set"
TOO_LONG = "an element is longer than what is there"
REFUSED = {
    "DICOMDIR": MISSING_UID,
    "DICOMDIR-bigEnd": MISSING_UID,
    "DICOMDIR-empty.dcm": MISSING_UID,
    "DICOMDIR-implicit": MISSING_UID,
    "DICOMDIR-nooffset": TOO_LONG,
    "DICOMDIR-nopatient": MISSING_UID,
    "DICOMDIR-reordered": MISSING_UID,
    "JPEGLSNearLossless_08.dcm": MISSING_UID,
    "JPEGLSNearLossless_16.dcm": MISSING_UID,
    "MR_truncated.dcm": TOO_LONG,
    "README": NO_DATA_SET,
    "SC_rgb_jls_lossy_line.dcm": MISSING_UID,
    "SC_rgb_jls_lossy_sample.dcm": MISSING_UID,
    "UN_sequence.dcm": MISSING_UID,
    "empty_charset_LEI.dcm": MISSING_UID,
    "meta_missing_tsyntax.dcm": NO_DATA_SET,
    "nested_priv_SQ.dcm": MISSING_UID,
    "no_meta.dcm": NO_DATA_SET,
    "no_meta_group_length.dcm": MISSING_UID,
    "priv_SQ.dcm": MISSING_UID,
    "rtplan.dump": NO_DATA_SET,
    "rtplan_truncated.dcm": TOO_LONG,
    "rtstruct.dump": NO_DATA_SET,
}


def files() -> list[Path]:
    """Every file of them, in order of names."""
    return sorted(path for path in FOLDER.rglob("*") if path.is_file() and path.suffix not in NOT_DICOM)
