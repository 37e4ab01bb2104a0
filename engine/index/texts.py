"""What stored elements say, as it is searched: texts by path, names folded, dates and times as numbers. Pure."""

import unicodedata
from collections.abc import Iterator
from struct import Struct
from typing import Final

from pydicom.charset import convert_encodings, decode_bytes

from engine.index.attributes import CHARACTER_SET, Element, elements
from native import parts

VALUE_CHARACTERS_MAX: Final = 1024  # longer values are not searchable: a term of the index stays small
READ_COUNT_MAX: Final = 8192  # most elements are equal in all instances of a series: read once; some 600 bytes each
READ_BYTES_MAX: Final = 512  # longer ones are read anew: they are rare, and would make the memory large

Texts = dict[str, tuple[str, ...]]  # path -> values as they are compared
_read: dict[tuple[str, bytes], Texts] = {}
_NOTHING: Final[Texts] = {}

_SINGLE_VRS: Final = frozenset((b"LT", b"ST", b"UT", b"UR"))
_TEXT_VRS: Final = frozenset((b"LO", b"LT", b"PN", b"SH", b"ST", b"UC", b"UT"))
_PLAIN_VRS: Final = frozenset((b"AE", b"AS", b"CS", b"DA", b"DS", b"DT", b"IS", b"TM", b"UI", b"UR"))
_NUMBERS: Final = {
    b"US": Struct("<H"), b"SS": Struct("<h"), b"UL": Struct("<I"), b"SL": Struct("<i"),
    b"FL": Struct("<f"), b"FD": Struct("<d"), b"UV": Struct("<Q"), b"SV": Struct("<q"),
}  # fmt: skip


def texts_at(header: bytes, path: str) -> tuple[str, ...]:
    """The values of one attribute: ``path`` as ``model.Key`` has it. Only this attribute is read."""
    return texts_of(part_at(header, path), character_set_of(header)).get(path, ())


def part_at(header: bytes, path: str) -> bytes:
    """The bytes that an attribute is read from: its top-level element, or its private group with the creators."""
    group = int(path[:4], 16)
    return parts.group(header, group) if group & 1 else parts.element(header, int(path[:8], 16))


def texts_in(header: bytes, character_set: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """All that is searchable of a header, or of a part of one that was written in ``character_set``."""
    for piece in _pieces(header):
        yield from texts_of(piece, character_set).items()


def character_set_of(header: bytes) -> str:
    """Specific Character Set (0008,0005) as it stands there; empty when absent."""
    return parts.element(header, CHARACTER_SET)[8:].decode("ascii", "replace")


def texts_of(piece: bytes, character_set: str) -> Texts:
    """The values of one element (a sequence: of all in it), or of one private group with its creators."""
    if not piece:
        return _NOTHING
    if piece.isascii() and b"\x1b" not in piece:
        character_set = ""
    known = _read.get((character_set, piece))
    if known is None:
        known = _texts_of(piece, character_set)
        if len(piece) <= READ_BYTES_MAX:
            if len(_read) >= READ_COUNT_MAX:
                _read.clear()
            _read[character_set, piece] = known
    return known


def text_of(header: bytes, tag: int) -> str:
    """The text of one top-level attribute as it stands there, values joined by backslash; empty when absent."""
    for _, vr, _, value, end in elements(parts.element(header, tag)):
        return "\\".join(_values(vr, parts.element(header, tag)[value:end], character_set_of(header)))
    return ""


def _texts_of(piece: bytes, character_set: str) -> Texts:
    found: dict[str, list[str]] = {}
    for path, vr, text in _texts(piece, 0, len(piece), "", character_set, 0):
        found.setdefault(path, []).extend(name_terms(text) if vr == b"PN" else (text,))
    return {path: tuple(texts) for path, texts in found.items()}


def _pieces(header: bytes) -> Iterator[bytes]:
    """A header in parts that can be understood by themselves: one element, or all elements of a private group."""
    group = begin = stop = 0
    for tag, _, start, _, end in elements(header):
        if group and tag >> 16 != group:
            yield header[begin:stop]
            group = 0
        if tag >> 16 & 1:
            group, begin, stop = tag >> 16, begin if group else start, end
        else:
            yield header[start:end]
    if group:
        yield header[begin:stop]


def _texts(
    header: bytes, start: int, end: int, prefix: str, character_set: str, depth: int
) -> Iterator[tuple[str, bytes, str]]:
    creators: dict[tuple[int, int], str] = {}
    for tag, vr, _, value, stop in elements(header, start, end):
        group, number = tag >> 16, tag & 0xFFFF
        if tag == CHARACTER_SET:
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
