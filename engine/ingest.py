"""Behind the acknowledgement: every entry of the intake is described, folded into the index, and spilled.

Two threads, one job each. The *drain* follows the log in LSN order (recovered entries first) and makes an instance
findable; the *spill* writes object and journal, and lets the intake checkpoint. Neither is waited for by a sender.
"""

import logging
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence

from engine.describe import describe
from engine.errors import FilmroomError, Unavailable
from engine.index import FoldOutcome, Index
from engine.keep.intake import Intake
from engine.limits import LIMITS
from engine.model import StoreRecord
from engine.spill import Job, Spill
from native.dataset import Malformed
from native.segment import Entry

log = logging.getLogger("filmroom.ingest")

DRAIN_WAIT_MS = 200
SPILL_RETRY_SECONDS = 2.0


class Ingest:
    """Owns the two threads. ``folded_lsn`` is the highest LSN that queries can see."""

    def __init__(self, intake: Intake, index: Index, spill: Spill, writer: str) -> None:
        self._intake = intake
        self._index = index
        self._spill = spill
        self._writer = writer
        self._changed = threading.Condition()
        self._begun_at_lsn = intake.log.acknowledged_lsn()
        self._folded_lsn = 0 if intake.recovered else self._begun_at_lsn
        self._outcomes: OrderedDict[int, tuple[StoreRecord, FoldOutcome]] = OrderedDict()
        self._queue: deque[list[Job]] = deque()
        self._queued_count = 0
        self._stopping = False
        self._failure: BaseException | None = None
        self._threads = [
            threading.Thread(target=self._guarded, args=(self._drain_forever,), name="filmroom-drain", daemon=True),
            threading.Thread(target=self._guarded, args=(self._spill_forever,), name="filmroom-spill", daemon=True),
        ]

    def start(self) -> None:
        """Begin to drain; recovered entries come first."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Drain and spill what is acknowledged, then end both threads."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    @property
    def folded_lsn(self) -> int:
        """Every LSN up to here is in the index."""
        return self._folded_lsn

    def wait_folded(self, lsn: int, timeout_seconds: float) -> None:
        """Block until queries would see ``lsn``. Raises Unavailable at the deadline."""
        if self._folded_lsn >= lsn:
            return
        with self._changed:
            self._changed.wait_for(lambda: self._folded_lsn >= lsn or self._failure is not None, timeout_seconds)
            if self._folded_lsn < lsn:
                raise Unavailable("the index has not caught up with what was stored")

    def wait_spilled(self, timeout_seconds: float) -> None:
        """Block until nothing that was drained waits for its spill. Raises Unavailable at the deadline."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._queued_count == 0, timeout_seconds):
                raise Unavailable("the spill has not caught up with the intake")

    def outcome(self, lsn: int) -> tuple[StoreRecord, FoldOutcome] | None:
        """What the archive made of a store through the library or an import; kept for a while, given once."""
        with self._changed:
            return self._outcomes.pop(lsn, None)

    def quiesced(self, action: Callable[[], None]) -> None:
        """Run ``action`` while everything drained is spilled and the drain stands between two batches."""
        with self._changed:
            self._changed.wait_for(lambda: self._queued_count == 0 or self._failure is not None)
            action()

    def _wait_before_retry(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._failure is not None, SPILL_RETRY_SECONDS)

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

    def _drain_forever(self) -> None:
        recovered = self._intake.recovered
        for at in range(0, len(recovered), LIMITS.drain_batch_count_max):
            self._fold(recovered[at : at + LIMITS.drain_batch_count_max], recovered=True)
        with self._changed:
            self._folded_lsn = max(self._folded_lsn, self._begun_at_lsn)
            self._changed.notify_all()
        while not self._failure:
            entries = self._intake.drain(LIMITS.drain_batch_count_max, DRAIN_WAIT_MS)
            if entries:
                self._fold(entries, recovered=False)
            elif self._stopping and self._folded_lsn >= self._intake.log.written_lsn():
                break
        with self._changed:
            self._queue.append([])
            self._changed.notify_all()

    def _fold(self, entries: Sequence[Entry], recovered: bool) -> None:
        described = [(entry, record) for entry in entries if (record := self._described(entry)) is not None]
        with self._changed:
            outcomes = self._index.fold([record for _, record in described])
            jobs = [
                Job(entry, record, out, recovered) for (entry, record), out in zip(described, outcomes, strict=True)
            ]
            for job in jobs:
                if job.record.origin.how != "dimse":
                    self._outcomes[job.entry.lsn] = (job.record, job.outcome)
            while len(self._outcomes) > LIMITS.outcomes_kept_count_max:
                self._outcomes.popitem(last=False)
            self._folded_lsn = entries[-1].lsn
            self._queue.append(jobs)
            self._queued_count += len(jobs)
            self._changed.notify_all()
            self._changed.wait_for(
                lambda: self._queued_count < LIMITS.spill_backlog_count_max or self._failure is not None
            )

    def _described(self, entry: Entry) -> StoreRecord | None:
        try:
            return describe(entry, self._intake.payload(entry), self._intake.context(entry), self._writer)
        except Malformed as error:
            # The same walk let it in; should they ever differ, the bytes are kept where a human finds them.
            log.critical("entry set aside", extra={"lsn": entry.lsn, "reason": str(error)})
            self._intake.set_aside(entry)
            return None

    def _spill_forever(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._queue) or self._failure is not None)
                if self._failure:
                    return
                jobs = self._queue.popleft()
            if not jobs:
                self._spill.finish()
                return
            while self._failure is None:
                try:
                    self._spill.run(jobs)
                    break
                except Unavailable as error:
                    # The store is full or away: what is acknowledged stays in the intake, which fills and says A700.
                    log.warning("spill waits", extra={"reason": str(error)})
                    self._wait_before_retry()
            with self._changed:
                self._queued_count -= len(jobs)
                self._changed.notify_all()
