"""What the index reads out of a stored header: elements, text, names as they are compared, levels. Pure."""

import unicodedata
from collections.abc import Iterator
from struct import Struct
from typing import Final

from pydicom.charset import convert_encodings, decode_bytes

from engine.model import Level

VALUE_CHARACTERS_MAX: Final = 1024  # longer values are not searchable: a term of the index stays small

_HEAD: Final = Struct("<HH2sH")
_LONG: Final = Struct("<I")
_LONG_VRS: Final = frozenset(
    (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
)
_SINGLE_VRS: Final = frozenset((b"LT", b"ST", b"UT", b"UR"))
_TEXT_VRS: Final = frozenset((b"LO", b"LT", b"PN", b"SH", b"ST", b"UC", b"UT"))
_PLAIN_VRS: Final = frozenset((b"AE", b"AS", b"CS", b"DA", b"DS", b"DT", b"IS", b"TM", b"UI", b"UR"))
_NUMBERS: Final = {
    b"US": Struct("<H"), b"SS": Struct("<h"), b"UL": Struct("<I"), b"SL": Struct("<i"),
    b"FL": Struct("<f"), b"FD": Struct("<d"), b"UV": Struct("<Q"), b"SV": Struct("<q"),
}  # fmt: skip
_CHARACTER_SET: Final = 0x00080005

# Attributes of the patient, study and series modules that rows of those levels answer (PS3.3 C.7.1-C.7.3).
_PATIENT: Final = frozenset(
    (0x00080005, 0x00100010, 0x00100020, 0x00100021, 0x00100022, 0x00100024, 0x00100030, 0x00100032, 0x00100040,
     0x00101000, 0x00101001, 0x00102160, 0x00102201, 0x00102292, 0x00104000, 0x00120062, 0x00120063, 0x00120064)
)  # fmt: skip
_STUDY: Final = _PATIENT | frozenset(
    (0x00080020, 0x00080030, 0x00080050, 0x00080051, 0x00080080, 0x00080090, 0x00080096, 0x00081030, 0x00081032,
     0x00081048, 0x00081060, 0x00081080, 0x00081110, 0x00101010, 0x00101020, 0x00101030, 0x00102180, 0x001021B0,
     0x0020000D, 0x00200010, 0x00321033, 0x00324000, 0x00380010, 0x00380500)
)  # fmt: skip
_SERIES: Final = _STUDY | frozenset(
    (0x00080021, 0x00080031, 0x00080060, 0x00080064, 0x00080068, 0x00080070, 0x00081010, 0x00081040, 0x00081050,
     0x0008103E, 0x0008103F, 0x00081070, 0x00081090, 0x00081111, 0x00180015, 0x00181000, 0x00181020, 0x00181030,
     0x00185100, 0x0020000E, 0x00200011, 0x00200052, 0x00200060, 0x00201040, 0x00400244, 0x00400245, 0x00400253,
     0x00400254, 0x00400275)
)  # fmt: skip
_LEVEL_TAGS: Final = {Level.PATIENT: _PATIENT, Level.STUDY: _STUDY, Level.SERIES: _SERIES}

Element = tuple[int, bytes, int, int, int]  # tag, VR, start, value start, end


def elements(header: bytes, start: int = 0, end: int | None = None) -> Iterator[Element]:
    """Elements of one level of a stored header (Explicit VR Little Endian, defined lengths). Stops at what is cut."""
    at, end = start, len(header) if end is None else end
    while at + 8 <= end:
        group, number, vr, length = _HEAD.unpack_from(header, at)
        value = at + 8
        if vr in _LONG_VRS:
            if at + 12 > end:
                return
            (length,) = _LONG.unpack_from(header, value)
            value += 4
        if value + length > end:
            return
        yield group << 16 | number, vr, at, value, value + length
        at = value + length


def level_header(header: bytes, level: Level) -> bytes:
    """The elements of a stored header that belong to a level or above it."""
    tags = _LEVEL_TAGS.get(level)
    if tags is None:
        return header
    return b"".join(header[start:end] for tag, _, start, _, end in elements(header) if tag in tags)


def merged(first: bytes, second: bytes) -> bytes:
    """One ascending header of two; ``first`` wins."""
    parts = {tag: second[start:end] for tag, _, start, _, end in elements(second)}
    parts.update((tag, first[start:end]) for tag, _, start, _, end in elements(first))
    return b"".join(parts[tag] for tag in sorted(parts))


def element(tag: int, vr: str, text: str) -> bytes:
    """One element with a short ASCII value, padded to even length."""
    value = text.encode("ascii", "replace")
    if len(value) & 1:
        value += b"\0" if vr == "UI" else b" "
    return _HEAD.pack(tag >> 16, tag & 0xFFFF, vr.encode(), min(len(value), 65534)) + value[:65534]


def pieces(header: bytes) -> Iterator[tuple[str, bytes]]:
    """A stored header in parts that can be understood by themselves, each with the character set that holds for it: one
    element, or all elements of a private group (they need its creators)."""
    character_set = ""
    private_group = private_start = private_end = 0
    for tag, _, start, value, end in elements(header):
        group = tag >> 16
        if private_group and group != private_group:
            yield character_set, header[private_start:private_end]
            private_group = 0
        if group & 1:
            private_group, private_start, private_end = group, start if not private_group else private_start, end
            continue
        if tag == _CHARACTER_SET:
            character_set = header[value:end].decode("ascii", "replace")
        yield character_set, header[start:end]
    if private_group:
        yield character_set, header[private_start:private_end]


def texts_of(piece: bytes, character_set: str) -> Iterator[tuple[str, bytes, str]]:
    """As ``texts``, of one piece."""
    return _texts(piece, 0, len(piece), "", character_set, 0)


def short_texts(header: bytes, wanted: tuple[int, ...]) -> list[str]:
    """Plain ASCII values of some top-level attributes, given ascending, in one pass; empty when absent."""
    found = dict.fromkeys(wanted, "")
    at, end, last = 0, len(header), wanted[-1]
    while at + 8 <= end:
        group, number, vr, length = _HEAD.unpack_from(header, at)
        value = at + 8
        if vr in _LONG_VRS:
            if at + 12 > end:
                break
            (length,) = _LONG.unpack_from(header, value)
            value += 4
        tag = group << 16 | number
        if tag > last or value + length > end:
            break
        if tag in found:
            found[tag] = header[value : value + length].decode("ascii", "replace").strip(" \0")
        at = value + length
    return list(found.values())


def first_text(header: bytes, wanted: int) -> str:
    """The text of one top-level attribute, values joined by backslash; empty when absent."""
    character_set = ""
    for tag, vr, _, value, end in elements(header):
        if tag == _CHARACTER_SET:
            character_set = header[value:end].decode("ascii", "replace")
        if tag == wanted:
            return "\\".join(_values(vr, header[value:end], character_set))
        if tag > wanted:
            break
    return ""


def _texts(
    header: bytes, start: int, end: int, prefix: str, character_set: str, depth: int
) -> Iterator[tuple[str, bytes, str]]:
    creators: dict[tuple[int, int], str] = {}
    for tag, vr, _, value, stop in elements(header, start, end):
        group, number = tag >> 16, tag & 0xFFFF
        if tag == _CHARACTER_SET:
            character_set = header[value:stop].decode("ascii", "replace")
        path = f"{tag:08X}"
        if group & 1:
            if 0x10 <= number <= 0xFF:
                creators[group, number] = next(iter(_values(b"LO", header[value:stop], character_set)), "")
            elif creator := creators.get((group, number >> 8)):
                path = f"{group:04X},{creator},{number & 0xFF:02X}"
        if vr == b"SQ":
            if depth < 64:
                for _, _, _, item, item_end in _items(header, value, stop):
                    yield from _texts(header, item, item_end, f"{prefix}{path}.", character_set, depth + 1)
        elif stop - value <= 4 * VALUE_CHARACTERS_MAX:
            for text in _values(vr, header[value:stop], character_set):
                if text and len(text) <= VALUE_CHARACTERS_MAX:
                    yield prefix + path, vr, text


def _items(header: bytes, start: int, end: int) -> Iterator[Element]:
    at = start
    while at + 8 <= end:
        group, number, length = Struct("<HHI").unpack_from(header, at)
        if at + 8 + length > end:
            return
        yield group << 16 | number, b"", at, at + 8, at + 8 + length
        at += 8 + length


def _values(vr: bytes, raw: bytes, character_set: str) -> list[str]:
    if not raw:
        return []
    if packed := _NUMBERS.get(vr):
        usable = raw[: len(raw) - len(raw) % packed.size]
        return [f"{number:g}" if isinstance(number, float) else str(number) for (number,) in packed.iter_unpack(usable)]
    if vr == b"AT":
        return [f"{group:04X}{number:04X}" for group, number in Struct("<HH").iter_unpack(raw[: len(raw) & ~3])]
    if vr not in _TEXT_VRS and vr not in _PLAIN_VRS:
        return []
    text = _decoded(raw, character_set if vr in _TEXT_VRS else "")
    text = text.replace("\r", " ").replace("\n", " ")
    parts = [text] if vr in _SINGLE_VRS else text.split("\\")
    return [part.strip(" \0") for part in parts]


def _decoded(raw: bytes, character_set: str) -> str:
    if raw.isascii() and b"\x1b" not in raw:
        return raw.decode("ascii")
    names = [name.strip(" \0") for name in character_set.split("\\")]
    if names == ["ISO_IR 192"]:
        return raw.decode("utf-8", "replace")
    try:
        return str(decode_bytes(raw, convert_encodings(names if names != [""] else ["ISO_IR 100"]), set()))
    except (LookupError, UnicodeError, ValueError):
        return raw.decode("latin-1")


def name_terms(value: str) -> list[str]:
    """A person name as it is compared: each component group by itself, folded (C12)."""
    return [folded for group in value.split("=") if (folded := fold_name(group))]


def fold_name(text: str) -> str:
    """Lower case, accents off, trailing delimiters off."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return unicodedata.normalize("NFC", bare.casefold()).strip(" ^")


def date_number(text: str) -> int | None:
    """A DA value as yyyymmdd."""
    digits = text.strip().replace(".", "")
    return int(digits) if len(digits) == 8 and digits.isascii() and digits.isdigit() else None


def time_number(text: str, fill: str = "0") -> int | None:
    """A TM value as hhmmssffffff; what is not said is filled with zeros, or by ``fill`` for the end of its span."""
    digits, _, fraction = text.strip().replace(":", "").partition(".")
    if not (digits + fraction).isascii() or not (digits + fraction).isdigit() or len(digits) not in (2, 4, 6):
        return None
    tail = "5959" if fill == "9" else "0000"
    return int((digits + tail[len(digits) - 2 :]) + (fraction[:6]).ljust(6, fill))
