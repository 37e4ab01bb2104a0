"""The settled index on disk, and the one view of settled and fresh rows. The only door to tantivy.

Traps that this file knows: builders do not analyse their argument (all folding is done before); ``parse_query`` on
user text can panic, so it is never called; a ``PanicException`` is a BaseException; readers reload by hand; a writer
exists only while something is written; there is no commit payload, so the journal cursor is a document of the commit.
"""

import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
import tantivy
from tantivy import Document, FieldType, Occur
from tantivy import Query as Asked

from engine.errors import Corrupt, Invalid, Missing
from engine.index.compile import computed_above, level_of_computed, predicate_of
from engine.index.matching import AllOf, AnyOf, Between, Predicate, Terms
from engine.index.memtable import Snapshot
from engine.index.schema import NUMBERS, Facts, Row, key_of
from engine.model import Instance, Level, Query

FORM: Final = "filmroom index 1"
WRITER_BYTES: Final = 32 << 20
SEMI_JOIN_COUNT_MAX: Final = 65_536  # rows of an upper level that may choose rows below

T = TypeVar("T")
_FACTS: Final = msgspec.msgpack.Decoder(Facts)
_ENCODER: Final = msgspec.msgpack.Encoder()
_TEXT_FIELDS: Final = ("level", "key", "study", "series", "sop", "kv")
_CURSOR_LEVEL: Final = "cursor"


class Settled:
    """One immutable state of the settled index."""

    def __init__(self, schema: Any, searcher: Any) -> None:
        self._schema = schema
        self._searcher = searcher

    def count(self, level: str, predicate: Predicate) -> int:
        """How many rows match."""
        return _guarded(lambda: int(self._searcher.search(self._asked(level, predicate), 1).count))

    def select(self, level: str, predicate: Predicate) -> list[Row]:
        """The rows that match, in no order."""

        def run() -> list[Row]:
            asked = self._asked(level, predicate)
            total = self._searcher.search(asked, 1).count
            if not total:
                return []
            hits = self._searcher.search(asked, total, count=False).hits
            return [self._row(address) for _, address in hits]

        return _guarded(run)

    def newest(self, level: str, predicate: Predicate, limit: int) -> list[Row]:
        """The rows with the highest order, and all that share the lowest order among these."""

        def run() -> list[Row]:
            asked = self._asked(level, predicate)
            hits = self._searcher.search(asked, limit, count=False, order_by_field="order").hits
            rows = [self._row(address) for _, address in hits]
            if len(rows) < limit:
                return rows
            edge = rows[-1].facts.order
            above = [row for row in rows if row.facts.order != edge]
            return above + self.select(level, AllOf((predicate, Between("order", edge, edge))))

        return _guarded(run)

    def cursor(self) -> bytes:
        """What the last settle said of the journal; empty for a new index."""

        def run() -> bytes:
            asked = Asked.term_query(self._schema, "level", _CURSOR_LEVEL, "basic")
            hits = self._searcher.search(asked, 1).hits
            return bytes(self._searcher.doc(hits[0][1]).get_first("facts")) if hits else b""

        return _guarded(run)

    def _row(self, address: Any) -> Row:
        document = self._searcher.doc(address)
        facts = _FACTS.decode(document.get_first("facts"))
        return Row(facts, document.get_first("header") or b"")

    def _asked(self, level: str, predicate: Predicate) -> Any:
        return Asked.boolean_query(
            [(Occur.Must, self._lower(Terms("level", (level,)))), (Occur.Must, self._lower(predicate))]
        )

    def _lower(self, predicate: Predicate) -> Any:
        if isinstance(predicate, AllOf):
            if not predicate.parts:
                return Asked.all_query()
            return Asked.boolean_query([(Occur.Must, self._lower(part)) for part in predicate.parts])
        if isinstance(predicate, AnyOf):
            if not predicate.parts:
                return Asked.empty_query()
            return Asked.boolean_query([(Occur.Should, self._lower(part)) for part in predicate.parts])
        if isinstance(predicate, Terms):
            if len(predicate.values) == 1:
                return Asked.term_query(self._schema, predicate.field, predicate.values[0], "basic")
            return Asked.term_set_query(self._schema, predicate.field, list(predicate.values))
        if isinstance(predicate, Between):
            name = _number_field(predicate.field)
            return Asked.range_query(self._schema, name, FieldType.Unsigned, predicate.low, predicate.high)
        pattern = "".join(".*" if c == "*" else "." if c == "?" else _literal(c) for c in predicate.pattern)
        prefix = "".join(_literal(c) for c in predicate.prefix)
        return Asked.regex_query(self._schema, predicate.field, prefix + pattern)


class Shard:
    """The settled index of one tenant: a folder, or memory. Written by one thread at a time."""

    def __init__(self, directory: Path | None) -> None:
        """Raises Corrupt when the folder holds something else than this form of index."""
        self._schema = _schema()
        if directory is not None:
            directory.mkdir(parents=True, exist_ok=True)
            mark = directory / "form"
            if mark.exists() and mark.read_text("utf-8", "replace") != FORM:
                raise Corrupt("the index is of another form")
            if not mark.exists() and any(directory.iterdir()):
                raise Corrupt("the index folder was not finished")
        self._index = _guarded(lambda: tantivy.Index(self._schema, None if directory is None else str(directory)))
        if directory is not None:
            (directory / "form").write_text(FORM, "utf-8")
        self._index.config_reader("manual")

    def settled(self) -> Settled:
        """The state of the last commit."""

        def run() -> Settled:
            self._index.reload()
            return Settled(self._schema, self._index.searcher())

        return _guarded(run)

    def write(self, rows: Iterable[Row], superseded: Sequence[str], cursor: bytes) -> None:
        """Replace and add rows with the cursor in one durable commit."""

        def run() -> None:
            writer = self._index.writer(WRITER_BYTES, 1)
            try:
                for key in superseded:
                    writer.delete_documents_by_term("key", key)
                writer.delete_documents_by_term("level", _CURSOR_LEVEL)
                writer.add_document(_cursor_document(cursor))
                for row in rows:
                    writer.add_document(_document(row))
                writer.commit()
            except BaseException:
                writer.rollback()
                raise
            finally:
                writer.wait_merging_threads()

        _guarded(run)


def discard(directory: Path) -> None:
    """Remove an index that cannot be used: it is derived."""
    if directory.exists():
        shutil.rmtree(directory)


class View:
    """Settled, flushing and fresh rows as they were at one moment. Immutable; any thread may read it."""

    def __init__(self, number: int, settled: Settled, layers: Sequence[Snapshot]) -> None:
        """``layers`` from new to old: a row in one hides its namesakes in those behind it and in the settled index."""
        self.number = number
        self._settled = settled
        self._layers = tuple(layers)
        self._hidden = {level: set().union(*(layer.keys(level) for layer in layers)) for level in Level}

    def select(self, level: Level, predicate: Predicate) -> list[Row]:
        """All live rows of a level that match, in no order."""
        hidden = self._hidden[level]
        rows = self._fresh(level, predicate)
        rows += [row for row in self._settled.select(level, predicate) if row.key not in hidden]
        return rows

    def newest(self, level: Level, predicate: Predicate, limit: int) -> tuple[list[Row], int]:
        """At least the ``limit`` rows of highest order (more when they are equal), and how many match in all."""
        hidden = self._hidden[level]
        rows = self._fresh(level, predicate)
        total = len(rows) + self._settled.count(level, predicate)
        if hidden:
            total -= self._settled.count(level, AllOf((predicate, Terms("key", tuple(hidden)))))
        rows += [r for r in self._settled.newest(level, predicate, limit + len(hidden)) if r.key not in hidden]
        return rows, total

    def row(self, level: Level, study_uid: str, series_uid: str = "", sop_instance_uid: str = "") -> Row | None:
        """One row by its UIDs."""
        key = key_of(study_uid, series_uid, sop_instance_uid)
        for layer in self._layers:
            if (row := layer.get(level, study_uid, key)) is not None:
                return row
        return next(iter(self._settled.select(level, Terms("key", (key,)))), None)

    def locate(self, study_uid: str, series_uid: str, sop_instance_uid: str) -> Instance:
        """One instance. Raises Missing."""
        row = self.row(Level.INSTANCE, study_uid, series_uid, sop_instance_uid)
        instance = row.instance() if row else None
        if instance is None:
            raise Missing("there is no such instance")
        return instance

    def rows_of(self, query: Query, level: Level) -> list[Row]:
        """Rows of ``level`` below everything that the query's keys match."""
        return self.select(level, self.predicate(query, level))

    def predicate(self, query: Query, level: Level) -> Predicate:
        """The query's keys for rows of a level, those computed above it resolved."""
        parts: list[Predicate] = [predicate_of(query, level)]
        for key in computed_above(msgspec.structs.replace(query, level=level)):
            upper = level_of_computed(key)
            if upper == level:
                continue
            field = "series" if upper == Level.SERIES else "study"
            above = self.select(upper, predicate_of(Query(level=upper, keys=(key,)), upper))
            if len(above) > SEMI_JOIN_COUNT_MAX:
                raise Invalid("too many studies match a computed key: add keys that narrow the query")
            uids = tuple(row.facts.series_uid if field == "series" else row.facts.study_uid for row in above)
            parts.append(Terms(field, uids) if uids else AnyOf(()))
        return AllOf(tuple(parts))

    def instances(self, query: Query) -> list[Instance]:
        """All instances below what the query's keys match, in series order: what a retrieve sends."""
        rows = self.rows_of(query, Level.INSTANCE) if _is_plain(query) else self._below(query)
        if not rows:
            return []
        series = {row.facts.series_uid for row in rows}
        numbers = {
            row.facts.series_uid: row.facts.order for row in self.select(Level.SERIES, Terms("series", tuple(series)))
        }
        rows.sort(key=lambda row: (row.facts.study_uid, numbers.get(row.facts.series_uid, 0), *_place(row)))
        return [instance for row in rows if (instance := row.instance()) is not None]

    def _below(self, query: Query) -> list[Row]:
        """Instance rows below matching rows of the query's own level."""
        level = Level.STUDY if query.level == Level.PATIENT else query.level
        above = self.rows_of(query, level)
        if level == Level.INSTANCE or not above:
            return above
        if level == Level.STUDY:
            return self.select(Level.INSTANCE, Terms("study", tuple(row.facts.study_uid for row in above)))
        named = Terms("series", tuple({row.facts.series_uid for row in above}))
        pairs = {(row.facts.study_uid, row.facts.series_uid) for row in above}
        below = self.select(Level.INSTANCE, named)
        return [row for row in below if (row.facts.study_uid, row.facts.series_uid) in pairs]

    def counts(self) -> tuple[int, int, int]:
        """Live studies, series and instances."""
        return (self._count(Level.STUDY), self._count(Level.SERIES), self._count(Level.INSTANCE))

    def _count(self, level: Level) -> int:
        hidden = self._hidden[level]
        below = self._settled.count(level, AllOf(()))
        if hidden:
            below += len(hidden) - self._settled.count(level, Terms("key", tuple(hidden)))
        return below

    def _fresh(self, level: Level, predicate: Predicate) -> list[Row]:
        seen: set[str] = set()
        rows: list[Row] = []
        for layer in self._layers:
            rows += [row for row in layer.select(level, predicate) if row.key not in seen]
            if len(self._layers) > 1:
                seen |= layer.keys(level)
        return rows


def _is_plain(query: Query) -> bool:
    return all(key.path in ("0020000D", "0020000E", "00080018") for key in query.keys if key.values)


def _place(row: Row) -> tuple[str, int, str]:
    return (row.facts.series_uid, row.facts.order, row.facts.sop_instance_uid)


def _schema() -> Any:
    builder = tantivy.SchemaBuilder()
    for name in _TEXT_FIELDS:
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic")
    for name in (*NUMBERS, "order"):
        builder.add_unsigned_field(_number_field(name), indexed=True, fast=name == "order")
    builder.add_bytes_field("facts", stored=True)
    builder.add_bytes_field("header", stored=True)
    return builder.build()


def _number_field(path: str) -> str:
    return path if path == "order" else f"n{path}"


def _document(row: Row) -> Any:
    document, facts = Document(), row.facts
    text = document.add_text
    text("level", facts.level)
    text("key", row.key)
    text("study", facts.study_uid)
    if facts.series_uid:
        text("series", facts.series_uid)
    if facts.sop_instance_uid:
        text("sop", facts.sop_instance_uid)
    for term in row.terms:
        text("kv", term)
    for path, number in row.numbers().items():
        document.add_unsigned(_number_field(path), number)
    document.add_unsigned("order", facts.order)
    document.add_bytes("facts", _ENCODER.encode(facts))
    document.add_bytes("header", row.header)
    return document


def _cursor_document(cursor: bytes) -> Any:
    document = Document()
    document.add_text("level", _CURSOR_LEVEL)
    document.add_bytes("facts", cursor)
    return document


def _literal(character: str) -> str:
    return character if character.isalnum() else f"\\{character}" if character in "\\.+*?()|[]{}^$#&-~" else character


def _guarded(work: Callable[[], T]) -> T:
    """Runs work in tantivy; what it throws becomes Corrupt, its panics too, which are no ``Exception``."""
    try:
        return work()
    except (ValueError, OSError) as error:
        raise Corrupt(f"the index failed: {type(error).__name__}") from error
    except BaseException as error:
        if type(error).__name__ == "PanicException":
            raise Corrupt("the index failed") from error
        raise
