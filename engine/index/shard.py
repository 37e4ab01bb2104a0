"""The settled index of one tenant: a folder, or memory. With ``lowering`` the only door to tantivy.

Traps that this file knows: builders do not analyse their argument (all folding is done before); a ``PanicException`` is
a BaseException; readers reload by hand; there is no commit payload, so the journal cursor is a document of the commit.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
import tantivy
from tantivy import Document, Occur
from tantivy import Query as Asked

from engine.errors import Corrupt
from engine.index.at_hand import AtHand
from engine.index.blocks import Block, blocks_of
from engine.index.lowering import BLOCK_LEVEL, Lowering, prefix_of, term
from engine.index.matching import AllOf, Between, Predicate, matcher
from engine.index.moments import coarse, number_of
from engine.index.schema import ABSENT, COLUMNS, GONE, KINDS, VERSION, Facts, Row, Searched, searchable
from engine.index.soundness import check_files
from engine.index.texts import character_set_of
from engine.model import Level

FORM: Final = "filmroom index 8"
WRITER_BYTES: Final = 32 << 20
FIRST_HITS_COUNT: Final = 256  # a series, mostly: what matches more is searched a second time, whole
HEADERS_AT_HAND_COUNT_MAX: Final = 2048  # answers above this size hold no headers: they are read again, page by page
EVERY_COUNT: Final = 20_000  # of all rows at a time: each stretch passes over those before it

T = TypeVar("T")
_FACTS: Final = msgspec.msgpack.Decoder(Facts)
_ENCODER: Final = msgspec.msgpack.Encoder()
_CURSOR_LEVEL: Final = "cursor"


class Settled:
    """One immutable state of the settled index."""

    def __init__(self, schema: Any, searcher: Any, at_hand: AtHand) -> None:
        self._schema = schema
        self._searcher = searcher
        self._at_hand = at_hand

    def count(self, level: str, predicate: Predicate) -> int:
        """How many rows match."""
        return guarded(lambda: self._count(level, predicate))

    def select(self, level: str, predicate: Predicate, most: int | None = None) -> list[Row] | None:
        """The rows that match, in no order; None when more than ``most`` would have to be looked at."""
        return guarded(lambda: self._select(level, predicate, most))

    def all_of(self, level: str, predicate: Predicate) -> list[Row]:
        """The rows that match, however many. Level empty: instances, living and gone."""
        return self.select(level, predicate) or []

    def every(self, level: str) -> Iterator[Row]:
        """All rows of a level in no order, some of them at a time: there may be more than memory holds."""
        asked, _ = self._asked(level, AllOf(()))
        offset = 0
        while rows := guarded(lambda offset=offset: self._stretch(asked, offset)):  # type: ignore[misc]
            yield from rows
            offset += len(rows)

    def _stretch(self, asked: Any, offset: int) -> list[Row]:
        hits = self._searcher.search(asked, EVERY_COUNT, count=False, offset=offset).hits
        return [self._row(address, False) for _, address in hits]

    def reach(self, level: str, predicate: Predicate) -> int:
        """At most how many rows match: the work of a ``select``."""
        return guarded(lambda: int(self._searcher.search(self._asked(level, predicate)[0], 1).count))

    def newest(self, level: str, predicate: Predicate, limit: int) -> tuple[list[Row], int]:
        """The rows with the highest order, and all that share the lowest order among these; and how many match."""
        return guarded(lambda: self._newest(level, predicate, limit))

    def cursor(self) -> bytes:
        """What the last settle said of the journal; empty for a new index."""

        def run() -> bytes:
            asked = Asked.term_query(self._schema, "level", _CURSOR_LEVEL, "basic")
            hits = self._searcher.search(asked, 1).hits
            return bytes(self._searcher.doc(hits[0][1]).get_first("facts")) if hits else b""

        return guarded(run)

    def last_block(self) -> int:
        """The highest number that a block ever got and still has; 0 for none."""
        asked = Asked.term_query(self._schema, "level", BLOCK_LEVEL, "basic")
        hits = self._searcher.search(asked, 1, count=False, order_by_field="block").hits
        return int(hits[0][0]) if hits else 0

    def check_counts(self) -> None:
        """Raises Corrupt when there are other documents than the list of segments says."""
        levels = (*Level, GONE, VERSION, BLOCK_LEVEL, _CURSOR_LEVEL)
        asked = [Asked.term_query(self._schema, "level", level, "basic") for level in levels]
        count = guarded(lambda: sum(int(self._searcher.search(one, 1).count) for one in asked))
        if count != self._searcher.num_docs:
            raise Corrupt("the index has other documents than it says")

    def _count(self, level: str, predicate: Predicate) -> int:
        asked, exact = self._asked(level, predicate)
        return int(self._searcher.search(asked, 1).count) if exact else len(self._select(level, predicate) or ())

    def _select(self, level: str, predicate: Predicate, most: int | None = None) -> list[Row] | None:
        asked, exact = self._asked(level, predicate)
        found = self._searcher.search(asked, FIRST_HITS_COUNT)
        hits, total = found.hits, int(found.count)
        if most is not None and total > most:
            return None
        if total > len(hits):
            hits = self._searcher.search(asked, total, count=False).hits
        at_hand = total <= HEADERS_AT_HAND_COUNT_MAX
        rows = [self._row(address, at_hand) for _, address in hits]
        return rows if exact else list(filter(matcher(predicate), rows))

    def _newest(self, level: str, predicate: Predicate, limit: int) -> tuple[list[Row], int]:
        asked, exact = self._asked(level, predicate)
        if not exact:
            rows = self._select(level, predicate) or []
            return rows, len(rows)
        found = self._searcher.search(asked, limit, order_by_field="order")
        rows = [self._row(address, True) for _, address in found.hits]
        if len(rows) == limit and found.count > limit:
            edge = rows[-1].facts.order
            above = [row for row in rows if row.facts.order != edge]
            rows = above + (self._select(level, AllOf((predicate, Between("order", edge, edge)))) or [])
        return rows, int(found.count)

    def _row(self, address: Any, with_header: bool) -> Row:
        if not with_header:
            return self._read(address, False)
        place = (address.segment_ord, address.doc)
        row = self._at_hand.get(place)
        if row is None:
            row = self._read(address, True)
            self._at_hand.put(place, row)
        return row

    def _read(self, address: Any, with_header: bool) -> Row:
        document = self._searcher.doc(address)
        facts = _FACTS.decode(document.get_first("facts"))
        if with_header:
            return Row(facts, *_headers(document))
        return Row(facts, None, load=lambda: guarded(lambda: _headers(self._searcher.doc(address))))

    def _asked(self, level: str, predicate: Predicate) -> tuple[Any, bool]:
        """The query, and whether it is exact: else its rows are more than match, and must be looked at."""
        lowering = Lowering(self._schema, self._searcher, level == Level.INSTANCE)
        asked = lowering.lower(predicate)
        levels = [term(self._schema, "level", one) for one in ((level,) if level else (Level.INSTANCE, GONE))]
        at_level = levels[0] if level else Asked.boolean_query([(Occur.Should, one) for one in levels])
        return Asked.boolean_query([(Occur.Must, at_level), (Occur.Must, asked)]), lowering.is_exact


class Shard:
    """Written by one thread at a time; what it gave to read stays as it is."""

    def __init__(self, directory: Path | None) -> None:
        """Raises Corrupt when the folder holds something else than this form of index, or other bytes than it wrote."""
        self._schema = _schema()
        if directory is not None:
            directory.mkdir(parents=True, exist_ok=True)
            mark = directory / "form"
            if mark.exists() and mark.read_text("utf-8", "replace") != FORM:
                raise Corrupt("the index is of another form")
            if not mark.exists() and any(directory.iterdir()):
                raise Corrupt("the index folder was not finished")
            check_files(directory)
        self._index = guarded(lambda: tantivy.Index(self._schema, None if directory is None else str(directory)))
        if directory is not None:
            (directory / "form").write_text(FORM, "utf-8")
        self._index.config_reader("manual")
        self._writer: Any = None
        self._at_hand = AtHand()
        self._last_block = guarded(lambda: self.settled().last_block())
        self.settled().check_counts()

    def settled(self) -> Settled:
        """The state of the last commit."""

        def run() -> Settled:
            self._index.reload()
            self._at_hand.close()
            self._at_hand = AtHand()
            return Settled(self._schema, self._index.searcher(), self._at_hand)

        return guarded(run)

    def write(self, rows: Iterable[Row], superseded: Sequence[str], cursor: bytes) -> None:
        """Replace and add rows with the cursor in one durable commit. Segments are merged behind it."""
        guarded(lambda: self._write(rows, superseded, cursor))

    def rest(self) -> None:
        """Wait until what is being merged is merged, and let the writer go; it takes memory."""

        def run() -> None:
            writer, self._writer = self._writer, None
            if writer is not None:
                writer.wait_merging_threads()

        guarded(run)

    def _write(self, rows: Iterable[Row], superseded: Sequence[str], cursor: bytes) -> None:
        if self._writer is None:
            self._writer = self._index.writer(WRITER_BYTES, 1)
        writer = self._writer
        try:
            for key in superseded:
                writer.delete_documents_by_term("key", key)
            writer.delete_documents_by_term("level", _CURSOR_LEVEL)
            writer.add_document(_cursor_document(cursor))
            for block in blocks_of(rows):
                self._write_block(writer, block)
            writer.commit()
        except BaseException:
            self._writer = None
            writer.rollback()
            raise

    def _write_block(self, writer: Any, block: Block) -> None:
        if not block.shared:
            for row in block.rows:
                if row.facts.level == VERSION:
                    writer.add_document(_version_document(row))
                elif row.facts.level != ABSENT:
                    writer.add_document(_document(row, row.texts()))
            return
        self._last_block += 1
        character_set = character_set_of(block.shared)
        writer.add_document(_block_document(self._last_block, searchable(block.shared, character_set)))
        for row, own in zip(block.rows, block.own, strict=True):
            document = _document(row, searchable(own, character_set))
            document.add_unsigned("block", self._last_block)
            writer.add_document(document)


def _schema() -> Any:
    builder = tantivy.SchemaBuilder()
    for name in (*sorted(COLUMNS), "kv"):
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic")
    for name in (*(f"n{path}" for path in KINDS), "when"):
        builder.add_unsigned_field(name, indexed=True)
    for name in ("order", "went", "block"):
        builder.add_unsigned_field(name, indexed=True, fast=name != "went")
    for name in ("facts", "header", "source"):
        builder.add_bytes_field(name, stored=True)
    return builder.build()


def _document(row: Row, texts: Searched) -> Any:
    document, facts = Document(), row.facts
    text = document.add_text
    text("level", facts.level)
    text("key", row.key)
    text("study", facts.study_uid)
    if facts.series_uid:
        text("series", facts.series_uid)
    if facts.sop_instance_uid:
        text("sop", facts.sop_instance_uid)
    document.add_unsigned("order", facts.order)
    if facts.went:
        document.add_unsigned("went", facts.went)
    document.add_bytes("facts", _ENCODER.encode(facts))
    document.add_bytes("header", row.header)
    if row.source:
        document.add_bytes("source", row.source)
    _add(document, texts)
    return document


def _version_document(row: Row) -> Any:
    document = Document()
    document.add_text("level", VERSION)
    document.add_text("key", row.key)
    document.add_bytes("facts", _ENCODER.encode(row.facts))
    document.add_bytes("header", row.header)
    return document


def _block_document(number: int, texts: Searched) -> Any:
    document = Document()
    document.add_text("level", BLOCK_LEVEL)
    document.add_unsigned("block", number)
    _add(document, texts)
    return document


def _add(document: Any, texts: Searched) -> None:
    for path, values, kind in texts:
        prefix = prefix_of(path)
        for value in values:
            document.add_text("kv", prefix + value)
        if kind:
            own = kind == KINDS.get(path)
            for value in values:
                if (number := number_of(kind, value)) is not None:
                    document.add_unsigned(*((f"n{path}", number) if own else ("when", coarse(path, kind, number))))


def _cursor_document(cursor: bytes) -> Any:
    document = Document()
    document.add_text("level", _CURSOR_LEVEL)
    document.add_bytes("facts", cursor)
    return document


def _headers(document: Any) -> tuple[bytes, bytes]:
    return document.get_first("header") or b"", document.get_first("source") or b""


def guarded(work: Callable[[], T]) -> T:
    """Runs work in tantivy; what it throws becomes Corrupt, its panics too, which are no ``Exception``."""
    try:
        return work()
    except (ValueError, OSError) as error:
        raise Corrupt(f"the index failed: {type(error).__name__}") from error
    except BaseException as error:
        if type(error).__name__ == "PanicException":
            raise Corrupt("the index failed") from error
        raise
