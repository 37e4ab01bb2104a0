"""The index: folds store records, answers with views, settles in the background of its owner."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

import msgspec

from engine.clock import Clock, Identifiers
from engine.errors import Conflict, Corrupt
from engine.index.attributes import labelled
from engine.index.generations import Generations
from engine.index.hot import HotStudies
from engine.index.matching import Terms
from engine.index.members import StudyMembers, rank_of
from engine.index.memtable import Memtable, Snapshot, slot_of
from engine.index.outcome import FoldOutcome
from engine.index.pages import Pages
from engine.index.schema import VERSION, Row, instance_row, key_of, marked, shown_digest
from engine.index.shard import Settled, Shard
from engine.index.side_rows import layout_row, version_key, version_row
from engine.index.view import View
from engine.keep import fold
from engine.keep.fold import Placed
from engine.keep.state import EMPTY, InstanceState
from engine.model import ActRecord, Level, Record, StoreRecord

log = logging.getLogger("filmroom.index")

Mark = tuple[int, str, int]  # epoch, its nonce, batch number

FRESH_COUNT_MAX: Final = 8192  # rows in memory before they settle: bounds memory and what a search must look through
FRESH_BYTES_MAX: Final = 48 << 20
FRESH_SECONDS_MAX: Final = 20.0  # what came settles at the latest then, so that a start has little to fold again
SUPERSEDED_COUNT_MAX: Final = 500  # settled rows that every search must leave out


class Position(Protocol):
    """A journal position, as ``Journal.append`` and ``read`` give it."""

    @property
    def writer(self) -> str: ...

    @property
    def mark(self) -> Mark: ...


class Index:
    """One tenant's index. Thread-safe; ``fold`` and ``note_position`` are for one thread each, ``view`` for any.

    ``settle`` and ``rest`` are for one thread at a time; nothing else waits for what they write.
    """

    cursor: Mapping[str, Mark]
    _active: Memtable
    _flushing: Memtable | None
    _flushing_snapshot: Snapshot | None
    _hot: HotStudies
    _view: View | None
    _superseded: set[str]  # keys of settled rows, or of those that are being settled, in whose place is a fresh one
    _leaving: set[str]  # the same of what is being settled
    _positions: dict[str, Mark]
    _fresh_since: float | None

    def __init__(
        self, generations: Generations, shard: Shard, clock: Clock, pages: Pages[View], character_set: str
    ) -> None:
        self._generations = generations
        self._shard = shard
        self._clock = clock
        self._pages = pages
        self._character_set = character_set
        self._lock = threading.RLock()
        self._settling = threading.Lock()
        self._rebuilding = threading.Lock()
        self._successor: Index | None = None
        self.is_partial = False  # what is folded is not all that there is: the journal is to be folded from here again
        self._settled = shard.settled()
        self._start_empty()
        self._positions = _cursor_of(self._settled)
        self.cursor = dict(self._positions)

    @classmethod
    def open(
        cls,
        directory: Path | None,
        clock: Clock | None = None,
        identifiers: Identifiers | None = None,
        character_set: str = "",
    ) -> "Index":
        """Opens the index in a folder (None: in memory) as it was last settled. What is damaged or of another form is
        discarded: the caller replays the journal from ``cursor``, which is empty then. ``character_set``: of headers
        that name none; from then on they name it."""
        clock, identifiers = clock or Clock(), identifiers or Identifiers()
        generations = Generations(directory, identifiers)
        pages: Pages[View] = Pages(clock, identifiers)
        try:
            return cls(generations, Shard(generations.current), clock, pages, character_set)
        except Corrupt as error:
            if directory is None:
                raise
            log.warning("index discarded, to be folded again from the journal", extra={"reason": str(error)})
            generations.use(generations.begin())
            return cls(generations, Shard(generations.current), clock, pages, character_set)

    def fold(self, records: Sequence[Record], *, placed: bool = False) -> list[FoldOutcome]:
        """Take in records; the next view shows them. Folding a record twice is folding it once.

        ``placed``: they are as the journal has them, and come in any order; else each store is new, and is placed
        among what is there (``fold.place``).
        """
        with self._lock:
            known = self._known(records)
            outcomes = [
                self._fold_act(record, known)
                if isinstance(record, ActRecord)
                else self._fold_store(record, known, placed)
                for record in records
            ]
            if self._successor is not None:
                self._successor.fold([outcome.record for outcome in outcomes], placed=True)
            return outcomes

    def note_position(self, position: Position) -> None:
        """The journal up to here is folded: the next settle says so."""
        with self._lock:
            if not self.is_partial:
                self._positions[position.writer] = position.mark
                self._note_fresh()

    def position(self) -> dict[str, Mark]:
        """How far the journal is folded."""
        with self._lock:
            return dict(self._positions)

    def view(self) -> View:
        """Everything folded so far. Concurrent callers share one."""
        with self._lock:
            if self._view is None:
                self._refresh()
                layers = [self._active.snapshot()]
                if self._flushing_snapshot is not None:
                    layers.append(self._flushing_snapshot)
                self._view = View(self._settled, layers, frozenset(self._superseded | self._leaving), self._pages)
            return self._view

    def view_at_once(self) -> View | None:
        """The same if somebody has asked for it since the last fold. Never waits."""
        return self._view

    def due(self, times: int = 1) -> bool:
        """Whether it is time to settle: by count, by bytes, or by age (ask again from time to time); ``times``: whether
        more than so often what is due is waiting."""
        active, since = self._active, self._fresh_since
        full = active.count >= times * FRESH_COUNT_MAX or active.held_bytes >= times * FRESH_BYTES_MAX
        if full or times > 1:
            return full
        old = since is not None and self._clock.monotonic() - since >= FRESH_SECONDS_MAX
        return old or len(self._superseded) >= SUPERSEDED_COUNT_MAX

    def settle(self, make_durable: Callable[[], None] = lambda: None) -> None:
        """Make durable what was folded when this began, with the journal position. Views and folds go on meanwhile.

        ``make_durable`` is called between: it sees to it that the records that were folded are themselves on disk.
        """
        with self._settling:
            with self._lock:
                self._refresh()
                self._fresh_since = None
                if not self._active.count and self.cursor == self._positions:
                    return
                flushing, positions = self._active, dict(self._positions)
                superseded, self._superseded = self._superseded, set()
                self._leaving = superseded
                self._flushing, self._flushing_snapshot = flushing, flushing.snapshot()
                self._active, self._view = Memtable(), None
                self._hot.are_settling(flushing)
            try:
                make_durable()
                self._shard.write(flushing.rows(), sorted(superseded), msgspec.msgpack.encode(positions))
                settled = self._shard.settled()
            except BaseException:
                self._unsettle(flushing, superseded)
                raise
            with self._lock:
                self._settled = settled
                self._flushing = self._flushing_snapshot = self._view = None
                self._leaving = set()
                self.cursor = positions

    def rest(self) -> None:
        """Wait for the merging that settles left behind, and give its memory back: when no more is due for now."""
        with self._settling:
            self._shard.rest()

    def rebuild(self, replay: "Callable[[Index], int]", wait_journalled: Callable[[], None]) -> int:
        """Fold everything anew beside this index, which serves on, and take its place; returns what ``replay`` does.

        ``wait_journalled`` returns when all that was folded before it was called is in the journal; ``replay`` then
        folds the journal into the index that it is given. What comes meanwhile is folded into both. Raises Conflict
        when this is under way already; whatever else is raised leaves this index as it was.
        """
        if not self._rebuilding.acquire(blocking=False):
            raise Conflict("the index is being built anew already")
        place = self._generations.begin()
        try:
            successor = Index(self._generations, Shard(place), self._clock, self._pages, self._character_set)
            with self._lock:
                self._successor = successor
            wait_journalled()
            count = replay(successor)
            successor.settle()
            successor.rest()
            self._become(successor, place)
            return count
        finally:
            with self._lock:
                self._successor = None
            self._generations.drop(place)
            self._rebuilding.release()

    def close(self) -> None:
        """Lets go; what is not settled is folded again from journal and intake."""
        with self._settling:
            self._shard.rest()
            with self._lock:
                self._pages.clear()
                self._start_empty()

    def clear(self) -> None:
        """Forget everything, so that the journal can be folded from its beginning."""
        with self._settling:
            self._shard.rest()
            with self._lock:
                self._generations.use(self._generations.begin())
                self._shard = Shard(self._generations.current)
                self._settled = self._shard.settled()
                self._start_empty()

    def _start_empty(self) -> None:
        self._active, self._hot, self._superseded, self._leaving = Memtable(), HotStudies(self._gathered), set(), set()
        self._flushing = self._flushing_snapshot = self._view = self._fresh_since = None
        self._positions, self.cursor = {}, {}

    def _become(self, successor: "Index", place: Path | None) -> None:
        """Views of before stay as they are: they hold their part of the old index."""
        with self._settling, self._lock, successor._settling, successor._lock:
            old, self._shard = self._shard, successor._shard
            self._settled = successor._settled
            self._active, self._hot = successor._active, HotStudies(self._gathered)
            self._flushing = self._flushing_snapshot = self._view = None
            self._superseded, self._leaving = successor._superseded, set()
            # All that this index had folded is in the successor: journalled before its replay, or folded into both.
            self._positions = {**successor._positions, **self._positions}
            self._fresh_since = self._clock.monotonic()
            self.cursor = successor.cursor
            self._successor = None
        old.rest()
        self._generations.use(place)

    def _unsettle(self, flushing: Memtable, superseded: set[str]) -> None:
        """A settle failed: what it would have written stays fresh, below what came meanwhile."""
        with self._lock:
            for row in list(self._active.rows()):
                flushing.put(row)
            self._active, self._flushing, self._flushing_snapshot, self._view = flushing, None, None, None
            self._superseded |= superseded
            self._leaving = set()
            self._note_fresh()

    def _note_fresh(self) -> None:
        if self._fresh_since is None:
            self._fresh_since = self._clock.monotonic()

    def _known(self, records: Sequence[Record]) -> dict[str, dict[str, Row]]:
        """Settled instances, living and gone, by key, under the SOP Instance UIDs of a batch: one search."""
        uids = {uid for record in records for uid in _sops_of(record)}
        known: dict[str, dict[str, Row]] = {}
        if uids:
            for row in self._settled.all_of("", Terms("sop", tuple(uids))):
                known.setdefault(row.facts.sop_instance_uid, {})[row.key] = row
        return known

    def _fold_store(self, record: StoreRecord, known: dict[str, dict[str, Row]], is_placed: bool) -> FoldOutcome:
        place = (record.study_uid, record.series_uid, sop := record.sop_instance_uid)
        key = key_of(*place)
        settled = known.get(sop, {})
        before = self._fresh(Level.INSTANCE, record.study_uid, key) or settled.get(key)
        state = before.state if before else EMPTY
        placed = Placed("same", record, False) if is_placed else fold.place(state, record)
        after = fold.add(state, placed.record)
        if before is None or after != state:
            own = after.version_of(record.content_digest)
            is_first = own is not None and own.first.identity == (record.writer, record.lsn)
            sent = {record.content_digest: labelled(record.header, self._character_set)} if is_first else {}
            self._put_instance(place, before, after, sent, key in settled)
            if (layout := layout_row(placed.record)) is not None:
                self._put(layout, before is not None)
        places = self._mark_places(sop, settled)
        elsewhere = placed.outcome == "new" and any(row.lives for name, row in places.items() if name != key)
        outcome = "elsewhere" if elsewhere else placed.outcome
        return FoldOutcome(outcome, placed.record, placed.carries)

    def _fold_act(self, record: ActRecord, known: dict[str, dict[str, Row]]) -> FoldOutcome:
        for (series, sop), act in fold.acts_of(record).items():
            place = (record.study_uid, series, sop)
            key = key_of(*place)
            settled = known.get(sop, {})
            before = self._fresh(Level.INSTANCE, record.study_uid, key) or settled.get(key)
            state = before.state if before else EMPTY
            after = fold.act_on(state, act)
            if after != state:
                self._put_instance(place, before, after, {}, key in settled)
                self._mark_places(sop, settled)
        return FoldOutcome("act", record, False)

    def _put_instance(
        self,
        place: tuple[str, str, str],
        before: Row | None,
        after: InstanceState,
        sent: dict[bytes, bytes],
        is_settled: bool,
    ) -> None:
        """The new row of an instance. ``sent``: the header of a version (by content digest) that this record brings.

        The header of a version is that of its very first store; those that are not shown have rows of their own.
        """
        was, shown = shown_digest(before.state) if before else b"", shown_digest(after)
        header = sent.pop(shown, None)
        if header is None:
            header = before.header if before and was == shown else self._version_header(place, shown)
        row = instance_row(*place, after, header)
        if before is not None and was not in (b"", shown):
            sent.setdefault(was, before.header)
        for digest, other in sent.items():
            self._put(version_row(row, digest, other), True)
        self._put(row, is_settled)
        self._hot.note(row, rank_of(after))
        self._view = None
        self._note_fresh()

    def _version_header(self, place: tuple[str, str, str], digest: bytes) -> bytes:
        key = version_key(key_of(*place), digest)
        row = self._fresh(VERSION, place[0], key)
        row = row or next(iter(self._settled.all_of(VERSION, Terms("key", (key,)))), None)
        return row.header if row else b""

    def _mark_places(self, sop: str, settled: Mapping[str, Row]) -> Mapping[str, Row]:
        """All instances of this UID by key; those that live are marked when they are several."""
        places = dict(settled)
        if self._flushing:
            places.update(self._flushing.places(sop))
        places.update(self._active.places(sop))
        for row in marked(places.values()) if len(places) > 1 else ():
            self._put(row, row.key in settled)
            self._hot.note(row, rank_of(row.state))
            self._view = None
        return places

    def _put(self, row: Row, is_settled: bool) -> None:
        if is_settled or (self._flushing and self._flushing.get(slot_of(row), row.facts.study_uid, row.key)):
            self._superseded.add(row.key)
        self._active.put(row)

    def _fresh(self, slot: str, study_uid: str, key: str) -> Row | None:
        row = self._active.get(slot, study_uid, key)
        return row or (self._flushing.get(slot, study_uid, key) if self._flushing else None)

    def _gathered(self, study_uid: str) -> StudyMembers:
        """A study's members from all its rows."""
        settled = self._settled.all_of("", Terms("study", (study_uid,)))
        flushing = self._flushing.instances(study_uid) if self._flushing else []
        rows = {row.key: row for row in (*settled, *flushing, *self._active.instances(study_uid))}
        has_rows = {row.facts.series_uid for row in flushing} | {row.facts.series_uid for row in settled if row.lives}
        return StudyMembers(rows.values(), has_rows)

    def _refresh(self) -> None:
        """Recompute the rows of studies and series that changed."""
        for row, is_settled in self._hot.changed_rows():
            self._put(row, is_settled)


def _sops_of(record: Record) -> tuple[str, ...]:
    if isinstance(record, StoreRecord):
        return (record.sop_instance_uid,)
    return tuple(target.sop_instance_uid for target in record.targets)


def _cursor_of(settled: Settled) -> dict[str, Mark]:
    data = settled.cursor()
    try:
        return msgspec.msgpack.decode(data, type=dict[str, Mark]) if data else {}
    except msgspec.MsgspecError as error:
        raise Corrupt("the index's cursor cannot be read") from error
