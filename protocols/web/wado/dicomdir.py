"""DICOMDIR of the instances of one study (PS3.3 F, PS3.10 8): patient, study, series, and a record for each instance.

Keys of records are copied from stored headers as they are: what an object lacks is empty here, nothing is invented.
"""

from collections.abc import Sequence
from struct import pack
from typing import Final

import msgspec

from engine.model import Instance
from native import dataset, parts

DIRECTORY_CLASS: Final = "1.2.840.10008.1.3.10"
EXPLICIT_LITTLE: Final = "1.2.840.10008.1.2.1"
STORAGE: Final = "1.2.840.10008.5.1.4.1.1."
CHARACTER_SET: Final = 0x00080005

# What stands in a record of each type (PS3.3 F.5), where the object has it; CHARACTER_SET in all.
PATIENT: Final = (0x00100010, 0x00100020)
STUDY: Final = (0x00080020, 0x00080030, 0x00080050, 0x00081030, 0x0020000D, 0x00200010)
SERIES: Final = (0x00080060, 0x0020000E, 0x00200011)
_NUMBER: Final = 0x00200013
_CONTENT: Final = (0x00080023, 0x00080033, _NUMBER)
_IDENTIFIED: Final = (*_CONTENT, 0x00700080, 0x00700081)
KEYS: Final[dict[str, tuple[int, ...]]] = {
    "IMAGE": (_NUMBER,),
    "RT DOSE": (_NUMBER, 0x3004000A),
    "RT STRUCTURE SET": (_NUMBER, 0x30060002, 0x30060008, 0x30060009),
    "RT PLAN": (_NUMBER, 0x300A0002, 0x300A0006, 0x300A0007),
    "RT TREAT RECORD": (_NUMBER, 0x30080250, 0x30080251),
    "PRESENTATION": (0x00081115, _NUMBER, 0x00700080, 0x00700081, 0x00700082, 0x00700083, 0x00700084),
    "WAVEFORM": _CONTENT,
    "SR DOCUMENT": (*_CONTENT, 0x0040A043, 0x0040A491, 0x0040A493),
    "KEY OBJECT DOC": (*_CONTENT, 0x0040A043),
    "SPECTROSCOPY": (0x00080008, *_CONTENT, 0x00280008, 0x00280010, 0x00280011, 0x00289001, 0x00289002),
    "RAW DATA": _CONTENT,
    "REGISTRATION": _IDENTIFIED,
    "FIDUCIAL": _IDENTIFIED,
    "VALUE MAP": _IDENTIFIED,
    "ENCAP DOC": (*_CONTENT, 0x0040A043, 0x00420010, 0x00420012),
    "STEREOMETRIC": (),
    "MEASUREMENT": _CONTENT,
    "SURFACE": _IDENTIFIED,
    "SURFACE SCAN": (0x00080023, 0x00080033),
    "TRACT": _IDENTIFIED,
    "ASSESSMENT": (0x00080023, 0x00080033, _NUMBER),
    "RADIOTHERAPY": (_NUMBER, 0x00700080, 0x00700081),
    "PRIVATE": (),
}
# By what follows STORAGE; a longer one counts before a shorter one. What is not named here and has rows is an image.
TYPES: Final = {
    "481.2": "RT DOSE",
    "481.3": "RT STRUCTURE SET",
    "481.5": "RT PLAN",
    "481.8": "RT PLAN",
    **dict.fromkeys(("481.4", "481.6", "481.7", "481.9"), "RT TREAT RECORD"),
    **{f"481.{number}": "RADIOTHERAPY" for number in range(10, 26)},
    "11": "PRESENTATION",
    "131": "PRESENTATION",
    "9": "WAVEFORM",
    "88": "SR DOCUMENT",
    "78.6": "SR DOCUMENT",
    "79.1": "SR DOCUMENT",
    "88.59": "KEY OBJECT DOC",
    "4.2": "SPECTROSCOPY",
    "66": "RAW DATA",
    "66.1": "REGISTRATION",
    "66.2": "FIDUCIAL",
    "66.3": "REGISTRATION",
    "66.4": "IMAGE",
    "66.5": "SURFACE",
    "66.6": "TRACT",
    "66.7": "IMAGE",
    "66.8": "IMAGE",
    "67": "VALUE MAP",
    "68": "SURFACE SCAN",
    "77.1.5.3": "STEREOMETRIC",
    "78": "MEASUREMENT",
    "80": "MEASUREMENT",
    "90": "ASSESSMENT",
    "104": "ENCAP DOC",
}


class Entry(msgspec.Struct, frozen=True):
    """A file of the set: its name (components parted by slashes), its instance, its stored header."""

    name: str
    instance: Instance
    header: bytes


def file_names(instances: Sequence[Instance]) -> list[str]:
    """A File ID for each (PS3.10 8.2): ``DICOM/SE000001/IM000001``, counted in the order given."""
    series: dict[str, int] = {}
    counts: dict[str, int] = {}
    names = []
    for one in instances:
        number = series.setdefault(one.series_uid, len(series) + 1)
        counts[one.series_uid] = counts.get(one.series_uid, 0) + 1
        names.append(f"DICOM/SE{number:06d}/IM{counts[one.series_uid]:06d}")
    return names


def directory(entries: Sequence[Entry], sop_instance_uid: str) -> bytes:
    """The DICOMDIR file of these entries, all of one study."""
    head = dataset.canonical_head(DIRECTORY_CLASS, sop_instance_uid, EXPLICIT_LITTLE)
    by_series: dict[str, list[Entry]] = {}
    for entry in entries:
        by_series.setdefault(entry.instance.series_uid, []).append(entry)
    first = entries[0].header
    below_study = [
        _Node(
            _record("SERIES", of_series[0].header, SERIES),
            [_Node(_referring(entry), []) for entry in of_series],
        )
        for of_series in by_series.values()
    ]
    study = _Node(_record("STUDY", first, STUDY), below_study)
    patient = _Node(_record("PATIENT", first, PATIENT), [study])
    set_id = dataset.element(0x00041130, "CS", b"")
    begin = len(head) + len(set_id) + 3 * _OFFSET_BYTES - 2 + 12  # a US is two bytes shorter; the sequence's head
    items: list[bytes] = []
    patient.lay(begin, 0, items)
    records = b"".join(items)
    root = (begin if records else 0).to_bytes(4, "little")
    return b"".join(
        (
            head,
            set_id,
            dataset.element(0x00041200, "UL", root),
            dataset.element(0x00041202, "UL", root),
            dataset.element(0x00041212, "US", b"\0\0"),
            dataset.element(0x00041220, "SQ", records),
        )
    )


_CONCEPT_NAME: Final = 0x0040A043
# Those of type 1 or 1C are not there rather than empty; the name of an encapsulated document is of type 2.
_NEVER_EMPTY: Final = frozenset((CHARACTER_SET, 0x00081115, _CONCEPT_NAME))
_EMPTY: Final = frozenset((("ENCAP DOC", _CONCEPT_NAME),))
_OFFSET_BYTES: Final = 12  # an element of UL
_ITEM_BYTES: Final = 8
_LINKS_BYTES: Final = 2 * _OFFSET_BYTES + 10


class _Node:
    """A record and those below it; laid out, it knows where they stand."""

    def __init__(self, record: bytes, below: "list[_Node]") -> None:
        self._record = record
        self._below = below
        self._size = _ITEM_BYTES + _LINKS_BYTES + len(record)

    def extent(self) -> int:
        """Bytes of this record and all below it."""
        return self._size + sum(one.extent() for one in self._below)

    def lay(self, at: int, following: int, items: list[bytes]) -> None:
        """Add this record, which stands at ``at`` in the file, and then all below it. ``following``: where the next
        one of its own level stands, 0: it is the last."""
        lower = at + self._size if self._below else 0
        links = dataset.element(0x00041400, "UL", following.to_bytes(4, "little"))
        links += dataset.element(0x00041410, "US", b"\xff\xff")
        links += dataset.element(0x00041420, "UL", lower.to_bytes(4, "little"))
        items.append(pack("<HHI", 0xFFFE, 0xE000, len(links) + len(self._record)) + links + self._record)
        for number, one in enumerate(self._below, 1):
            behind = lower + one.extent()
            one.lay(lower, behind if number < len(self._below) else 0, items)
            lower = behind


def _record(kind: str, header: bytes, keys: tuple[int, ...], own: bytes = b"") -> bytes:
    """A record without its links."""
    named = dataset.element(0x00041430, "CS", kind.encode())
    found = [
        tag
        for tag in (CHARACTER_SET, *sorted(keys))
        if tag not in _NEVER_EMPTY or (kind, tag) in _EMPTY or parts.element(header, tag)
    ]
    return named + own + dataset.project(header, found)


def _referring(entry: Entry) -> bytes:
    """The record of a file."""
    instance = entry.instance
    kind = record_type(instance.sop_class_uid, has_rows=bool(parts.element(entry.header, 0x00280010)))
    own = dataset.element(0x00041432, "UI", instance.sop_class_uid.encode()) if kind == "PRIVATE" else b""
    own += dataset.element(0x00041500, "CS", entry.name.replace("/", "\\").encode())
    own += dataset.element(0x00041510, "UI", instance.sop_class_uid.encode())
    own += dataset.element(0x00041511, "UI", instance.sop_instance_uid.encode())
    own += dataset.element(0x00041512, "UI", instance.transfer_syntax_uid.encode())
    return _record(kind, entry.header, KEYS[kind], own)


def record_type(sop_class_uid: str, *, has_rows: bool) -> str:
    """The Directory Record Type of a storage class (PS3.3 F.4)."""
    if sop_class_uid.startswith(STORAGE):
        numbers = sop_class_uid.removeprefix(STORAGE).split(".")
        for count in range(len(numbers), 0, -1):
            if (kind := TYPES.get(".".join(numbers[:count]))) is not None:
                return kind
    return "IMAGE" if has_rows else "PRIVATE"
