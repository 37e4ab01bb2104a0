"""DICOM JSON by pydicom: the slow, obvious way, and what may differ from it."""

import math
from pathlib import Path
from typing import Any

import data_store
import pydicom

from native import dataset

FOLDERS = (Path(pydicom.__file__).parent / "data", Path(data_store.__file__).parent / "data")
NOT_DICOM = {".gz", ".icc", ".json", ".md", ".py", ".pyc", ".txt", ".zip", ".html", ".csv", ".sh"}


def carried_files() -> list[Path]:
    """Every file that pydicom and pydicom-data carry."""
    found = (path for folder in FOLDERS for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in found if path.suffix not in NOT_DICOM)


def kept_files() -> list[Path]:
    """Those that are not refused (what pydicom carries is refused by name in real_files.py)."""
    return [path for path in carried_files() if _is_kept(path)]


def _is_kept(path: Path) -> bool:
    try:
        dataset.describe(path.read_bytes())
    except dataset.Malformed:
        return False
    return True


def differences(mine: dict[str, Any], theirs: pydicom.Dataset, path: str = "") -> list[str]:
    """Paths whose JSON means something else than what pydicom says of the same element."""
    wrong: list[str] = []
    for key, said in mine.items():
        element = theirs[int(key, 16)]
        if element.VR == "SQ":
            items = said.get("Value", [])
            if said["vr"] != "SQ" or len(items) != len(element.value):
                wrong.append(path + key)
                continue
            for item, said_item in zip(items, element.value, strict=True):
                wrong += differences(item, said_item, f"{path}{key}.")
        elif not _agrees(said, element, theirs.original_encoding[1]):
            wrong.append(path + key)
    return wrong


def _agrees(said: dict[str, Any], element: pydicom.DataElement, little_endian: bool) -> bool:
    if element.tag == 0x00080005 or (element.tag.is_private and said["vr"] == "UN"):
        # the JSON is UTF-8 whatever the file was; pydicom has a dictionary of private attributes, we have none
        return True
    try:
        expected = element.to_json_dict(None, 1 << 40)
    except ValueError:
        return isinstance(said["Value"][0], str)  # an IS that is no number
    if said["vr"] != str(expected["vr"]):
        return False
    if "InlineBinary" in expected:
        # pydicom leaves big-endian words as they are; PS3.18 F.2.7 wants little endian
        return said.get("InlineBinary") == expected["InlineBinary"] or not little_endian
    ours, others = said.get("Value", []), expected.get("Value", [])
    return len(ours) == len(others) and all(map(_equal, ours, others))


def _equal(ours: Any, theirs: Any) -> bool:
    if isinstance(ours, (int, float)) and isinstance(theirs, (int, float)):
        return math.isclose(ours, theirs, rel_tol=1e-6)
    if isinstance(theirs, str):
        return (ours or "") == theirs.rstrip(" \0")  # pydicom leaves the padding of all values but the last
    return bool(ours == theirs)
