"""The predicates of a query, and what they mean for one row. Pure; the settled index is asked the same ones.

A *field* is a column of the row (``schema.COLUMNS``) or the path of an attribute as ``model.Key`` has it.
"""

from collections.abc import Collection
from typing import Protocol

import msgspec


class Terms(msgspec.Struct, frozen=True):
    """One of the field's values is one of these."""

    field: str
    values: tuple[str, ...]


class Wildcard(msgspec.Struct, frozen=True):
    """One of the field's values is as ``pattern`` says: ``*`` any text, ``?`` any character, all else itself."""

    field: str
    pattern: str


class Between(msgspec.Struct, frozen=True):
    """A date or time of the field lies between two bounds, both included."""

    field: str
    low: int
    high: int


class AllOf(msgspec.Struct, frozen=True):
    """Every part holds; no parts hold always."""

    parts: tuple["Predicate", ...]


class AnyOf(msgspec.Struct, frozen=True):
    """One part holds; no parts never hold."""

    parts: tuple["Predicate", ...]


Predicate = Terms | Wildcard | Between | AllOf | AnyOf


class Searchable(Protocol):
    """What a predicate asks of a row."""

    def values(self, field: str) -> Collection[str]: ...

    def numbers(self, field: str) -> Collection[int]: ...


def matches(predicate: Predicate, row: Searchable) -> bool:
    """Whether the row satisfies the predicate."""
    match predicate:
        case AllOf():
            return all(matches(part, row) for part in predicate.parts)
        case AnyOf():
            return any(matches(part, row) for part in predicate.parts)
        case Terms():
            values = row.values(predicate.field)
            return any(value in values for value in predicate.values)
        case Between():
            return any(predicate.low <= number <= predicate.high for number in row.numbers(predicate.field))
        case Wildcard():
            return any(glob(predicate.pattern, value) for value in row.values(predicate.field))


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
