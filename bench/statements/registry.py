"""Every statement, in the order in which they are asked; and the rows that nobody outside can see."""

from collections.abc import Iterable

from bench.statements import (
    commitment,
    finding,
    frames,
    metadata,
    negotiation,
    ohif,
    qido,
    removal,
    retrieving,
    storing,
    stow,
    ups,
    wado,
)
from bench.statements.statement import Statement, row_of

FAMILIES = (
    negotiation,
    storing,
    finding,
    retrieving,
    commitment,
    qido,
    metadata,
    frames,
    wado,
    stow,
    removal,
    ups,
    ohif,
)
STATEMENTS: tuple[Statement, ...] = tuple(statement for module in FAMILIES for statement in module.family.statements)

# Row to the reason why no client can tell.
UNTESTABLE: dict[str, str] = {
    "C21": "no client can make an instance nearline, nor see that it was",
}


def chosen(rows: Iterable[str]) -> list[Statement]:
    """The statements of these rows; of all when there is none. Raises ValueError for a row that nobody asks about."""
    wanted = {row_of(row) for row in rows}
    known = {row for one in STATEMENTS for row in one.rows}
    for row in sorted(wanted - known):
        raise ValueError(f"{row} cannot be asked from outside: {UNTESTABLE.get(row, 'there is no such statement')}")
    return [one for one in STATEMENTS if not wanted or wanted.intersection(one.rows)]
