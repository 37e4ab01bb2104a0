"""Of stored headers: levels, short values, and the few attributes that rows are made from. Pure."""

from typing import Final

from engine.model import Level
from native import dataset, parts
from native.explicit import HEAD

CHARACTER_SET: Final = 0x00080005

# Attributes of the patient, study and series modules that rows of those levels answer (PS3.3 C.7.1-C.7.3).
_PATIENT: Final = frozenset(
    (0x00080005, 0x00100010, 0x00100020, 0x00100021, 0x00100022, 0x00100024, 0x00100030, 0x00100032, 0x00100040,
     0x00101000, 0x00101001, 0x00102160, 0x00102201, 0x00102292, 0x00104000, 0x00120062, 0x00120063, 0x00120064)
)  # fmt: skip
_STUDY: Final = _PATIENT | frozenset(
    (0x00080020, 0x00080030, 0x00080050, 0x00080051, 0x00080080, 0x00080090, 0x00080096, 0x00080201, 0x00081030,
     0x00081032, 0x00081048, 0x00081060, 0x00081080, 0x00081110, 0x00101010, 0x00101020, 0x00101030, 0x00102180,
     0x001021B0, 0x0020000D, 0x00200010, 0x00321033, 0x00324000, 0x00380010, 0x00380500)
)  # fmt: skip
_SERIES: Final = _STUDY | frozenset(
    (0x00080021, 0x00080031, 0x00080060, 0x00080064, 0x00080068, 0x00080070, 0x00081010, 0x00081040, 0x00081050,
     0x0008103E, 0x0008103F, 0x00081070, 0x00081090, 0x00081111, 0x00180015, 0x00181000, 0x00181020, 0x00181030,
     0x00185100, 0x0020000E, 0x00200011, 0x00200052, 0x00200060, 0x00201040, 0x00400244, 0x00400245, 0x00400253,
     0x00400254, 0x00400275)
)  # fmt: skip
LEVEL_TAGS: Final = {Level.PATIENT: _PATIENT, Level.STUDY: _STUDY, Level.SERIES: _SERIES}


def level_header(header: bytes, level: Level) -> bytes:
    """The elements of a stored header that belong to a level or above it."""
    tags = LEVEL_TAGS.get(level)
    return header if tags is None else parts.cut(header, tags)[0]


def labelled(header: bytes, character_set: str) -> bytes:
    """A stored header that names its character set: this one, when it names none and may need one."""
    if not character_set or (header.isascii() and b"\x1b" not in header) or parts.element(header, CHARACTER_SET):
        return header
    return dataset.merge((element(CHARACTER_SET, "CS", character_set), header))


def element(tag: int, vr: str, text: str) -> bytes:
    """One element with a short ASCII value, padded to even length."""
    value = text.encode("ascii", "replace")
    if len(value) & 1:
        value += b"\0" if vr == "UI" else b" "
    return HEAD.pack(tag >> 16, tag & 0xFFFF, vr.encode(), min(len(value), 65534)) + value[:65534]


def short_text(header: bytes, tag: int) -> str:
    """A plain ASCII value of a top-level attribute with a short head; empty when absent."""
    return parts.element(header, tag)[8:].decode("ascii", "replace").strip(" \0")
