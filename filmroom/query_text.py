"""A query as people type it: ``[level=study|series|instance] KEY=VALUE...``. Pure."""

from collections.abc import Sequence

from engine import Invalid, Level, Query, query_of

LEVELS = (Level.STUDY, Level.SERIES, Level.INSTANCE)


def parse(words: Sequence[str], *, limit: int | None = None, sort: Sequence[str] = ()) -> Query:
    """Words to a query. KEY is a DICOM keyword, 8 hex digits, a dotted path of either, or ``GGGG,CREATOR,EE``; several
    values are parted by backslash. Raises Invalid with what to type instead."""
    level = Level.STUDY
    keys: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise Invalid(f"{word[:64]!r} is no KEY=VALUE (as in PatientID=4711 or level=series)")
        if name == "level":
            level = _level(value)
            continue
        if name in keys:
            raise Invalid(f"{name[:64]} is given twice: part several values with a backslash")
        keys[name] = value
    if limit is not None and limit < 1:
        raise Invalid("a limit is 1 or more")
    return query_of(level, keys, limit=limit, sort=tuple(sort))


def _level(text: str) -> Level:
    for level in LEVELS:
        if text.lower() in (level.value, {"instance": "image"}.get(level.value)):
            return level
    raise Invalid("level is study, series or instance")
