"""One view of settled and fresh rows: what a query sees, whatever comes meanwhile."""

from collections.abc import Iterator, Sequence
from itertools import chain
from operator import attrgetter
from typing import Final

import msgspec

from engine.errors import Invalid
from engine.index.compile import UIDS, computed_above, level_of_computed, predicate_of
from engine.index.matching import AllOf, AnyOf, Between, Predicate, Terms
from engine.index.memtable import Snapshot
from engine.index.pages import Pages
from engine.index.schema import GONE, VERSION, Row, key_of, level_of
from engine.index.shard import Settled
from engine.index.side_rows import layout_name
from engine.levels import level_of_lowest, parted
from engine.model import Instance, Layout, Level, Query

SEMI_JOIN_COUNT_MAX: Final = 65_536  # rows of an upper level that may choose rows below
KNOWN_COUNT_MAX: Final = 4096  # instances of a view that are at hand: viewers ask for each frame by its UIDs


class View:
    """Settled, flushing and fresh rows as they were at one moment. Immutable; any thread may read it."""

    def __init__(
        self, settled: Settled, layers: Sequence[Snapshot], superseded: frozenset[str], pages: "Pages[View]"
    ) -> None:
        """``layers`` from new to old: a row in one hides its namesakes in those behind it and in the settled index,
        where ``superseded`` are all that are hidden so. ``pages``: where answers are kept for their next pages."""
        self.pages = pages
        self.fresh_bytes = sum(layer.held_bytes for layer in layers)
        self._settled = settled
        self._layers = tuple(layers)
        self._superseded = superseded
        self._hidden: dict[Level, tuple[str, ...]] = {}
        self._known: dict[tuple[str, str, str], Instance] = {}

    def select(self, level: str, predicate: Predicate, most: int | None = None) -> list[Row]:
        """All live rows of a level that match, in no order. Raises Invalid for more than ``most``."""
        rows = self._fresh(level, predicate)
        below = self._settled.select(level, predicate, None if most is None else most - len(rows))
        if below is None:
            raise Invalid(f"more than {most} match: narrow the query")
        return rows + self._unhidden(below)

    def newest(self, level: Level, predicate: Predicate, limit: int) -> tuple[list[Row], int]:
        """At least the ``limit`` rows of highest order (more when they are equal), and how many match in all."""
        hidden = self._hidden_keys(level)
        rows = self._fresh(level, predicate)
        below, count = self._settled.newest(level, predicate, limit + len(hidden))
        if hidden and count:
            is_whole = count == len(below)
            below = self._unhidden(below)
            count = len(below) if is_whole else count - self._settled.count(level, _also(hidden, predicate))
        return rows + below, len(rows) + count

    def row(self, level: str, study_uid: str, series_uid: str = "", sop_instance_uid: str = "") -> Row | None:
        """One row by its UIDs."""
        key = key_of(study_uid, series_uid, sop_instance_uid)
        for layer in self._layers:
            if (row := layer.get(level, study_uid, key)) is not None:
                return row if row.facts.level == level else None
        return next(iter(self._settled.all_of(level, Terms("key", (key,)))), None)

    def row_of(self, study_uid: str, series_uid: str, sop_instance_uid: str) -> Row | None:
        """The row of a living instance."""
        return self.row(Level.INSTANCE, study_uid, series_uid, sop_instance_uid)

    def instance_of(self, study_uid: str, series_uid: str, sop_instance_uid: str) -> Instance | None:
        """The current version of a living instance."""
        row = self.row_of(study_uid, series_uid, sop_instance_uid)
        found = row.instance() if row is not None else None
        if found is not None:
            if len(self._known) >= KNOWN_COUNT_MAX:
                self._known.clear()
            self._known[study_uid, series_uid, sop_instance_uid] = found
        return found

    def known(self, study_uid: str, series_uid: str, sop_instance_uid: str) -> Instance | None:
        """The same for who was asked for before in this view; None says nothing."""
        return self._known.get((study_uid, series_uid, sop_instance_uid))

    def layout_of(self, instance: Instance) -> Layout | None:
        """Where frames stand in a large object, and what its chunks are; None when there is no need to know."""
        name = layout_name(instance.sop_instance_uid, instance.key)
        row = self.row(VERSION, instance.study_uid, instance.series_uid, name)
        return msgspec.msgpack.decode(row.header, type=Layout) if row is not None else None

    def gone(self, query: Query, most: int | None = None) -> list[Row]:
        """Deleted instances that match; keys of a study or series are compared with the instance's own header.

        Raises Invalid for keys on what is computed, and for more than ``most``."""
        if computed_above(msgspec.structs.replace(query, level=Level.INSTANCE)):
            raise Invalid("what is deleted has no computed attributes")
        return self.select(GONE, predicate_of(query, Level.INSTANCE), most)

    def gone_until(self, second: int) -> list[Row]:
        """Instances of which something was deleted in or before a second since 1970-01-01 UTC; some live with more."""
        went = Between("went", 0, second)
        return self.select(GONE, went) + self.select(Level.INSTANCE, went)

    def rows_of(self, query: Query, level: Level, most: int | None = None) -> list[Row]:
        """Rows of ``level`` below everything that the query's keys match. Raises Invalid for more than ``most``."""
        return self.select(level, self.predicate(query, level), most)

    def predicate(self, query: Query, level: Level) -> Predicate:
        """The query's keys for rows of a level, those computed above it or of lower levels resolved."""
        own, lower = parted(query.keys, level)
        query = msgspec.structs.replace(query, keys=tuple(own))
        parts: list[Predicate] = [predicate_of(query, level)]
        for key in computed_above(msgspec.structs.replace(query, level=level)):
            upper = level_of_computed(key)
            if upper == level:
                continue
            above = self.select(upper, predicate_of(Query(level=upper, keys=(key,)), upper))
            if len(above) > SEMI_JOIN_COUNT_MAX:
                raise Invalid("too many studies match a computed key: add keys that narrow the query")
            parts.append(_below(upper, above))
        if lower:
            parts.append(self._holding(msgspec.structs.replace(query, keys=tuple(lower)), level, AllOf(tuple(parts))))
        return AllOf(tuple(parts))

    def _holding(self, query: Query, level: Level, own: Predicate) -> Predicate:
        """Rows of a level that hold a row below it that satisfies the query; ``own``: what else they must be."""
        lowest = level_of_lowest(query.keys)
        asked = predicate_of(query, lowest)
        if asked == AllOf(()):  # keys that match anything
            return asked
        if self._reach(level, own) < self._reach(lowest, asked):
            asked = AllOf((_below(level, self.select(level, own, SEMI_JOIN_COUNT_MAX)), asked))
        found = [row.facts for row in self.select(lowest, asked, SEMI_JOIN_COUNT_MAX)]
        if not found:
            return AnyOf(())
        if level == Level.STUDY:
            return Terms("study", tuple({facts.study_uid: None for facts in found}))
        return Terms("key", tuple({key_of(facts.study_uid, facts.series_uid): None for facts in found}))

    def _reach(self, level: Level, predicate: Predicate) -> int:
        """At most how many rows match."""
        return len(self._fresh(level, predicate)) + self._settled.reach(level, predicate)

    def instances(self, query: Query) -> list[Instance]:
        """All instances below what the query's keys match, in series order: what a retrieve sends."""
        return [instance for row in self.in_series_order(query) if (instance := row.instance()) is not None]

    def in_series_order(self, query: Query) -> list[Row]:
        """The rows of the same instances."""
        by_series: dict[tuple[str, str], list[Row]] = {}
        for row in self.rows_below(query):
            by_series.setdefault((row.facts.study_uid, row.facts.series_uid), []).append(row)
        if not by_series:
            return []
        studies, series = map(dict.fromkeys, zip(*by_series, strict=True))
        above = self.select(Level.SERIES, AllOf((Terms("study", (*studies,)), Terms("series", (*series,)))))
        numbers = {(row.facts.study_uid, row.facts.series_uid): row.facts.order for row in above}
        found: list[Row] = []
        for _, _, place in sorted((place[0], numbers.get(place, 0), place) for place in by_series):
            together = by_series[place]
            together.sort(key=attrgetter("key"))
            together.sort(key=lambda row: row.facts.order)
            found += together
        return found

    def every(self, level: Level) -> Iterator[Row]:
        """All rows of a level in no order, some of them held at a time."""
        settled = (row for row in self._settled.every(level) if row.key not in self._superseded)
        return chain(self._fresh(level, AllOf(())), settled)

    def every_instance(self) -> Iterator[Instance]:
        """All living instances in no order, some of them held at a time."""
        for row in self.every(Level.INSTANCE):
            if (instance := row.instance()) is not None:
                yield instance

    def rows_below(self, query: Query) -> list[Row]:
        """Instance rows below all that the query's keys match at its own level; UIDs of lower levels choose among
        them."""
        named = msgspec.structs.replace(query, keys=tuple(key for key in query.keys if key.path in UIDS))
        if all(key in named.keys for key in query.keys if key.values):
            return self.rows_of(named, Level.INSTANCE)
        level = Level.STUDY if query.level == Level.PATIENT else query.level
        above = self.rows_of(query, level)
        if level == Level.INSTANCE or not above:
            return above
        return self.select(Level.INSTANCE, AllOf((_below(level, above), predicate_of(named, Level.INSTANCE))))

    def counts(self) -> tuple[int, int, int]:
        """Live studies, series and instances."""
        return (self._count(Level.STUDY), self._count(Level.SERIES), self._count(Level.INSTANCE))

    def _count(self, level: Level) -> int:
        hidden = self._hidden_keys(level)
        count = len(self._fresh(level, AllOf(()))) + self._settled.count(level, AllOf(()))
        return count - self._settled.count(level, Terms("key", hidden)) if hidden else count

    def _fresh(self, level: str, predicate: Predicate) -> list[Row]:
        rows: list[Row] = []
        for depth, layer in enumerate(self._layers):
            above = self._layers[:depth]
            rows += [row for row in layer.select(level, predicate) if not any(one.hides(row) for one in above)]
        return rows

    def _unhidden(self, settled: list[Row]) -> list[Row]:
        """Without those in whose place is a fresh row."""
        hidden = self._superseded
        return [row for row in settled if row.key not in hidden] if hidden else settled

    def is_fresh(self, row: Row) -> bool:
        """Whether the row, or one that hides it, is among those that have not settled."""
        return any(layer.hides(row) for layer in self._layers)

    def _hidden_keys(self, level: Level) -> tuple[str, ...]:
        """Keys of settled rows that fresh ones hide; found when first asked for, and equal whoever asks."""
        known = self._hidden.get(level)
        if known is None:
            known = self._hidden[level] = tuple(sorted(key for key in self._superseded if level_of(key) == level))
        return known


def _also(hidden: tuple[str, ...], predicate: Predicate) -> Predicate:
    return AllOf((Terms("key", hidden), predicate))


def _below(level: Level, above: Sequence[Row]) -> Predicate:
    """What is below rows of a level. A series UID counts within its study."""
    if not above:
        return AnyOf(())
    if level == Level.STUDY:
        return Terms("study", tuple(row.facts.study_uid for row in above))
    studies: dict[str, list[str]] = {}
    for row in above:
        studies.setdefault(row.facts.study_uid, []).append(row.facts.series_uid)
    pairs = [AllOf((Terms("study", (study,)), Terms("series", tuple(series)))) for study, series in studies.items()]
    return pairs[0] if len(pairs) == 1 else AnyOf(tuple(pairs))
