"""Opening and closing an archive: which parts stand behind one URL, and in what order they wake and rest."""

import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import islice

from engine.clock import Clock, Identifiers
from engine.errors import Conflict, Corrupt, Fenced, Unavailable
from engine.index import Index, View
from engine.ingest import Ingest
from engine.keep.belonging import keep_to_archive
from engine.keep.intake import Intake
from engine.keep.journal import Journal
from engine.keep.journal_reader import cursor_text
from engine.keep.node_directory import open_node_directory
from engine.keep.stores import near, open_store
from engine.limits import LIMITS
from engine.model import DEFAULT_TENANT, Change, Query, Record, StoreRecord, Target
from engine.past import Past
from engine.salvage import salvage
from engine.settings import StoreSettings
from engine.spill import Spill
from engine.worklist import Worklist

log = logging.getLogger("filmroom.house")


class House:
    """The open parts of one archive on one node. Opening recovers; closing drains."""

    def __init__(
        self, settings: StoreSettings, clock: Clock | None = None, identifiers: Identifiers | None = None
    ) -> None:
        """Raises Conflict when another process holds the folder, or what waits in it is another archive's, Invalid for
        a URL that is not supported, Corrupt when acknowledged records are missing from the intake."""
        self.settings = settings
        self.clock = clock or Clock()
        self.damage = ""  # of the journal, for which nothing is taken
        self._began_us, self._began = self.clock.now_us(), self.clock.monotonic()
        self.tenant = DEFAULT_TENANT
        self._names = names = identifiers or Identifiers()
        self._worklist: Worklist | None = None
        self._opening_worklist = threading.Lock()
        with ExitStack() as opened:
            self.node = open_node_directory(settings)
            opened.callback(self.node.close)
            self.node.lock()
            self.writer = self.node.writer_id(names)
            self.store = open_store(settings, clock=self.clock)
            opened.callback(self.store.close)
            self.near = near(self.store, settings)
            opened.callback(self.near.close)
            self.index = Index.open(self.node.index_path(), self.clock, names, settings.character_set)
            opened.callback(self.index.close)
            self.journal = self._open_journal(names)
            self.intake = Intake(
                self.node,
                settings,
                self.clock,
                sync_objects=self.store.sync_pending,
                lsn_floor=self.journal.last_lsn(),
                stamp_floor=self.journal.last_stamp(),
            )
            opened.callback(self.intake.close)
            keep_to_archive(self.node, self.journal.identity, holds_some=bool(self.intake.recovered))
            self._follow_journal()
            acknowledges = settings.ack == "object"
            spill = Spill(self.intake, self.store, self.journal, self.index, self.tenant, acknowledges)
            rest_bytes_max = 0 if acknowledges else settings.intake_bytes_max // 2
            self.ingest = Ingest(self.intake, self.index, spill, self.writer, self.clock, rest_bytes_max=rest_bytes_max)
            self.ingest.start()
            self._past = Past(self.node.past_path(), self.clock, settings.character_set)
            self.readers = ThreadPoolExecutor(LIMITS.fetch_threads_count_max, "filmroom-fetch")
            self.is_closed = False
            opened.pop_all()

    def worklist(self) -> Worklist:
        """The tenant's, read when it is first asked for: what is wrong with it is not wrong with images. Raises
        Unavailable, Corrupt."""
        with self._opening_worklist:
            if self._worklist is None:
                self._worklist = Worklist(self.store, self.tenant, self.clock, self._names)
            return self._worklist

    def _open_journal(self, names: Identifiers) -> Journal:
        try:
            return Journal.open(self.store, self.tenant, self.writer, self.clock, names)
        except Corrupt as error:
            reason = self._borne(error)
            return Journal.unopened(self.store, self.tenant, self.writer, self.clock, reason)

    def _follow_journal(self) -> None:
        try:
            self._catch_up_with_journal()
        except Corrupt as error:
            self._borne(error)
        if self.damage:
            self.intake.shut(self.damage)
            salvage(self.index, self.store, self.tenant)

    def _borne(self, error: Corrupt) -> str:
        """Why nothing is taken, where such damage is to be borne with. Raises Corrupt where it is not."""
        if self.settings.damaged == "refuse":
            raise Corrupt(f'{error} (store.damaged = "read" opens what the rest of the journal tells)') from error
        self.damage = self.damage or f"the journal is damaged, and is only read: {error}"
        return self.damage

    def view(self) -> View:
        """Everything that was acknowledged before this call. Raises Unavailable when the index does not catch up."""
        self.ingest.wait_folded(self.intake.log.acknowledged_lsn(), LIMITS.find_wait_seconds_max)
        return self.index.view()

    def passed_us(self) -> int:
        """Now, for what must not end too early: no later than this process has lived since it began. A clock that is
        set forward meanwhile ends no grace and no retention; one that is set back makes them longer."""
        return min(self.clock.now_us(), self._began_us + int((self.clock.monotonic() - self._began) * 1_000_000))

    def view_at_once(self) -> View | None:
        """The same if it is there already; None when a thread has to wait for it, or to make it."""
        if self.is_closed or not self.ingest.is_folded(self.intake.log.acknowledged_lsn()):
            return None
        return self.index.view_at_once()

    def view_for(self, query: Query) -> View:
        """The view that a query asks for: of now, or of an earlier moment, which is folded from the journal first."""
        if not query.as_of:
            return self.view()
        self.catch_up()
        if query.as_of >= max(self.clock.now_us(), self.journal.last_stamp()):  # stamps never go back, clocks do
            return self.view()
        return self._past.view(query.as_of, lambda: (batch for _, batch in self.journal.read({})))

    def catch_up(self) -> None:
        """Wait until the journal holds everything that was acknowledged before this call. Raises Unavailable."""
        self.view()
        self.ingest.wait_spilled(LIMITS.find_wait_seconds_max)

    def close(self) -> None:
        """Drain, spill, checkpoint, settle, seal; then let go of the folder. Safe to call once. Has a bound.

        What a full store does not take stays in the intake for the next start. Raises Unavailable when a disk hangs
        (the folder stays held: a thread is still at work in it), Fenced when the log had failed.
        """
        self.is_closed = True
        self.readers.shutdown(cancel_futures=True)
        self.intake.log.stop()
        self.ingest.stop()
        with ExitStack() as closing:  # in reverse order
            for part in (self.node, self.store, self.near, self.intake, self.index, self._past):
                closing.callback(part.close)
            closing.callback(self._seal)
        if failure := self.intake.log.failure():
            raise Fenced(f"{failure}: what was acknowledged is in the intake, the next start takes it up")

    def _seal(self) -> None:
        try:
            self.journal.close()
        except (Unavailable, Fenced) as error:
            log.warning("journal not sealed; the next start does", extra={"reason": str(error)})

    def reindex(self) -> int:
        """Build the index anew from the journal while the old one serves; returns the records folded.

        Raises Conflict when that is under way already, Unavailable when the spill does not catch up in time.
        """
        return self.index.rebuild(self._replay, lambda: self.ingest.wait_spilled(LIMITS.store_wait_seconds_max))

    def changes(self, after: str, limit: int) -> list[Change]:
        """Journal order; each change names the cursor that resumes behind it. Raises Invalid for a foreign cursor."""
        return list(islice(self._changes(after), min(limit, LIMITS.changes_count_max)))

    def last_cursor(self) -> str:
        """Behind everything that was acknowledged before this call. Raises Unavailable."""
        self.catch_up()
        return cursor_text(self.index.position())

    def _changes(self, after: str) -> Iterator[Change]:
        for cursor, record in self.journal.records(after):
            yield change_of(cursor, record)

    def _catch_up_with_journal(self) -> None:
        """An index of another journal (the archive was put here anew, say) is derived from nothing: made again."""
        try:
            self._replay(self.index)
        except Conflict as error:
            log.warning("index discarded, to be folded again from the journal", extra={"reason": str(error)})
            self.index.clear()
            self._replay(self.index)

    def _replay(self, index: Index) -> int:
        """Fold what the journal holds behind the index's cursor."""
        count = 0
        for position, batch in self.journal.read(index.cursor):
            index.fold(batch.records, placed=True)
            index.note_position(position)
            count += len(batch.records)
            if index.due():
                index.settle()
        if count:
            log.info("journal folded", extra={"records": count})
        return count


def change_of(cursor: str, record: Record) -> Change:
    """A journal record as the change feed tells it."""
    if isinstance(record, StoreRecord):
        target = Target(record.series_uid, record.sop_instance_uid, ((record.writer, record.lsn),))
        return Change(cursor=cursor, kind="store", stamp=record.stamp, study_uid=record.study_uid, targets=(target,))
    return Change(
        cursor=cursor, kind=record.kind, stamp=record.stamp, study_uid=record.study_uid, targets=record.targets
    )
