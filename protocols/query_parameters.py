"""Parameters of a search over the web to a query of the engine (PS3.18 8.3.4, 10.6). Pure; ``query`` does the same for
C-FIND identifiers, and both mean the same matches."""

import re
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from engine.model import Key, Level, Query
from native.dictionary import tag_of
from native.parts import representation
from native.text import searched_number
from protocols import query_values
from protocols.query import KEYS_MAX, never_matched
from protocols.query_values import Refused

COUNT_MAX: Final = 10**9  # of limit and offset
INCLUDED_MAX: Final = 2048

_HEX: Final = re.compile(r"[0-9A-Fa-f]{8}")
_KEYWORD: Final = re.compile(r"[A-Za-z][A-Za-z0-9]{0,63}")
_PRIVATE: Final = re.compile(r"[0-9A-Fa-f]{4},[^,.]{1,64},[0-9A-Fa-f]{2}")
# Several values are parted by commas (PS3.18 8.3.4.1) where no value holds one.
_COMMA_LISTS: Final = frozenset(
    ("AE", "AS", "AT", "CS", "DA", "DS", "DT", "FD", "FL", "IS", "SL", "SS", "SV", "TM", "UI", "UL", "US", "UV")
)
_OURS: Final = frozenset(("limit", "offset", "includefield", "fuzzymatching", "accept"))
# Matching that we do not offer: nothing is asked by saying so, or by not asking for it.
_UNOFFERED: Final = frozenset(("emptyvaluematching", "multiplevaluematching"))
_NO_UID: Final = "0.0"  # nothing has it: the path names one, the query others
_TRUTH: Final = {"true": True, "false": False}


class Search(msgspec.Struct, frozen=True):
    """What a search asks for.

    ``included``: tags to return beside those of the level; None: all. ``passed_over``: keys that never count, and
    attributes to include that nobody knows: by name, to be said in a warning.
    """

    query: Query
    included: frozenset[int] | None
    passed_over: tuple[str, ...] = ()


def search_of(level: Level, above: Mapping[int, str], parameters: Iterable[tuple[str, str]], limit_max: int) -> Search:
    """``above``: unique keys that the path names. ``limit_max``: rows that are given at most. Raises Refused."""
    read = _Parameters()
    for name, value in parameters:
        read.take(name, value)
    for tag, uid in above.items():
        asked = read.keys.get(f"{tag:08X}")
        read.keys[f"{tag:08X}"] = (uid,) if not asked or uid in asked else (_NO_UID,)
    query = Query(
        level=level,
        keys=tuple(Key(path, tuple(dict.fromkeys(values))) for path, values in read.keys.items()),
        limit=min(read.limit, limit_max),
        offset=read.offset,
        fuzzy=read.fuzzy,
    )
    return Search(
        query, None if read.all_included else frozenset(read.included), tuple(dict.fromkeys(read.passed_over))
    )


class _Parameters:
    """Gathers what the parameters say, one by one."""

    def __init__(self) -> None:
        self.keys: dict[str, tuple[str, ...]] = {}
        self.included: set[int] = set()
        self.passed_over: list[str] = []
        self.all_included = self.fuzzy = False
        self.limit = COUNT_MAX
        self.offset = 0
        self._universal: set[str] = set()

    def take(self, name: str, value: str) -> None:
        """One parameter. Raises Refused."""
        if name == "includefield":
            self._include(value)
        elif name == "limit":
            self.limit = _count(name, value)
        elif name == "offset":
            self.offset = _count(name, value)
        elif name == "fuzzymatching":
            self.fuzzy = _truth(name, value)
        elif name in _UNOFFERED:
            if _truth(name, value):
                self.passed_over.append(name)
        elif name not in _OURS:
            self._match(name, value)

    def _include(self, value: str) -> None:
        for name in value.split(","):
            if name == "all":
                self.all_included = True
            elif name:
                path = _path(name)
                if path is not None:
                    self.included.add(int(path.partition(".")[0].replace(",", "0")[:8], 16))
                elif _shown(name):
                    self.passed_over.append(name)
                else:
                    raise Refused("includefield names what is no attribute: a DICOM keyword, 8 hex digits, or all")
        if len(self.included) > INCLUDED_MAX:
            raise Refused(f"includefield names more than {INCLUDED_MAX} attributes")

    def _match(self, name: str, value: str) -> None:
        path = _path(name)
        if path is None:
            said = f" {name}" if _shown(name) else ""
            raise Refused(f"the parameter{said} is neither a DICOM keyword nor a tag")
        vr = "UN" if "," in path else representation(int(path[-8:], 16))
        if never_matched(path, vr):
            self.passed_over.append(name)
            return
        values = _values(value, vr, name)
        if value and not values:  # a star among several values matches everything, whichever parameter has it
            self._universal.add(path)
        self.keys[path] = () if path in self._universal else self.keys.get(path, ()) + values
        if len(self.keys) > KEYS_MAX:
            raise Refused(f"more than {KEYS_MAX} keys")


def _values(text: str, vr: str, name: str) -> tuple[str, ...]:
    """A doubled backslash means one (C28)."""
    separator = r"[\\,]+" if vr in _COMMA_LISTS else r"\\+"
    parts = [text] if vr in query_values.WHOLE_TEXT else re.split(separator, text)
    if vr == "UI":
        return query_values.uids(parts, name)
    if len(text) > query_values.VALUE_BYTES_MAX:
        raise Refused(f"the parameter {name} is longer than {query_values.VALUE_BYTES_MAX} characters")
    return query_values.texts(map(_as_searched, parts) if vr in ("FL", "FD") else parts, vr, name)


def _as_searched(number: str) -> str:
    """``90.0`` and ``9e1`` are one number; what is none matches nothing, as it stands."""
    try:
        return searched_number(float(number)) if number.strip() else ""
    except ValueError:
        return number


def _path(name: str) -> str | None:
    """The engine's path of a keyword, 8 hex digits, a dotted path of them, or a private attribute with its creator."""
    found = []
    for part in name.split(".") if not _PRIVATE.fullmatch(name) else [name]:
        if _HEX.fullmatch(part):
            found.append(part.upper())
        elif _PRIVATE.fullmatch(part):
            group, creator, element = part.split(",")
            found.append(f"{group.upper()},{creator},{element.upper()}")
        elif (tag := tag_of(part)) is not None:
            found.append(f"{tag:08X}")
        else:
            return None
    return ".".join(found)


def _shown(name: str) -> bool:
    """Whether a name may be repeated in an answer."""
    return all(_KEYWORD.fullmatch(part) or _HEX.fullmatch(part) for part in name.split("."))


def _count(name: str, value: str) -> int:
    if not (value.isascii() and value.isdigit()) or len(value) > 12 or int(value) > COUNT_MAX:
        raise Refused(f"{name} is a whole number from 0 to {COUNT_MAX}")
    return int(value)


def _truth(name: str, value: str) -> bool:
    if value.lower() not in _TRUTH:
        raise Refused(f"{name} is true or false")
    return _TRUTH[value.lower()]
