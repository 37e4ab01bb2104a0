"""C-FIND and C-MOVE identifiers to queries of the engine (PS3.4 C.2.2, C.4.1, C.4.2). Pure: bytes in, values out."""

from functools import cache
from struct import calcsize
from typing import Literal

import msgspec

from engine import attributes_below
from engine.model import Key, Level, Query
from native import dataset
from native.text import NUMBERS, searched_numbers
from protocols import query_values
from protocols.query_values import Refused as Refused

EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"

# A query for every attribute of a CT is about a hundred keys.
KEYS_MAX = 512

CHARACTER_SET = 0x00080005
LEVEL = 0x00080052
TIMEZONE = 0x00080201
RETRIEVE_AE_TITLE = 0x00080054
AVAILABILITY = 0x00080056
STUDY_UID = 0x0020000D
SERIES_UID = 0x0020000E
SOP_INSTANCE_UID = 0x00080018
PATIENT_ID = 0x00100020

# Said in every answer, or about the encoding of the question: not attributes to match.
_NOT_KEYS = frozenset(
    {CHARACTER_SET, LEVEL, 0x00080053, RETRIEVE_AE_TITLE, AVAILABILITY, 0x00080201, 0x00880130, 0x00880140}
)

_LEVELS = {"PATIENT": Level.PATIENT, "STUDY": Level.STUDY, "SERIES": Level.SERIES, "IMAGE": Level.INSTANCE}
_ORDER = (Level.PATIENT, Level.STUDY, Level.SERIES, Level.INSTANCE)
_UNIQUE = {
    Level.PATIENT: PATIENT_ID,
    Level.STUDY: STUDY_UID,
    Level.SERIES: SERIES_UID,
    Level.INSTANCE: SOP_INSTANCE_UID,
}
# Counted over a patient's studies: answered, not matched.
_COUNTED = frozenset({0x00201200, 0x00201202, 0x00201204})
# Named in the query even without a value: a level below answers them only when it is asked.
_COMPUTED = frozenset({0x00080061, 0x00080062, 0x00201206, 0x00201208, 0x00201209})
# What has no text is not searched.
_OPAQUE = frozenset({"OB", "OD", "OF", "OL", "OV", "OW"})

_BINARY_BYTES = {"AT": 4, **{vr: calcsize(form) for vr, form in NUMBERS.items()}}


class Identifier(msgspec.Struct, frozen=True):
    """What a C-FIND identifier asks for.

    ``tags``: what to return, ascending. ``unsupported``: some optional key was neither matched nor answered (FF01).
    """

    query: Query
    level_name: str
    tags: tuple[int, ...]
    unsupported: bool = False


class QueryOptions(msgspec.Struct, frozen=True):
    """What was agreed beyond the base (PS3.4 C.5.1.1): relational queries, a date and its time as one moment, names by
    how their words begin, moments compared across time zones."""

    relational: bool = False
    combined_date_time: bool = False
    fuzzy: bool = False
    zone: bool = False


BASE = QueryOptions()


class Element(msgspec.Struct, frozen=True):
    """One element of an identifier, nested ones by their path."""

    path: str
    vr: str
    value: bytes


Root = Literal["patient", "study"]


def find_identifier(
    identifier: bytes,
    transfer_syntax_uid: str,
    root: Root,
    *,
    limit: int | None = None,
    options: QueryOptions = BASE,
    character_set: str = "",
) -> Identifier:
    """Read a C-FIND identifier (PS3.4 C.4.1.1.3). ``character_set``: of one that names none. Raises Refused."""
    elements = _elements(identifier, transfer_syntax_uid)
    level = _level(elements, root)
    reader = _Reader(elements, character_set)
    if not options.relational:
        _require_upper_keys(reader, level, root)
    top = [int(element.path, 16) for element in elements if len(element.path) == 8]
    below = matched_below(level)
    keys: list[Key] = []
    unsupported = False
    for element in elements:
        tag = int(element.path[:8], 16)
        if tag in _NOT_KEYS or tag & 0xFFFF == 0 or _is_creator(element.path):
            continue
        unsupported = unsupported or tag in below
        if element.vr in _OPAQUE or element.vr == "SQ":
            unsupported = unsupported or (element.vr != "SQ" and bool(element.value))
            continue
        path = reader.key_path(element)
        values = reader.values(element)
        if path is None:
            unsupported = unsupported or bool(values)
        elif tag in _COUNTED:
            unsupported = unsupported or bool(values)
            keys.append(Key(path))
        elif values or tag in _COMPUTED:
            keys.append(Key(path, values))
    tags = tuple(sorted({tag for tag in top if tag not in _NOT_KEYS and tag & 0xFFFF}))
    query = Query(
        level=level,
        keys=tuple(keys),
        limit=limit,
        fuzzy=options.fuzzy,
        combined_date_time=options.combined_date_time,
        zone=reader.zone() if options.zone else "",
    )
    return Identifier(query, _name(level), tags, unsupported)


def move_identifier(identifier: bytes, transfer_syntax_uid: str, root: Root, *, relational: bool = False) -> Query:
    """Read a C-MOVE or C-GET identifier (PS3.4 C.4.2.1.4): unique keys count. Raises Refused.

    One value for each level above, one or a list at the level asked. ``relational``: levels above may be left out or
    have lists, and those below choose among what is sent (C.4.2.2.2); else they are refused, for more would be sent
    than they say.
    """
    elements = _elements(identifier, transfer_syntax_uid)
    level = _level(elements, root)
    reader = _Reader(elements)
    if not relational:
        _require_upper_keys(reader, level, root)
    keys = []
    for one in _ORDER:
        if values := _unique_values(reader, one, is_asked=one is level):
            if _ORDER.index(one) > _ORDER.index(level) and not relational:
                raise Refused(f"unique key {_UNIQUE[one]:08X} is of a level below")
            keys.append(Key(f"{_UNIQUE[one]:08X}", values))
    return Query(level=level, keys=tuple(keys))


def _unique_values(reader: "_Reader", level: Level, *, is_asked: bool) -> tuple[str, ...]:
    """The values of a level's unique key. Raises Refused for those that retrieve nothing definite."""
    tag = _UNIQUE[level]
    element = reader.find(tag)
    values = reader.values(element) if element is not None else ()
    if is_asked and not values:
        raise Refused(f"unique key {tag:08X} has no value")
    if any("*" in value or "?" in value for value in values):
        raise Refused(f"unique key {tag:08X} has a wild card")
    if is_asked and level is Level.PATIENT and len(values) != 1:
        raise Refused(f"unique key {tag:08X} must have one value")
    return values


def _name(level: Level) -> str:
    return "IMAGE" if level is Level.INSTANCE else level.value.upper()


def never_matched(path: str, vr: str) -> bool:
    """Whether an attribute is never a key: said in every answer, counted, without text, or private by number alone."""
    if "," in path:
        return False
    tag = int(path[:8], 16)
    is_private = bool(tag >> 16 & 1)
    return tag in _NOT_KEYS or tag in _COUNTED or tag & 0xFFFF == 0 or vr in _OPAQUE or vr == "SQ" or is_private


@cache
def matched_below(level: Level) -> frozenset[int]:
    """Attributes that exist only below a level: they choose what holds one with them, and are not answered at it."""
    return frozenset(int(path, 16) for path in attributes_below(level))


def _elements(identifier: bytes, transfer_syntax_uid: str) -> list[Element]:
    try:
        walked = dataset.walk(identifier, transfer_syntax_uid)
    except dataset.Malformed as error:
        raise Refused("the identifier is not a sound data set") from error
    if len(walked) > KEYS_MAX:
        raise Refused(f"more than {KEYS_MAX} keys")
    return [Element(path, vr, identifier[offset : offset + length]) for path, vr, offset, length in walked]


def _level(elements: list[Element], root: Root) -> Level:
    for element in elements:
        if element.path == f"{LEVEL:08X}":
            level = _LEVELS.get(element.value.decode("ascii", "replace").strip(" \0").upper())
            if level is None or (root == "study" and level is Level.PATIENT):
                raise Refused("QueryRetrieveLevel is not one of this information model")
            return level
    raise Refused("QueryRetrieveLevel is missing")


def _require_upper_keys(reader: "_Reader", level: Level, root: Root) -> None:
    """Hierarchical search: one value for the unique key of every level above (PS3.4 C.4.1.2.1, C.4.1.3.1)."""
    for upper in _ORDER[: _ORDER.index(level)]:
        if upper is Level.PATIENT and root == "study":
            continue
        tag = _UNIQUE[upper]
        element = reader.find(tag)
        values = reader.values(element) if element is not None else ()
        if len(values) != 1 or "*" in values[0] or "?" in values[0]:
            raise Refused(f"unique key {tag:08X} of the {_name(upper)} level must have one value")


class _Reader:
    """Values of an identifier's elements, decoded by its Specific Character Set."""

    def __init__(self, elements: list[Element], character_set: str = "") -> None:
        self._by_path = {element.path: element for element in elements}
        named = self._by_path.get(f"{CHARACTER_SET:08X}")
        self._character_set = named.value if named is not None else character_set.encode("ascii")

    def find(self, tag: int) -> Element | None:
        return self._by_path.get(f"{tag:08X}")

    def key_path(self, element: Element) -> str | None:
        """The engine's path of a key; None for a private one whose creator the identifier does not name."""
        above, named = "", []
        for part in element.path.split("."):
            name = self._named(above, part)
            if name is None:
                return None
            named.append(name)
            above += part + "."
        return ".".join(named)

    def zone(self) -> str:
        """Timezone Offset From UTC (0008,0201); empty when it is absent."""
        element = self.find(TIMEZONE)
        return element.value.decode("ascii", "replace").strip(" \0") if element is not None else ""

    def _named(self, above: str, part: str) -> str | None:
        if not int(part[3], 16) & 1:
            return part
        creator = self._by_path.get(f"{above}{part[:4]}00{part[4:6]}")
        if creator is None:
            return None
        name = creator.value.decode("ascii", "replace").strip(" \0")
        return f"{part[:4]},{name},{part[6:]}" if name else None

    def values(self, element: Element) -> tuple[str, ...]:
        """The values to match; empty = universal matching. Raises Refused for what is too large to mean anything."""
        name = element.path[:8]
        if element.vr == "UI":
            return query_values.uids(element.value.decode("ascii", "replace").split("\\"), name)
        if len(element.value) > query_values.VALUE_BYTES_MAX:
            raise Refused(f"key {name} is longer than {query_values.VALUE_BYTES_MAX} bytes")
        if size := _BINARY_BYTES.get(element.vr):
            if len(element.value) % size:
                raise Refused(f"key {name} has a length that its VR does not allow")
            return tuple(searched_numbers(element.vr, element.value))
        text = self._text(element).strip(" \0")
        parts = [text] if element.vr in query_values.WHOLE_TEXT else text.split("\\")
        return query_values.texts(parts, element.vr, name)

    def _text(self, element: Element) -> str:
        raw = element.value
        if raw.isascii() and b"\x1b" not in raw:
            return raw.decode("ascii")
        tag = int(element.path[-8:], 16)
        lone = dataset.element(CHARACTER_SET, "CS", self._character_set) + dataset.element(tag, element.vr, raw)
        return dataset.values(lone, [f"{tag:08X}"])[0] or ""


def _is_creator(path: str) -> bool:
    """Whether it names the owner of private attributes (PS3.5 7.8.1): no key itself."""
    return bool(int(path[-5], 16) & 1) and 0x10 <= int(path[-4:], 16) <= 0xFF
