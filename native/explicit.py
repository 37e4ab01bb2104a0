"""Stored headers element by element: Explicit VR Little Endian, defined lengths."""

from collections.abc import Iterator
from struct import Struct
from typing import Final

HEAD: Final = Struct("<HH2sH")
_LONG: Final = Struct("<I")
_ITEM: Final = Struct("<HHI")
_LONG_VRS: Final = frozenset(
    (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
)

Element = tuple[int, bytes, int, int, int]  # tag, VR, start, value start, end


def elements(header: bytes, start: int = 0, end: int | None = None) -> Iterator[Element]:
    """Elements of one level of a stored header. Stops at what is cut."""
    at, end = start, len(header) if end is None else end
    while at + 8 <= end:
        group, number, vr, length = HEAD.unpack_from(header, at)
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


def items(header: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple[int, int]]:
    """Where the items of a sequence's value begin and end, their heads left out. Stops at what is cut."""
    at, end = start, len(header) if end is None else end
    while at + 8 <= end:
        _, _, length = _ITEM.unpack_from(header, at)
        if at + 8 + length > end:
            return
        yield at + 8, at + 8 + length
        at += 8 + length


def item(content: bytes) -> bytes:
    """One item with its head."""
    return _ITEM.pack(0xFFFE, 0xE000, len(content)) + content
