"""Query keys to predicates (PS3.4 C.2.2.2). Pure; what users wrote stays a literal in all of it (H57)."""

import re
from collections.abc import Sequence
from typing import Final

from engine.errors import Invalid
from engine.index.matching import AllOf, AnyOf, Between, Item, Joined, Predicate, Spelled, Terms, Wildcard, within
from engine.index.moments import Kind, date_number, joined_number, moment_number, time_number, zone_minutes
from engine.index.names import (
    EDITED_CHARACTERS_MIN,
    GROUPS,
    PRIVATE_NAME,
    SOUNDS,
    WORDS,
    fold_name,
    sound_of,
    words,
)
from engine.index.texts import VALUE_CHARACTERS_MAX, steps
from engine.model import Key, Level, Query
from native.parts import representation

WILDCARDS_COUNT_MAX: Final = 16  # in one value: more mean nothing to a reader (H58)
WILDCARD_CHARACTERS_MAX: Final = 256  # of a value with wildcards: bounds what matching one value can cost
VALUES_COUNT_MAX: Final = 4096  # in one list
FUZZY_WORDS_COUNT_MAX: Final = 64  # in all names of one query that are asked for by their words

UIDS: Final = {"0020000D": "study", "0020000E": "series", "00080018": "sop"}
_NEVER_MATCHED: Final = frozenset(("00080005", "00080052", "00080053", "00080054", "00080056", "00080201", "00081190"))
_STUDY_COMPUTED: Final = frozenset(("00080061", "00080062", "00201206", "00201208"))
_SERIES_COMPUTED: Final = frozenset(("00201209",))
_PATIENT_COMPUTED: Final = frozenset(("00201200", "00201202", "00201204"))
# Dates that make a moment with their time.
_TIMES_OF: Final = {
    "00080020": "00080030", "00080021": "00080031", "00080022": "00080032", "00080023": "00080033",
    "00080012": "00080013", "00100030": "00100032", "00400002": "00400003", "00400004": "00400005",
    "00400244": "00400245", "00400250": "00400251",
}  # fmt: skip
_MOMENT_LATEST: Final = 10**18
_DT: Final = r"\d{4,14}(?:\.\d{1,6})?(?:\+\d{4}|-(?:0\d|1[0-2])\d\d)?"
_DT_RANGE: Final = re.compile(rf"({_DT})?-({_DT})?", re.ASCII)
_DA_RANGE: Final = re.compile(r"(\d{8})?-(\d{8})?", re.ASCII)
_TM_RANGE: Final = re.compile(r"(\d{2}(?:\d\d){0,2}(?:\.\d{1,6})?)?-(\d{2}(?:\d\d){0,2}(?:\.\d{1,6})?)?", re.ASCII)


def predicate_of(query: Query, level: Level) -> Predicate:
    """The predicate that rows of ``level`` must satisfy. Raises Invalid for values that cannot be asked."""
    keys = [(steps(key.path), key) for key in query.keys if is_of(key, level) and key.values]
    return _Compiler(query).all_of(keys)


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
    return key.path not in _PATIENT_COMPUTED


def chooses(key: Key) -> bool:
    """Whether a key says anything of what it matches, be it ``*``; not when it is empty, or never matched."""
    said = any(value.strip(" \0") for value in key.values)
    return said and key.path not in _NEVER_MATCHED and key.path not in _PATIENT_COMPUTED


def level_of_computed(key: Key) -> Level:
    """The level whose rows hold a computed attribute."""
    return Level.SERIES if key.path in _SERIES_COMPUTED else Level.STUDY


class _Compiler:
    """One query's keys. What was agreed beyond the base (PS3.4 C.5.1) is in the query."""

    def __init__(self, query: Query) -> None:
        self._fuzzy = query.fuzzy
        self._word_count = 0
        self._joins = query.combined_date_time
        self._zone = zone_minutes(query.zone) if query.zone else None
        if query.zone and self._zone is None:
            raise Invalid("Timezone Offset From UTC is written as +0100")

    def all_of(self, keys: "Sequence[tuple[list[str], Key]]") -> Predicate:
        """Keys of one level of a data set: those in one sequence must hold in one item of it."""
        own = {path[0]: key for path, key in keys if len(path) == 1}
        nested: dict[str, list[tuple[list[str], Key]]] = {}
        for path, key in keys:
            if len(path) > 1:
                nested.setdefault(path[0], []).append((path[1:], key))
        joined = self._joined(own)
        parts = [self._key(path, key) for path, key in own.items()]
        parts += [self._item(step, inner) for step, inner in nested.items()]
        return AllOf((*joined, *(part for part in parts if part is not None)))

    def _item(self, step: str, inner: "Sequence[tuple[list[str], Key]]") -> Predicate | None:
        """One item in which all holds; what one key asks for alone needs no item to be looked at."""
        part = self.all_of(inner)
        match part:
            case AllOf(parts=()):
                return None
            case AllOf(parts=(only,)) if not isinstance(only, (AllOf, Joined)):
                return within(step, only)
        return Item(step, part)

    def _joined(self, own: dict[str, Key]) -> list[Predicate]:
        """Takes out the dates and times that are asked for together."""
        found: list[Predicate] = []
        for date, time in _TIMES_OF.items() if self._joins else ():
            if date in own and time in own and (joined := self._moments(date, time, own[date], own[time])):
                del own[date], own[time]
                found.append(joined)
        return found

    def _moments(self, date: str, time: str, days: Key, clocks: Key) -> Predicate | None:
        if len(days.values) != 1 or len(clocks.values) != 1:
            return None
        day, clock = _ends(days.values[0].strip(" ")), _ends(clocks.values[0].strip(" "))
        first_day, last_day = date_number(day[0]) if day[0] else 1_01_01, date_number(day[1]) if day[1] else 9999_12_31
        first, last = time_number(clock[0] or "00"), time_number(clock[1] or "23", "9")
        if first_day is None or last_day is None or first is None or last is None:
            return None
        low, high = joined_number(first_day, first, self._zone), joined_number(last_day, last, self._zone)
        return None if low is None or high is None else Joined(date, time, low, high, self._zone)

    def _key(self, path: str, key: Key) -> Predicate | None:
        values = tuple(value for value in (value.strip(" \0") for value in key.values) if value)
        if not values or path in _NEVER_MATCHED or any(set(value) == {"*"} for value in values):
            return None
        if len(values) > VALUES_COUNT_MAX:
            raise Invalid(f"a key lists more than {VALUES_COUNT_MAX} values: ask for fewer at a time")
        if column := UIDS.get(key.path):
            return (
                AnyOf(tuple(_text(column, value) for value in values))
                if any(map(_is_wild, values))
                else (Terms(column, values))
            )
        parts = tuple(self._value(path, value) for value in values)
        return parts[0] if len(parts) == 1 else AnyOf(parts)

    def _value(self, path: str, value: str) -> Predicate:
        if len(value) > VALUE_CHARACTERS_MAX:
            return AnyOf(())
        if "," in path:  # a private one: what it is only the data says
            ranges = tuple(found for kind in _RANGES if "-" in value and (found := self._span(path, kind, value)))
            return AnyOf((_text(path, value), self._name(path + PRIVATE_NAME, value), *ranges))
        vr = representation(int(path, 16))
        if vr == "PN":
            return self._name(path, value)
        for kind in _RANGES:
            if vr == kind and not _is_wild(value):
                span = self._span(path, kind, value.replace(" ", ""))
                if span is None:  # an empty answer would deceive: 2004 is no date
                    raise Invalid(f"{path}: {_WRITTEN[kind]}")
                return span
        return _text(path, value)

    def _name(self, path: str, value: str) -> Predicate:
        """A name in one component group matches any group; one with ``=`` matches group by group (C12)."""
        groups = [fold_name(group) for group in value.split("=")][: len(GROUPS)]
        if "=" not in value:
            return AnyOf(tuple(self._group(path + group, groups[0]) for group in GROUPS))
        asked = zip(GROUPS, groups, strict=False)
        return AllOf(tuple(self._group(path + group, text) for group, text in asked if text.strip("*")))

    def _group(self, field: str, folded: str) -> Predicate:
        """A family name alone names everybody who bears it."""
        said: Predicate
        if not folded:
            return AllOf(())
        if _is_wild(folded):
            said = _text(field, folded)
        else:
            said = AnyOf((Terms(field, (folded,)), Wildcard(field, folded + "^*")))
        if not self._fuzzy or not (asked := words(folded)):
            return said
        self._word_count += len(asked)
        if self._word_count > len(GROUPS) * FUZZY_WORDS_COUNT_MAX:
            raise Invalid(f"names of more than {FUZZY_WORDS_COUNT_MAX} words are asked for at once")
        return AnyOf((said, AllOf(tuple(_word(field, word) for word in asked))))

    def _span(self, path: str, kind: Kind, value: str) -> Predicate | None:
        """A range, or one value and all that it spans; None for what is no date or time."""
        match = _RANGES[kind].fullmatch(value)
        low, high = match.groups() if match else (value, value)
        if not low and not high:
            return None
        first: int | None = 0
        last: int | None = _MOMENT_LATEST if kind == "DT" else 99_99_99_99 if kind == "DA" else 24 * 10**10
        if kind == "DT":
            first = moment_number(low, self._zone) if low else first
            last = moment_number(high, self._zone, latest=True) if high else last
        else:
            first = (date_number(low) if kind == "DA" else time_number(low)) if low else first
            last = (date_number(high) if kind == "DA" else time_number(high, "9")) if high else last
        if first is None or last is None:
            return None
        return Between(path, first, last, kind, self._zone if kind == "DT" else None)


_WRITTEN: Final[dict[Kind, str]] = {
    "DA": "a date is written 20240131, a range 20240101-20240131, 20240101- or -20240131",
    "TM": "a time is written 08, 0830 or 083015, a range 0800-1200, 0800- or -1200",
    "DT": "a moment is written 2024, 20240131 or 20240131083015, a range 20240101-20240131",
}
_RANGES: Final[dict[Kind, re.Pattern[str]]] = {"DA": _DA_RANGE, "TM": _TM_RANGE, "DT": _DT_RANGE}


def _ends(value: str) -> tuple[str, str]:
    low, dash, high = value.partition("-")
    return (low.strip(), high.strip()) if dash else (value, value)


def _word(field: str, word: str) -> Predicate:
    """A word of a name begins like this, is spelt nearly so, or sounds so, whichever word it is."""
    likely: list[Predicate] = [Wildcard(field + WORDS, word + "*")]
    if len(word) >= EDITED_CHARACTERS_MIN:
        likely.append(Spelled(field + WORDS, word))
    if sound := sound_of(word):
        likely.append(Terms(field + SOUNDS, (sound,)))
    return AnyOf(tuple(likely))


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
