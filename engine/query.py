"""Keyword arguments of the library to a query: pure."""

import re
from collections.abc import Mapping, Sequence

from engine.errors import Invalid
from engine.model import Key, Level, Query
from native.dictionary import tag_of

_PATH = re.compile(r"[0-9A-Fa-f]{8}(?:\.[0-9A-Fa-f]{8})*")
# A unique key with a value chooses rows of its own level (PS3.4 C.6.1.1): rows above do not hold it.
_CHOSEN_BY = {"0020000E": Level.SERIES, "00080018": Level.INSTANCE}
_ORDER = tuple(Level)
_NEAR_ENOUGH = 0.8
_PRIVATE = re.compile(r"[0-9A-Fa-f]{4},[^,]{1,64},[0-9A-Fa-f]{2}")


def query_of(
    level: Level,
    keys: Mapping[str, object],
    *,
    limit: int | None = None,
    sort: str | Sequence[str] = (),
    offset: int = 0,
    as_of: object = None,
) -> Query:
    """Build a query from names as people write them. ``as_of``: None, microseconds since 1970, or a ``datetime``.

    Raises Invalid for a name that no dictionary knows, and for None or an empty list as a value: a variable that was
    never set must not match everything (an empty text does, PS3.4 C.2.2.2.3).
    """
    wanted = tuple(Key(path_of(name), values_of(name, value)) for name, value in keys.items())
    named = [sort] if isinstance(sort, str) else sort
    order = tuple("-" + path_of(name[1:]) if name.startswith("-") else path_of(name) for name in named)
    return Query(level=level, keys=wanted, limit=limit, sort=order, offset=offset, as_of=moment_of(as_of))


def level_of(name: str) -> Level:
    """Raises Invalid for what is no level."""
    try:
        return Level(name)
    except ValueError:
        raise Invalid(f"level is {', '.join(_ORDER[:-1])} or {_ORDER[-1]}, not {name!r:.40}") from None


def level_chosen(keys: Sequence[Key]) -> Level:
    """The lowest level whose unique key has a value; STUDY when none has."""
    chosen = (_CHOSEN_BY[key.path] for key in keys if key.values and key.path in _CHOSEN_BY)
    return max(chosen, key=_ORDER.index, default=Level.STUDY)


def check_level(query: Query) -> Query:
    """The query. Raises Invalid when a unique key below its level has a value: an answer as if it were not there
    deceives."""
    chosen = level_chosen(query.keys)
    if _ORDER.index(chosen) > max(_ORDER.index(query.level), _ORDER.index(Level.STUDY)):
        raise Invalid(f"a unique key of level {chosen} chooses below level {query.level}: ask for level {chosen}")
    return query


def moment_of(as_of: object) -> int:
    """Microseconds since 1970, UTC; 0 for now. Raises Invalid, also for a time without a zone."""
    if as_of is None:
        return 0
    if isinstance(as_of, int) and not isinstance(as_of, bool) and as_of >= 0:
        return as_of
    timestamp = getattr(as_of, "timestamp", None)
    if callable(timestamp) and getattr(as_of, "tzinfo", None) is not None:
        return round(float(timestamp()) * 1e6)
    raise Invalid("as_of is a datetime with its time zone, or microseconds since 1970 UTC")


def path_of(name: str) -> str:
    """Path of a keyword, 8 hex digits, a dotted path of either, or a private ``GGGG,CREATOR,EE``. Raises Invalid."""
    if _PRIVATE.fullmatch(name):
        group, creator, element = name.split(",")
        return f"{group.upper()},{creator},{element.upper()}"
    if _PATH.fullmatch(name):
        return name.upper()
    return ".".join(_tag_of(part) for part in name.split("."))


def values_of(name: str, value: object) -> tuple[str, ...]:
    """Text values: a string may hold several, parted by backslash; a sequence is a list; "" is universal matching."""
    if callable(getattr(value, "strftime", None)):
        raise Invalid(f"{name[:64]}: give dates and times as text: 20240131, 20240101-20240131, 0800-1200")
    if value is None or isinstance(value, (bytes, bytearray)) or value in ([], (), set(), frozenset()):
        raise Invalid(f'{name[:64]}: {value!r:.20} is no value; give a text, a number or a list ("" for any)')
    if isinstance(value, (list, tuple, set, frozenset)):
        return tuple(str(one) for one in value)
    return tuple(str(value).split("\\")) if value != "" else ()


def _tag_of(part: str) -> str:
    if _PATH.fullmatch(part):
        return part.upper()
    tag = tag_of(part)
    if tag is None:
        hint = _nearest(part) or "give a DICOM keyword, 8 hex digits, or a path of them"
        raise Invalid(f"no attribute is called {part[:64]!r}: {hint}")
    return f"{tag:08X}"


def _nearest(part: str) -> str:
    """The keyword that may have been meant, as a question; empty when none is near."""
    from difflib import get_close_matches

    from pydicom.datadict import keyword_dict

    keywords = {keyword.lower(): keyword for keyword in keyword_dict}
    near = get_close_matches(part[:64].lower(), keywords, n=1, cutoff=_NEAR_ENOUGH)
    return f"did you mean {keywords[near[0]]}?" if near else ""
