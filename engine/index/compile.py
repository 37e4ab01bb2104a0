"""Query keys to predicates (PS3.4 C.2.2.2). Pure; what users wrote stays a literal in all of it (H57)."""

from typing import Final

from engine.errors import Invalid
from engine.index.matching import AllOf, AnyOf, Between, Predicate, Terms, Wildcard
from engine.index.schema import DATES, TIMES
from engine.index.texts import VALUE_CHARACTERS_MAX, date_number, fold_name, time_number
from engine.model import Key, Level, Query

WILDCARDS_COUNT_MAX: Final = 16  # in one value: more mean nothing to a reader (H58)
WILDCARD_CHARACTERS_MAX: Final = 256  # of a value with wildcards: bounds what matching one value can cost
VALUES_COUNT_MAX: Final = 4096  # in one list

_UIDS: Final = {"0020000D": "study", "0020000E": "series", "00080018": "sop"}
_NAMES: Final = frozenset(
    (
        "00080090",
        "00081048",
        "00081050",
        "00081060",
        "00081070",
        "00100010",
        "00101001",
        "00101005",
        "00101060",
        "00321032",
    )
)
_NEVER_MATCHED: Final = frozenset(("00080005", "00080052", "00080053", "00080054", "00080056", "00080201", "00081190"))
_STUDY_COMPUTED: Final = frozenset(("00080061", "00080062", "00201206", "00201208"))
_SERIES_COMPUTED: Final = frozenset(("00201209",))
_PATIENT_COMPUTED: Final = frozenset(("00201200", "00201202", "00201204"))


def predicate_of(query: Query, level: Level) -> Predicate:
    """The predicate that rows of ``level`` must satisfy. Raises Invalid for values that cannot be asked."""
    return AllOf(tuple(part for key in query.keys if is_of(key, level) for part in (_of_key(key),) if part is not None))


def computed_above(query: Query) -> tuple[Key, ...]:
    """Keys on what is computed for studies or series, asked at a level below: they choose among the rows there."""
    below_study = query.level in (Level.SERIES, Level.INSTANCE)
    return tuple(
        key
        for key in query.keys
        if key.values and below_study and not is_of(key, query.level) and key.path not in _PATIENT_COMPUTED
    )


def is_of(key: Key, level: Level) -> bool:
    """Whether rows of a level hold the attribute at all."""
    if key.path in _STUDY_COMPUTED:
        return level == Level.STUDY
    if key.path in _SERIES_COMPUTED:
        return level == Level.SERIES
    if key.path in _PATIENT_COMPUTED:
        return False
    if level == Level.STUDY:
        return key.path not in ("0020000E", "00080018")
    return not (level == Level.SERIES and key.path == "00080018")


def level_of_computed(key: Key) -> Level:
    """The level whose rows hold a computed attribute."""
    return Level.SERIES if key.path in _SERIES_COMPUTED else Level.STUDY


def _of_key(key: Key) -> Predicate | None:
    values = tuple(value.strip(" \0") for value in key.values)
    values = tuple(value for value in values if value)
    if not values or key.path in _NEVER_MATCHED or all(set(value) == {"*"} for value in values):
        return None
    if len(values) > VALUES_COUNT_MAX:
        raise Invalid(f"a key lists more than {VALUES_COUNT_MAX} values: ask for fewer at a time")
    if key.path in _UIDS and not any(_is_wild(value) for value in values):
        return Terms(_UIDS[key.path], values)
    if key.path in _UIDS:
        return AnyOf(tuple(_text(_UIDS[key.path], value) for value in values))
    return AnyOf(tuple(_of_value(key.path, value) for value in values))


def _of_value(path: str, value: str) -> Predicate:
    if len(value) > VALUE_CHARACTERS_MAX:
        return AnyOf(())
    if path.rpartition(".")[2] in _NAMES:
        return _name(path, value)
    if path in DATES and not _is_wild(value):
        return _span(path, value, date_number(_end(value, 0)), date_number(_end(value, 1)), 99999999)
    if path in TIMES and not _is_wild(value):
        return _span(path, value, time_number(_end(value, 0)), time_number(_end(value, 1), "9"), 240000 * 10**6)
    return _text(path, value)


def _name(path: str, value: str) -> Predicate:
    parts = []
    for group in value.split("="):
        folded = fold_name(group)
        if not folded or set(folded) == {"*"}:
            continue
        if _is_wild(folded):
            parts.append(_text(path, folded))
        else:
            # A family name alone names everybody who bears it (C12).
            parts.append(AnyOf((Terms(path, (folded,)), Wildcard(path, folded + "^*"))))
    return AllOf(tuple(parts))


def _end(value: str, side: int) -> str:
    low, dash, high = value.partition("-")
    return (high if side else low) if dash else value


def _span(path: str, value: str, low: int | None, high: int | None, most: int) -> Predicate:
    if "-" in value:
        if _end(value, 0).strip() == "":
            low = 0
        if _end(value, 1).strip() == "":
            high = most
    if low is None or high is None:
        return Terms(path, (value,))
    return Between(path, low, high)


def _text(field: str, value: str) -> Predicate:
    if not _is_wild(value):
        return Terms(field, (value,))
    while "**" in value:
        value = value.replace("**", "*")
    if sum(value.count(c) for c in "*?") > WILDCARDS_COUNT_MAX and not set(value) <= {"?", "*"}:
        raise Invalid(f"a value holds more than {WILDCARDS_COUNT_MAX} wildcards")
    if len(value) > WILDCARD_CHARACTERS_MAX:
        raise Invalid(f"a value with wildcards is longer than {WILDCARD_CHARACTERS_MAX} characters")
    return Wildcard(field, value)


def _is_wild(value: str) -> bool:
    return "*" in value or "?" in value
