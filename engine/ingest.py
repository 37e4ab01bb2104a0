"""Behind the acknowledgement: every entry of the intake is described, folded into the index, and spilled.

Three threads, one job each. The *drain* follows the log in LSN order (recovered entries first) and makes an instance
findable; the *spill* writes object and journal, and lets the intake checkpoint; ``settling`` makes the index durable.
None is waited for by a sender.
"""

import logging
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence

from engine.bell import Bell
from engine.clock import Clock
from engine.describe import describe, describe_note
from engine.errors import FilmroomError, Unavailable
from engine.index import FoldOutcome, Index
from engine.keep.intake import Intake
from engine.limits import LIMITS
from engine.model import Record, StoreRecord
from engine.pacing import Pace
from engine.settling import Settler
from engine.spill import Job, Spill
from native.dataset import Malformed
from native.segment import KIND_NOTE, Entry

log = logging.getLogger("filmroom.ingest")

DRAIN_WAIT_MS = 200


class Ingest:
    """Owns the threads. ``folded_lsn`` is the highest LSN that queries can see."""

    def __init__(
        self, intake: Intake, index: Index, spill: Spill, writer: str, clock: Clock, *, rest_bytes_max: int
    ) -> None:
        """``rest_bytes_max``: how much may wait for the spill while senders are busy."""
        self._intake = intake
        self._index = index
        self._spill = spill
        self._writer = writer
        self._clock = clock
        self.journalled = Bell()
        self._changed = threading.Condition()
        self._begun_at_lsn = intake.log.acknowledged_lsn()
        self._folded_lsn = 0 if intake.recovered else self._begun_at_lsn
        self._outcomes: OrderedDict[int, FoldOutcome] = OrderedDict()
        self._queue: deque[Job] = deque()
        self._group_bytes = self._entry_bytes = 0  # of what was spilled, of what was described last
        self._queued_count = 0  # those that are being spilled, too
        self._pace = Pace(clock, rest_bytes_max)
        self._drained = False
        self._stopping = False
        self._given_up = False
        self._failure: BaseException | None = None
        self._steps = 0
        self._settler = Settler(index, intake, self._notify)
        self._threads = [
            threading.Thread(target=self._guarded, args=(self._drain_forever,), name="filmroom-drain", daemon=True),
            threading.Thread(target=self._guarded, args=(self._spill_forever,), name="filmroom-spill", daemon=True),
        ]

    def start(self) -> None:
        """Begin to drain; recovered entries come first."""
        self._settler.start()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Drain and spill what is acknowledged, settle, then end the threads.

        What a store that is full or away refuses for ``close_refused_seconds_max`` stays in the intake: the next start
        spills it. Raises Unavailable when a thread hangs; it still holds what it works on.
        """
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        for thread in self._threads:
            self._join(thread)
        self._settler.stop(self._patience_seconds(), settle=not self._ended())
        if self._given_up:
            size, count = self._intake.unspilled()
            log.warning("closed before all was spilled; the next start does", extra={"bytes": size, "count": count})

    def _join(self, thread: threading.Thread) -> None:
        while thread.is_alive():
            steps = self._steps
            thread.join(self._patience_seconds())
            if thread.is_alive() and self._steps == steps:
                raise Unavailable("the store does not answer: what is acknowledged stays in the intake")

    def _patience_seconds(self) -> float:
        """How long one step may take: one that describes, copies or syncs an object of 6 GB takes its time."""
        at_work = self._group_bytes + self._entry_bytes
        return LIMITS.close_stalled_seconds_max + at_work / LIMITS.disk_bytes_a_second_min

    def _ended(self) -> bool:
        return self._failure is not None or self._given_up

    def _notify(self) -> None:
        with self._changed:
            self._changed.notify_all()

    @property
    def folded_lsn(self) -> int:
        """Every LSN up to here is in the index."""
        return self._folded_lsn

    def is_folded(self, lsn: int) -> bool:
        """Whether queries see ``lsn``."""
        return self._folded_lsn >= lsn

    def wait_folded(self, lsn: int, timeout_seconds: float) -> None:
        """Block until queries would see ``lsn``. Raises Unavailable at the deadline."""
        if self.is_folded(lsn):
            return
        self._intake.log.hurry()
        with self._changed:
            self._changed.wait_for(lambda: self._folded_lsn >= lsn or self._failure is not None, timeout_seconds)
            if self._folded_lsn < lsn:
                raise Unavailable("the index has not caught up with what was stored")

    def wait_spilled(self, timeout_seconds: float, lsn: int | None = None) -> None:
        """Block until what was folded before this call (or ``lsn``) is in objects and journal, whatever comes
        meanwhile. Raises Unavailable at the deadline, or when the spill has ended before."""
        with self._changed:
            wanted = self._folded_lsn if lsn is None else lsn
            self._pace.hurry()
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._is_spilled(wanted) or self._ended(), timeout_seconds)
            if not self._is_spilled(wanted):
                raise Unavailable("the spill has not caught up with the intake")

    def _is_spilled(self, lsn: int) -> bool:
        return self._queued_count == 0 or self._intake.spilled_lsn >= lsn

    def outcome(self, lsn: int) -> FoldOutcome | None:
        """What the archive made of a store through the library or an import; kept for a while, given once."""
        with self._changed:
            return self._outcomes.pop(lsn, None)

    def _guarded(self, body: Callable[[], None]) -> None:
        try:
            body()
        except BaseException as error:  # a thread that dies silently would leave acknowledged data behind: fail the log
            log.critical(
                "ingest failed", extra={"error": type(error).__name__}, exc_info=not isinstance(error, FilmroomError)
            )
            self._intake.log.fail(f"{threading.current_thread().name}: {type(error).__name__}: {error}")
            with self._changed:
                self._failure = error
                self._changed.notify_all()

    # -- the drain ---------------------------------------------------------------------------------------------------

    def _drain_forever(self) -> None:
        self._fold_all(self._intake.recovered, recovered=True)
        with self._changed:
            self._folded_lsn = max(self._folded_lsn, self._begun_at_lsn)
            self._changed.notify_all()
        while not self._ended():
            self._intake.remember_promised()
            entries = self._intake.drain(LIMITS.drain_linger_count_max, DRAIN_WAIT_MS)
            if entries:
                self._fold_all(entries, recovered=False)
            elif self._stopping and self._folded_lsn >= self._intake.log.written_lsn():
                break
        with self._changed:
            self._drained = True
            self._changed.notify_all()

    def _fold_all(self, entries: Sequence[Entry], recovered: bool) -> None:
        for at in range(0, len(entries), LIMITS.drain_batch_count_max):
            self._fold(entries[at : at + LIMITS.drain_batch_count_max], recovered)

    def _fold(self, entries: Sequence[Entry], recovered: bool) -> None:
        described = [(entry, record) for entry in entries if (record := self._described(entry, recovered)) is not None]
        with self._changed:
            outcomes = self._index.fold([record for _, record in described])
            jobs = [Job(entry, outcome, recovered) for (entry, _), outcome in zip(described, outcomes, strict=True)]
            for job in jobs:
                if isinstance(job.outcome.record, StoreRecord) and job.outcome.record.origin.how != "dimse":
                    self._outcomes[job.entry.lsn] = job.outcome
            while len(self._outcomes) > LIMITS.outcomes_kept_count_max:
                self._outcomes.popitem(last=False)
            self._folded_lsn = entries[-1].lsn
            self._queue.extend(jobs)
            self._queued_count += len(jobs)
            self._pace.came(len(jobs), _size(jobs))
            self._steps += 1
            self._settler.poke()
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._ended() or self._has_room())

    def _has_room(self) -> bool:
        """Whether spill and settle keep up; if not, the drain waits, and the intake fills (back-pressure)."""
        settles = self._stopping or not self._index.due(LIMITS.settle_backlog_times_max)
        return settles and self._queued_count < LIMITS.spill_backlog_count_max

    def _described(self, entry: Entry, recovered: bool) -> Record | None:
        self._entry_bytes = entry.payload_length
        payload = self._payload(entry, recovered)
        try:
            if entry.kind == KIND_NOTE:
                return describe_note(entry, payload, self._intake.context(entry), self._writer)
            return describe(entry, payload, self._intake.context(entry), self._writer)
        except Malformed as error:
            # The same walk let it in; should they ever differ, the bytes are kept where a human finds them.
            log.critical("entry set aside", extra={"lsn": entry.lsn, "reason": str(error)})
            self._intake.set_aside(entry)
            return None

    def _payload(self, entry: Entry, recovered: bool) -> memoryview:
        """Waits while descriptors or memory are short: what is acknowledged is whole, and can be read later."""
        while True:
            try:
                if recovered:
                    self._intake.check(entry)
                return self._intake.payload(entry)
            except Unavailable as error:
                log.warning("fold waits", extra={"reason": str(error)})
                with self._changed:
                    if self._changed.wait_for(self._ended, LIMITS.spill_retry_seconds):
                        raise

    # -- the spill ---------------------------------------------------------------------------------------------------

    def _spill_forever(self) -> None:
        while jobs := self._next_jobs():
            self._group_bytes = _size(jobs)
            if not self._until_taken(lambda jobs=jobs: self._spill.run(jobs)):  # type: ignore[misc]
                return
            with self._changed:
                self._queued_count -= len(jobs)
                self._pace.went(len(jobs), _size(jobs))
                self._changed.notify_all()
            self.journalled.ring()
            self._settler.poke()
            if not self._until_taken(self._spill.tidy):
                return
        self._until_taken(self._spill.finish)

    def _next_jobs(self) -> list[Job]:
        """A group; nothing at the end."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._queue) or self._drained or self._ended())
            while not (self._ended() or self._stopping) and (left := self._rest_seconds()) > 0:
                self._changed.wait(left)
            if self._ended():
                return []
            count = min(len(self._queue), LIMITS.spill_group_count_max)
            return [self._queue.popleft() for _ in range(count)]

    def _rest_seconds(self) -> float:
        return self._pace.seconds_left(self._intake.log.written_lsn()) if self._queue else 0.0

    def _until_taken(self, work: Callable[[], None]) -> bool:
        """Do it, again and again while the store is full or away; False: given up, or failed elsewhere.

        What is acknowledged stays in the intake meanwhile, which fills and says A700. After a refusal that lasts into
        an orderly end nothing later is spilled: what the intake is told is spilled must have no hole.
        """
        refused_at = 0.0
        while not self._ended():
            try:
                work()
            except Unavailable as error:
                log.warning("spill waits", extra={"reason": str(error)})
            else:
                self._steps += 1
                return True
            refused_at = refused_at or self._clock.monotonic()
            self._wait_before_retry(refused_at)
        return False

    def _wait_before_retry(self, refused_at: float) -> None:
        with self._changed:
            was_stopping = self._stopping
            self._changed.wait_for(lambda: self._ended() or self._stopping != was_stopping, LIMITS.spill_retry_seconds)
            if was_stopping and self._clock.monotonic() - refused_at >= LIMITS.close_refused_seconds_max:
                self._given_up = True
                self._changed.notify_all()


def _size(jobs: Sequence[Job]) -> int:
    return sum(job.entry.payload_length for job in jobs)
