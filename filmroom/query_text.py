"""A query as people type it: ``[level=study|series|instance] KEY=VALUE...``. Pure."""

import re
from collections.abc import Sequence

import msgspec

from engine import Invalid, Key, Level, Query, check_level, level_chosen, query_of

_DATE = "[0-9]{4}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])"
_TIME = "(?:[01][0-9]|2[0-3])(?:[0-5][0-9](?:(?:[0-5][0-9]|60)(?:[.][0-9]{1,6})?)?)?"
# Value representation to what a value of a key may be (PS3.4 C.2.2.2), and this in words.
_MOMENTS = {
    "DA": (_DATE, "a date is YYYYMMDD or a range: 20240101-20240131, 20240101-, -20240131"),
    "TM": (_TIME, "a time is HH, HHMM, HHMMSS or a range: 0800-1200"),
}
LEVELS = (Level.STUDY, Level.SERIES, Level.INSTANCE)


def parse(words: Sequence[str], *, limit: int | None = None, sort: Sequence[str] = ()) -> Query:
    """Words to a query. KEY is a DICOM keyword, 8 hex digits, a dotted path of either, or ``GGGG,CREATOR,EE``; several
    values are parted by backslash. Where no level is named, it is study, or that of the lowest UID which is a key.
    Raises Invalid with what to type instead."""
    level: Level | None = None
    keys: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise Invalid(f"{word[:64]!r} is no KEY=VALUE (as in PatientID=4711 or level=series)")
        if name == "level":
            if level is not None:
                raise Invalid("level is given twice")
            level = _level(value)
            continue
        if name in keys:
            raise Invalid(f"{name[:64]} is given twice: part several values with a backslash")
        keys[name] = value
    if limit is not None and limit < 1:
        raise Invalid("a limit is 1 or more")
    query = query_of(level or Level.STUDY, keys, limit=limit, sort=tuple(sort))
    for name, key in zip(keys, query.keys, strict=True):
        _check_moments(name, key)
    return check_level(query if level else msgspec.structs.replace(query, level=level_chosen(query.keys)))


def _check_moments(name: str, key: Key) -> None:
    """A date or time that none can match is a slip of the keyboard, not an empty answer."""
    one, sentence = _MOMENTS.get(_representation(key.path), ("", ""))
    if one and not all(re.fullmatch(f"{one}(?:-(?:{one})?)?|-{one}|[*]", value) for value in key.values):
        raise Invalid(f"{name[:64]}={chr(92).join(key.values)[:64]}: {sentence}")


def _representation(path: str) -> str:
    tag = path.rpartition(".")[2]
    if "," in tag:
        return ""
    from pydicom.datadict import dictionary_VR

    try:
        return dictionary_VR(int(tag, 16))
    except KeyError:
        return ""


def _level(text: str) -> Level:
    for level in LEVELS:
        if text.lower() in (level.value, {"instance": "image"}.get(level.value)):
            return level
    raise Invalid("level is study, series or instance")
