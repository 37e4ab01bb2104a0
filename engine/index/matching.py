"""The predicates of a query, and what they mean for one row. Pure; the settled index is asked the same ones."""

from collections.abc import Collection
from typing import Protocol

import msgspec


class Terms(msgspec.Struct, frozen=True):
    """One of the field's values is one of these."""

    field: str
    values: tuple[str, ...]


class Wildcard(msgspec.Struct, frozen=True):
    """One of the field's values begins with ``prefix`` (literal) and goes on as ``pattern`` (* and ?) says."""

    field: str
    prefix: str
    pattern: str


class Between(msgspec.Struct, frozen=True):
    """The number of the field lies between two bounds, both included."""

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

    def number(self, field: str) -> int | None: ...


def matches(predicate: Predicate, row: Searchable) -> bool:
    """Whether the row satisfies the predicate."""
    if isinstance(predicate, AllOf):
        return all(matches(part, row) for part in predicate.parts)
    if isinstance(predicate, AnyOf):
        return any(matches(part, row) for part in predicate.parts)
    if isinstance(predicate, Terms):
        values = row.values(predicate.field)
        return any(value in values for value in predicate.values)
    if isinstance(predicate, Between):
        number = row.number(predicate.field)
        return number is not None and predicate.low <= number <= predicate.high
    size = len(predicate.prefix)
    return any(
        value.startswith(predicate.prefix) and glob(predicate.pattern, value[size:])
        for value in row.values(predicate.field)
    )


def glob(pattern: str, text: str) -> bool:
    """Wildcard matching in time of at most pattern x text, whatever the pattern (H10, H58)."""
    at = mark = 0
    star = -1
    place = 0
    while place < len(text):
        if at < len(pattern) and pattern[at] == "*":
            star, mark = at, place
            at += 1
        elif at < len(pattern) and pattern[at] in ("?", text[place]):
            at += 1
            place += 1
        elif star >= 0:
            mark += 1
            at, place = star + 1, mark
        else:
            return False
    return all(rest == "*" for rest in pattern[at:])
