"""The predicates of a query, and what they mean for one row. Pure; the settled index is asked the same ones.

A *field* is a column of the row (``schema.COLUMNS``) or the path of an attribute as ``model.Key`` has it.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Protocol

import msgspec

from engine.index.moments import MINUTE_US, ZONE_MINUTES_MAX, Kind, date_of
from engine.index.names import is_one_edit


class Terms(msgspec.Struct, frozen=True):
    """One of the field's values is one of these."""

    field: str
    values: tuple[str, ...]


class Wildcard(msgspec.Struct, frozen=True):
    """One of the field's values is as ``pattern`` says: ``*`` any text, ``?`` any character, all else itself."""

    field: str
    pattern: str


class Spelled(msgspec.Struct, frozen=True):
    """One of the field's values is at most one character away from this one (``names.is_one_edit``)."""

    field: str
    value: str


class Between(msgspec.Struct, frozen=True):
    """A number lies between two bounds, both included.

    It is a value of the attribute as a date or time of a ``kind``, a moment (DT) in a ``zone`` when one is given
    (``moments``); without a kind a number of the row itself.
    """

    field: str
    low: int
    high: int
    kind: Kind | None = None
    zone: int | None = None


class Joined(msgspec.Struct, frozen=True):
    """A date together with its time lies between two moments, both included (PS3.4 C.2.2.2.5.4)."""

    date: str
    time: str
    low: int
    high: int
    zone: int | None = None


class Item(msgspec.Struct, frozen=True):
    """One item of a sequence satisfies all of a predicate, whose fields are those of the item (PS3.4 C.2.2.2.6)."""

    step: str
    part: "Predicate"


class AllOf(msgspec.Struct, frozen=True):
    """Every part holds; no parts hold always."""

    parts: tuple["Predicate", ...]


class AnyOf(msgspec.Struct, frozen=True):
    """One part holds; no parts never hold."""

    parts: tuple["Predicate", ...]


Predicate = Terms | Wildcard | Spelled | Between | Joined | Item | AllOf | AnyOf


class Searchable(Protocol):
    """What a predicate asks of a row, or of an item in it."""

    def values(self, field: str) -> Collection[str]: ...

    def numbers(self, field: str, kind: Kind, zone: int | None) -> Collection[int]: ...

    def moments(self, date: str, time: str, zone: int | None) -> Collection[int]: ...

    def items(self, step: str) -> "Sequence[Searchable]": ...

    def own_numbers(self, field: str) -> Collection[int]: ...


Test = Callable[[Searchable], bool]


def matcher(predicate: Predicate) -> Test:
    """Whether a row satisfies the predicate, as a function that is made once for many rows."""
    match predicate:
        case AllOf(parts):
            every = [matcher(part) for part in parts]
            return every[0] if len(every) == 1 else lambda row: all(test(row) for test in every)
        case AnyOf(parts):
            some = [matcher(part) for part in parts]
            return some[0] if len(some) == 1 else lambda row: any(test(row) for test in some)
        case Terms(field, values):
            if len(values) == 1:
                only = values[0]
                return lambda row: only in row.values(field)
            wanted = frozenset(values)
            return lambda row: not wanted.isdisjoint(row.values(field))
        case Wildcard(field, pattern):
            return lambda row: any(glob(pattern, value) for value in row.values(field))
        case Spelled(field, value):
            return lambda row: any(is_one_edit(value, other) for other in row.values(field))
        case Between(field, low, high, kind, zone):
            if kind is None:
                return lambda row: any(low <= number <= high for number in row.own_numbers(field))
            return lambda row: any(low <= number <= high for number in row.numbers(field, kind, zone))
        case Joined(date, time, low, high, zone):
            return lambda row: any(low <= number <= high for number in row.moments(date, time, zone))
        case Item(step, part):
            inner = matcher(part)
            return lambda row: any(inner(item) for item in row.items(step))


def within(step: str, predicate: Predicate) -> Predicate:
    """What holds of any row of which an item of the sequence satisfies the predicate: its parts, in whatever items."""
    match predicate:
        case AllOf(parts):
            return AllOf(tuple(within(step, part) for part in parts))
        case AnyOf(parts):
            return AnyOf(tuple(within(step, part) for part in parts))
        case Item(inner, part):
            return within(step, within(inner, part))
        case Joined(date):
            return within(step, Between(date, *days_around(predicate), "DA"))
        case _:
            return msgspec.structs.replace(predicate, field=f"{step}.{predicate.field}")


def days_around(joined: Joined) -> tuple[int, int]:
    """The days between which its date must lie."""
    around = 2 * ZONE_MINUTES_MAX * MINUTE_US if joined.zone is not None else 0
    return date_of(joined.low - around), date_of(joined.high + around)


def glob(pattern: str, text: str) -> bool:
    """Wildcard matching in at most pattern x text steps, whatever the pattern (H10, H58): each stretch between two
    ``*`` takes its first place, and is never tried again."""
    first, *rest = pattern.split("*")
    if not rest:
        return len(first) == len(text) and _stands(first, text, 0)
    last = rest.pop()
    end = len(text) - len(last)
    if len(first) > end or not _stands(first, text, 0) or not _stands(last, text, end):
        return False
    at = len(first)
    for stretch in rest:
        place = _place(stretch, text, at, end)
        if place < 0:
            return False
        at = place + len(stretch)
    return True


def _stands(stretch: str, text: str, at: int) -> bool:
    """Whether the text goes on as the stretch says, from a place with room for it."""
    if "?" not in stretch:
        return text.startswith(stretch, at)
    return all(wanted in ("?", text[place]) for place, wanted in enumerate(stretch, at))


def _place(stretch: str, text: str, at: int, end: int) -> int:
    """The first place of the stretch that lies in ``at`` to ``end``; -1 when there is none."""
    if "?" not in stretch:
        return text.find(stretch, at, end)
    return next((place for place in range(at, end - len(stretch) + 1) if _stands(stretch, text, place)), -1)
