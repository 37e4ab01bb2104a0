"""What stored elements say, as it is searched: texts by path. Pure."""

import re
from collections.abc import Iterator
from typing import Final

from engine.index.attributes import CHARACTER_SET
from engine.index.moments import Kind, joined_number, number_of, zone_minutes
from engine.index.names import PRIVATE_NAME, name_terms
from native import parts
from native.explicit import elements, items
from native.text import NUMBERS, decode, searched_numbers

VALUE_CHARACTERS_MAX: Final = 1024  # longer values are not searchable: a term of the index stays small
READ_COUNT_MAX: Final = 8192  # most elements are equal in all instances of a series: read once; some 600 bytes each
READ_BYTES_MAX: Final = 512  # longer ones are read anew: they are rare, and would make the memory large

TIMEZONE: Final = 0x00080201
_STEP: Final = re.compile(r"([0-9A-F]{8}|[0-9A-F]{4},.*?,[0-9A-F]{2})(?:\.(?=[0-9A-F]{4})|$)")
Texts = dict[str, tuple[str, ...]]  # path -> values as they are compared
Kinds = dict[str, Kind]  # path -> what its values are, of dates and times
_read: dict[tuple[str, bytes], tuple[Texts, Kinds]] = {}
_NOTHING: Final[tuple[Texts, Kinds]] = ({}, {})

_SINGLE_VRS: Final = frozenset((b"LT", b"ST", b"UT", b"UR"))
_TEXT_VRS: Final = frozenset((b"LO", b"LT", b"PN", b"SH", b"ST", b"UC", b"UT"))
_PLAIN_VRS: Final = frozenset((b"AE", b"AS", b"CS", b"DA", b"DS", b"DT", b"IS", b"TM", b"UI", b"UR"))
_KINDS: Final[dict[bytes, Kind]] = {b"DA": "DA", b"TM": "TM", b"DT": "DT"}
_BINARY_VRS: Final = frozenset((b"AT", *(vr.encode() for vr in NUMBERS)))


class Part:
    """A header, or one item of a sequence in it, as it is searched. ``home``: the zone of its data set, in minutes."""

    __slots__ = ("character_set", "header", "home")

    def __init__(self, header: bytes, character_set: str, home: int | None) -> None:
        self.header = header
        self.character_set = character_set
        self.home = home

    def values(self, path: str) -> tuple[str, ...]:
        """The values of one attribute; only this attribute is read."""
        return texts_of(part_at(self.header, path), self.character_set).get(path, ())

    def numbers(self, path: str, kind: Kind, zone: int | None) -> list[int]:
        """The sound dates or times among its values."""
        found = (number_of(kind, text, zone, self.home) for text in self.values(path))
        return [number for number in found if number is not None]

    def moments(self, date: str, time: str, zone: int | None) -> list[int]:
        """The first date with the first time."""
        days, clocks = self.numbers(date, "DA", None), self.numbers(time, "TM", None)
        joined = joined_number(days[0], clocks[0], zone, self.home) if days and clocks else None
        return [] if joined is None else [joined]

    def own_numbers(self, field: str) -> tuple[int, ...]:
        """A part has no numbers of its own."""
        return ()

    def items(self, step: str) -> "list[Part]":
        """The items of a sequence of this level."""
        return [
            Part(item, character_set_of(item) or self.character_set, self.home)
            for item in _items_of(_sequence_at(self.header, step, self.character_set))
        ]


def part_of(header: bytes) -> Part:
    """A whole header."""
    home = parts.element(header, TIMEZONE)
    return Part(header, character_set_of(header), zone_minutes(home[8:].decode("ascii", "replace")) if home else None)


def texts_at(header: bytes, path: str) -> tuple[str, ...]:
    """The values of one attribute: ``path`` as ``model.Key`` has it. Only this attribute is read."""
    piece = part_at(header, path)
    if not piece:
        return ()
    return texts_of(piece, "" if _is_plain(piece) else character_set_of(header)).get(path, ())


def steps(path: str) -> list[str]:
    """A path cut at its sequences; a dot in the name of a private creator is no cut."""
    return [match.group(1) for match in _STEP.finditer(path)]


def part_at(header: bytes, path: str) -> bytes:
    """The bytes that an attribute is read from: its top-level element, or its private group with the creators."""
    group = int(path[:4], 16)
    return parts.group(header, group) if group & 1 else parts.element(header, int(path[:8], 16))


def _sequence_at(header: bytes, step: str, character_set: str) -> bytes:
    """The value of a sequence of this level; empty when there is none."""
    piece = part_at(header, step)
    creators: dict[int, str] = {}
    for tag, vr, _, value, end in elements(piece):
        number = tag & 0xFFFF
        if tag >> 16 & 1 and 0x10 <= number <= 0xFF:
            creators[number] = next(iter(_values(b"LO", piece[value:end], character_set)), "")
        creator = creators.get(number >> 8) if tag >> 16 & 1 else None
        name = f"{tag >> 16:04X},{creator},{number & 0xFF:02X}" if creator else f"{tag:08X}"
        if vr == b"SQ" and name == step:
            return piece[value:end]
    return b""


def _items_of(value: bytes) -> Iterator[bytes]:
    for start, end in items(value):
        yield value[start:end]


def texts_in(header: bytes, character_set: str) -> Iterator[tuple[str, tuple[str, ...], Kind | None]]:
    """All that is searchable of a header, or of a part of one that was written in ``character_set``: path, values, and
    of dates and times what they are."""
    for piece in _pieces(header):
        texts, kinds = _known(piece, character_set)
        for path, values in texts.items():
            yield path, values, kinds.get(path)


def character_set_of(header: bytes) -> str:
    """Specific Character Set (0008,0005) as it stands there; empty when absent."""
    return parts.element(header, CHARACTER_SET)[8:].decode("ascii", "replace")


def texts_of(piece: bytes, character_set: str) -> Texts:
    """The values of one element (a sequence: of all in it), or of one private group with its creators."""
    return _known(piece, character_set)[0]


def _known(piece: bytes, character_set: str) -> tuple[Texts, Kinds]:
    if not piece:
        return _NOTHING
    if _is_plain(piece):
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


def _is_plain(piece: bytes) -> bool:
    """Whether it says the same in every character set."""
    return piece.isascii() and b"\x1b" not in piece


def _texts_of(piece: bytes, character_set: str) -> tuple[Texts, Kinds]:
    found: dict[str, list[str]] = {}
    kinds: Kinds = {}
    for path, vr, text in _texts(piece, 0, len(piece), "", character_set, 0):
        if vr == b"PN":
            is_private = "," in path.rpartition(".")[2]
            for field, name in name_terms(path + PRIVATE_NAME if is_private else path, text):
                found.setdefault(field, []).append(name)
        else:
            found.setdefault(path, []).append(text)
        if kind := _KINDS.get(vr):
            kinds[path] = kind
    return {path: tuple(texts) for path, texts in found.items()}, kinds


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
                for item, item_end in items(header, value, stop):
                    yield from _texts(header, item, item_end, f"{prefix}{path}.", character_set, depth + 1)
        elif stop - value <= 4 * VALUE_CHARACTERS_MAX:
            for text in _values(vr, header[value:stop], character_set):
                if text and len(text) <= VALUE_CHARACTERS_MAX:
                    yield prefix + path, vr, text


def _values(vr: bytes, raw: bytes, character_set: str) -> list[str]:
    if not raw:
        return []
    if vr in _BINARY_VRS:
        return searched_numbers(vr.decode(), raw)
    if vr not in _TEXT_VRS and vr not in _PLAIN_VRS:
        return []
    text = raw.decode("ascii") if _is_plain(raw) else decode(raw, character_set.encode() if vr in _TEXT_VRS else b"")
    text = text.replace("\r", " ").replace("\n", " ")
    parts = [text] if vr in _SINGLE_VRS else text.split("\\")
    return [part.strip(" \0") for part in parts]
