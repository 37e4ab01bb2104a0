"""A data set of its DICOM JSON (PS3.18 F): Explicit VR Little Endian, in UTF-8. Pure.

Values that came apart from it (BulkDataURI) are named by their URI, not read: ``Pieces`` says where they go.
"""

import re
from base64 import b64decode
from binascii import Error
from collections.abc import Callable, Mapping
from struct import Struct, pack
from struct import error as NotPacked
from typing import Any, Final

from native import dataset
from native.explicit import HEAD, item
from native.faults import DEPTH_MAX
from native.text import NUMBERS

CHARACTER_SET: Final = 0x00080005
AVAILABLE_TRANSFER_SYNTAX: Final = 0x00083002  # says how it may be had; it is not of the data set
_TAG: Final = re.compile(r"[0-9A-Fa-f]{8}")
_BINARY: Final = frozenset(("OB", "OD", "OF", "OL", "OV", "OW", "UN"))
_TEXT: Final = frozenset(
    ("AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT")
)
_GROUPS: Final = ("Alphabetic", "Ideographic", "Phonetic")
_LONG_HEAD: Final = Struct("<HH2sHI")
_LENGTH_MAX: Final = 0xFFFFFFFE
_MIXED: Final = "an attribute has values of a kind that it cannot have"

# A piece of a data set: bytes, or the URI of a value that came apart.
Piece = bytes | str
Pieces = list[Piece]
LengthOf = Callable[[str], int | None]


class Unsound(ValueError):
    """This is no data set in DICOM JSON. ``str``: one sentence (64 characters at most) without a value of it."""


def pieces_of(model: Mapping[str, Any], length_of: LengthOf) -> Pieces:
    """The data set. ``length_of`` a URI: how long the value is that came under it. Raises Unsound."""
    return _elements(model, length_of, 0)


def _elements(model: Any, length_of: LengthOf, depth: int) -> Pieces:
    if not isinstance(model, dict):
        raise Unsound("a data set is not a JSON object")
    if depth > DEPTH_MAX:
        raise Unsound(f"sequences are nested deeper than {DEPTH_MAX}")
    wanted = {}
    for name, said in model.items():
        if not _TAG.fullmatch(name) or not isinstance(said, dict):
            raise Unsound("an attribute has no name of 8 hex digits")
        wanted[int(name, 16)] = said
    if depth == 0:
        wanted[CHARACTER_SET] = {"vr": "CS", "Value": ["ISO_IR 192"]}
    elif CHARACTER_SET in wanted:
        del wanted[CHARACTER_SET]
    pieces: Pieces = []
    for tag in sorted(wanted):
        is_of_file = tag >> 16 <= 2 or tag & 0xFFFF == 0
        if not is_of_file and tag != AVAILABLE_TRANSFER_SYNTAX:
            pieces += _element(tag, wanted[tag], length_of, depth)
    return pieces


def _element(tag: int, said: Mapping[str, Any], length_of: LengthOf, depth: int) -> Pieces:
    vr, values = said.get("vr"), said.get("Value", [])
    if not isinstance(vr, str) or not isinstance(values, list):
        raise Unsound("an attribute has no value representation")
    if (uri := said.get("BulkDataURI")) is not None:
        return _apart(tag, vr, uri, length_of)
    if vr == "SQ":
        return _sequence(tag, values, length_of, depth)
    try:
        return [dataset.element(tag, vr, _value(vr, said, values))]
    except Unsound:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, NotPacked, Error):
        raise Unsound(_MIXED) from None


def _apart(tag: int, vr: str, uri: Any, length_of: LengthOf) -> Pieces:
    length = length_of(uri) if isinstance(uri, str) else None
    if length is None:
        raise Unsound("a value came neither inline nor as a part of the request")
    if vr not in _BINARY and vr not in _TEXT and vr not in NUMBERS:
        raise Unsound(_MIXED)
    even = length + (length & 1)
    padding = b" " if vr in _TEXT and vr != "UI" else b"\0"
    if vr in _BINARY or vr in ("UC", "UR", "UT", "SV", "UV"):
        if even > _LENGTH_MAX:
            raise Unsound("a value is longer than an element may be")
        head = _LONG_HEAD.pack(tag >> 16, tag & 0xFFFF, vr.encode(), 0, even)
    elif even > 0xFFFE:
        raise Unsound("a value is too long for its value representation")
    else:
        head = HEAD.pack(tag >> 16, tag & 0xFFFF, vr.encode(), even)
    return [head, uri, padding * (length & 1)]


def _sequence(tag: int, values: list[Any], length_of: LengthOf, depth: int) -> Pieces:
    inner: Pieces = []
    for one in values:
        pieces = _elements({} if one is None else one, length_of, depth + 1)
        inner += [item(b"")[:4] + pack("<I", _length(pieces, length_of)), *pieces]
    return [_LONG_HEAD.pack(tag >> 16, tag & 0xFFFF, b"SQ", 0, _length(inner, length_of)), *inner]


def _length(pieces: Pieces, length_of: LengthOf) -> int:
    length = sum(len(one) if isinstance(one, bytes) else length_of(one) or 0 for one in pieces)
    if length > _LENGTH_MAX:
        raise Unsound("a value is longer than an element may be")
    return length


def _value(vr: str, said: Mapping[str, Any], values: list[Any]) -> bytes:
    if vr in _BINARY:
        if values:
            raise Unsound(_MIXED)
        return b64decode(said.get("InlineBinary", ""), validate=True)
    if vr in NUMBERS:
        read = float if vr in ("FL", "FD") else int
        return b"".join(pack(NUMBERS[vr], read(one)) for one in values if one is not None)
    if vr == "AT":
        tags = [int(one, 16) for one in values if one is not None]
        return b"".join(pack("<HH", tag >> 16, tag & 0xFFFF) for tag in tags)
    if vr not in _TEXT:
        raise Unsound("an attribute has a value representation that is none")
    return "\\".join(_text(vr, one) for one in values).encode()


def _text(vr: str, one: Any) -> str:
    if one is None:
        return ""
    if vr == "PN" and isinstance(one, dict):
        return "=".join(one.get(group) or "" for group in _GROUPS).rstrip("=")
    if isinstance(one, bool) or not isinstance(one, (str, int)):
        raise Unsound(_MIXED)
    return str(one)
