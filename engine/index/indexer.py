"""The index: folds store records, answers with views, settles in the background of its owner."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal, Protocol

import msgspec

from engine.errors import Corrupt
from engine.index.matching import Terms
from engine.index.members import StudyMembers
from engine.index.memtable import Memtable, Snapshot
from engine.index.schema import Row, instance_row, key_of
from engine.index.view import Settled, Shard, View, discard
from engine.keep import fold
from engine.keep.state import EMPTY, decode
from engine.model import Level, StoreRecord

log = logging.getLogger("filmroom.index")

Mark = tuple[int, str, int]  # epoch, its nonce, batch number

FRESH_COUNT_MAX: Final = 8192  # rows in memory before they settle: bounds memory and what a search must look through
FRESH_BYTES_MAX: Final = 48 << 20
SUPERSEDED_COUNT_MAX: Final = 500  # settled rows that every search must leave out
HOT_MEMBERS_COUNT_MAX: Final = 300_000  # instances whose places in studies are kept at hand (about 300 bytes each)


class Position(Protocol):
    """A journal position, as ``Journal.append`` and ``read`` give it."""

    @property
    def writer(self) -> str: ...

    @property
    def mark(self) -> Mark: ...


class FoldOutcome(msgspec.Struct, frozen=True):
    """What a store was to what is kept (see ``model.Stored``), and the key of the object that carries its bytes."""

    outcome: Literal["new", "same", "version", "elsewhere"]
    key: str


class Index:
    """One tenant's index. Thread-safe; ``fold`` and ``note_position`` are for one thread each, ``view`` for any."""

    def __init__(self, shard: Shard, directory: Path | None) -> None:
        self._shard = shard
        self._directory = directory
        self._lock = threading.RLock()
        self._settling = threading.Lock()
        self._settled = shard.settled()
        self._active = Memtable()
        self._flushing: Memtable | None = None
        self._flushing_snapshot: Snapshot | None = None
        self._studies: OrderedDict[str, StudyMembers] = OrderedDict()
        self._dirty: set[str] = set()
        self._view: View | None = None
        self._views_count = 0
        self._superseded: set[str] = set()
        self._positions: dict[str, Mark] = _cursor_of(self._settled)
        self.cursor: Mapping[str, Mark] = dict(self._positions)

    @classmethod
    def open(cls, directory: Path | None) -> "Index":
        """Opens the index in a folder (None: in memory) as it was last settled. What is damaged or of another form is
        discarded: the caller replays the journal from ``cursor``, which is empty then."""
        try:
            return cls(Shard(directory), directory)
        except Corrupt as error:
            if directory is None:
                raise
            log.warning("index discarded, to be folded again from the journal", extra={"reason": str(error)})
            discard(directory)
            return cls(Shard(directory), directory)

    def fold(self, records: Sequence[StoreRecord]) -> list[FoldOutcome]:
        """Take in store records; the next view shows them. Folding a record twice is folding it once."""
        with self._lock:
            known = self._known(records)
            return [self._fold_one(record, known) for record in records]

    def note_position(self, position: Position) -> None:
        """The journal up to here is folded: the next settle says so."""
        with self._lock:
            self._positions[position.writer] = position.mark

    def view(self) -> View:
        """Everything folded so far. Concurrent callers share one."""
        with self._lock:
            if self._view is None:
                self._refresh()
                layers = [self._active.snapshot()]
                if self._flushing_snapshot is not None:
                    layers.append(self._flushing_snapshot)
                self._views_count += 1
                self._view = View(self._views_count, self._settled, layers)
            return self._view

    def due(self, times: int = 1) -> bool:
        """Whether it is time to settle; ``times``: whether that time has come and gone so often."""
        active = self._active
        full = active.count >= times * FRESH_COUNT_MAX or active.header_bytes >= times * FRESH_BYTES_MAX
        return full or (times == 1 and len(self._superseded) >= SUPERSEDED_COUNT_MAX)

    def settle(self, make_durable: Callable[[], None] = lambda: None) -> None:
        """Make durable what was folded when this began, with the journal position. Views and folds go on meanwhile.

        ``make_durable`` is called between: it sees to it that the records that were folded are themselves on disk.
        """
        with self._settling:
            with self._lock:
                self._refresh()
                if not self._active.count and self.cursor == self._positions:
                    return
                flushing, positions = self._active, dict(self._positions)
                superseded, self._superseded = self._superseded, set()
                self._flushing, self._flushing_snapshot = flushing, flushing.snapshot()
                self._active, self._view = Memtable(), None
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
                self.cursor = positions

    def close(self) -> None:
        """Lets go; what is not settled is folded again from journal and intake."""
        with self._settling, self._lock:
            self._view = None
            self._active = Memtable()
            self._studies.clear()

    def clear(self) -> None:
        """Forget everything, so that the journal can be folded from its beginning."""
        with self._settling, self._lock:
            if self._directory is not None:
                discard(self._directory)
            self._shard = Shard(self._directory)
            self._settled = self._shard.settled()
            self._active, self._flushing, self._flushing_snapshot, self._view = Memtable(), None, None, None
            self._studies.clear()
            self._dirty.clear()
            self._superseded.clear()
            self._positions = {}
            self.cursor = {}

    def _unsettle(self, flushing: Memtable, superseded: set[str]) -> None:
        """A settle failed: what it would have written stays fresh, below what came meanwhile."""
        with self._lock:
            newer = list(self._active.rows())
            for row in newer:
                flushing.put(row)
            self._active, self._flushing, self._flushing_snapshot, self._view = flushing, None, None, None
            self._superseded |= superseded

    def _known(self, records: Sequence[StoreRecord]) -> dict[str, list[Row]]:
        """Settled instances under the SOP Instance UIDs of a batch: one search."""
        uids = tuple({record.sop_instance_uid for record in records})
        known: dict[str, list[Row]] = {}
        if uids:
            for row in self._settled.select(Level.INSTANCE, Terms("sop", uids)):
                known.setdefault(row.facts.sop_instance_uid, []).append(row)
        return known

    def _fold_one(self, record: StoreRecord, known: dict[str, list[Row]]) -> FoldOutcome:
        study, series, sop = record.study_uid, record.series_uid, record.sop_instance_uid
        key = key_of(study, series, sop)
        settled = known.get(sop, [])
        below = next((row for row in settled if row.key == key), None)
        before = self._fresh(Level.INSTANCE, study, key) or below
        state = decode(before.facts.state) if before else EMPTY
        placed = fold.place(state, record)
        after = fold.add(state, placed.record)
        if before is None or after != state:
            current = after.current
            is_shown = before is None or (current and current.first.identity == (record.writer, record.lsn))
            row = instance_row(
                study, series, sop, after, record.header if is_shown or before is None else before.header
            )
            members = self._members(study)
            self._put(row, below is not None)
            members.put(row)
            self._dirty.add(study)
            self._view = None
        places = {row.key for row in settled} | self._active.places(sop)
        if self._flushing:
            places |= self._flushing.places(sop)
        outcome = "elsewhere" if placed.outcome == "new" and places - {key} else placed.outcome
        return FoldOutcome(outcome, placed.record.key)

    def _put(self, row: Row, is_settled: bool) -> None:
        level = Level(row.facts.level)
        if is_settled or (self._flushing and self._flushing.get(level, row.facts.study_uid, row.key)):
            self._superseded.add(row.key)
        self._active.put(row)

    def _fresh(self, level: Level, study_uid: str, key: str) -> Row | None:
        row = self._active.get(level, study_uid, key)
        return row or (self._flushing.get(level, study_uid, key) if self._flushing else None)

    def _members(self, study_uid: str) -> StudyMembers:
        """The study's exact sets; gathered from all rows when they are not at hand."""
        members = self._studies.get(study_uid)
        if members is None:
            members = StudyMembers()
            rows = {row.key: row for row in self._settled.select(Level.INSTANCE, Terms("study", (study_uid,)))}
            for table in (self._flushing, self._active):
                if table:
                    rows.update((row.key, row) for row in table.instances(study_uid))
            for row in rows.values():
                members.put(row)
            members.dirty.clear()
            self._studies[study_uid] = members
        self._studies.move_to_end(study_uid)
        return members

    def _refresh(self) -> None:
        """Recompute the rows of studies and series that changed."""
        for study_uid in sorted(self._dirty):
            for row in self._studies[study_uid].rows(study_uid):
                self._put(row, True)
        self._dirty.clear()
        held = sum(members.count() for members in self._studies.values())
        while held > HOT_MEMBERS_COUNT_MAX and self._studies:
            held -= self._studies.popitem(last=False)[1].count()


def _cursor_of(settled: Settled) -> dict[str, Mark]:
    data = settled.cursor()
    try:
        return msgspec.msgpack.decode(data, type=dict[str, Mark]) if data else {}
    except msgspec.MsgspecError as error:
        raise Corrupt("the index's cursor cannot be read") from error
