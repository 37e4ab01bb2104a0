"""What the instances of one series have in common is searched once, not once an instance. Pure.

Of the eighty values of a CT instance some six are its own. Instances that settle together make a *block*: a document of
its own with what all of them share, byte for byte; each instance is searched by the rest and by its block. A block
never changes: an instance that is replaced leaves it and comes with another one.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from engine.index.attributes import CHARACTER_SET
from engine.index.schema import OWN_TAGS, Row
from engine.model import Level
from native import parts

BLOCK_COUNT_MIN: Final = 2  # instances that make a block worth its document


class Block(msgspec.Struct, frozen=True):
    """Rows that settle together. ``shared``: header part that all of them hold (empty: each stands for itself);
    ``own``: what is left of each one's header, in the order of the rows."""

    rows: tuple[Row, ...]
    own: tuple[bytes, ...]
    shared: bytes = b""


def blocks_of(rows: Iterable[Row]) -> Iterator[Block]:
    """Instances by series; all other rows as they are."""
    series: dict[tuple[str, str], list[Row]] = {}
    others: list[Row] = []
    for row in rows:
        facts = row.facts
        if facts.level == Level.INSTANCE:
            series.setdefault((facts.study_uid, facts.series_uid), []).append(row)
        else:
            others.append(row)
    yield Block(tuple(others), ())
    for together in series.values():
        yield _block(tuple(together)) if len(together) >= BLOCK_COUNT_MIN else Block(tuple(together), ())


def _block(rows: tuple[Row, ...]) -> Block:
    first = rows[0].header
    differing = set(OWN_TAGS)
    for row in rows[1:]:
        parts.differing(row.header, first, differing)
    if CHARACTER_SET in differing:
        return Block(rows, ())  # equal bytes do not mean equal text
    _, shared = parts.cut(first, differing)
    return Block(rows, tuple(parts.cut(row.header, differing)[0] for row in rows), shared)
