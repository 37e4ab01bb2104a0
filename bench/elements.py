"""A writer of Explicit VR Little Endian elements (PS3.5 7.1), small and plain enough to be read as an oracle."""

from itertools import chain
from struct import pack

LONG = frozenset({"OB", "OW", "OF", "OD", "OL", "OV", "SQ", "UC", "UN", "UR", "UT", "SV", "UV"})
NULL_PADDED = frozenset({"UI", "OB", "OW", "UN"})

Element = tuple[int, str, bytes]


def text(tag: int, vr: str, value: str, encoding: str = "ascii") -> Element:
    """A text element; several values are joined by backslash."""
    return tag, vr, value.encode(encoding)


def us(tag: int, *values: int) -> Element:
    """Unsigned shorts."""
    return tag, "US", pack(f"<{len(values)}H", *values)


def sequence(tag: int, *items: list[Element]) -> Element:
    """A sequence with defined lengths."""
    return tag, "SQ", b"".join(pack("<HHI", 0xFFFE, 0xE000, len(body := encode(item))) + body for item in items)


def encode(elements: list[Element]) -> bytes:
    """The elements in tag order."""
    return b"".join(map(_encoded, sorted(elements)))


def encoded(elements: list[Element]) -> list[tuple[int, bytes]]:
    """Each element with its tag, ready to be merged with others."""
    return [(element[0], _encoded(element)) for element in elements]


def merged(*parts: list[tuple[int, bytes]]) -> bytes:
    """Encoded elements of several lists in tag order."""
    return b"".join(data for _, data in sorted(chain(*parts)))


def _encoded(element: Element) -> bytes:
    tag, vr, value = element
    if len(value) % 2:
        value += b"\0" if vr in NULL_PADDED else b" "
    head = pack("<HH", tag >> 16, tag & 0xFFFF) + vr.encode()
    return head + (pack("<HI", 0, len(value)) if vr in LONG else pack("<H", len(value))) + value
