"""One node's way into a tenant's journal: epochs, seals, create-only appends.

Opening: the last epoch of this writer is sealed first, by winning its next number with a ``sealed`` batch; then a new
epoch is opened by winning a number in the writers stream. A process that still believed itself to be this writer finds
the seal where its next batch should go, and stops (``Fenced``): it can never write past its successor.

Appending: one append of an epoch is in flight at a time, under the next number. After "exists" or a doubtful answer (a
store may answer late, or not at all, and have done it) the batch is read: mine, it is done; another's, this process is
fenced; nothing there, it is tried again. While an append stays in doubt, its number and bytes are kept, and are settled
before anything else is written: one process never has two different batches for one number.
"""

import threading
from collections.abc import Iterator, Sequence
from typing import Literal

from engine.clock import Clock, Identifiers
from engine.errors import Conflict, Fenced, Invalid, Unavailable
from engine.keep import paths
from engine.keep.epochs import JournalledLsns, seal, write_once
from engine.keep.formats import Batch, BatchHead, RawRecord, encode_batch, ranges, raw_of
from engine.keep.journal_reader import Cursor, JournalReader, Position
from engine.keep.nodes import Epoch, WritersStream
from engine.keep.objects import ObjectStore
from engine.limits import LIMITS, Limits
from engine.model import Record

__all__ = ["Cursor", "Journal", "Position"]


class Journal:
    """A tenant's journal, open for one writer. Thread-safe; ``lsns_journalled`` is for the one thread that recovers."""

    def __init__(self, store: ObjectStore, stream: WritersStream, epoch: Epoch, clock: Clock, limits: Limits) -> None:
        """Use ``open``."""
        self._store = store
        self._stream = stream
        self.tenant = stream.tenant
        self._epoch = epoch
        self._clock = clock
        self._limits = limits
        self._lock = threading.Lock()
        self._number = 0
        self._lsn_max = 0
        self._stamp_max = 0
        self._doubtful: tuple[BatchHead, bytes] | None = None
        self._unanswered: set[int] = set()
        self._ended = ""
        self._unopened = ""
        self.lsns_journalled = JournalledLsns(store, self.tenant, [], 0)

    @classmethod
    def open(
        cls,
        store: ObjectStore,
        tenant: str,
        writer: str,
        clock: Clock,
        identifiers: Identifiers | None = None,
        limits: Limits = LIMITS,
    ) -> "Journal":
        """Seals what an earlier process of this writer left open, then begins an epoch. All durable before it returns.

        Raises ``Unavailable``, ``Corrupt``, and ``Fenced`` when others open the same writer again and again.
        """
        nonce = (identifiers or Identifiers()).random_id()
        stream = WritersStream(store, tenant, clock)
        for _ in range(limits.append_attempts_max):
            stream.refresh()
            earlier = stream.epochs_of(paths.check_writer(writer))
            before: BatchHead | None = None
            if earlier:
                previous = earlier[-2] if len(earlier) > 1 else None
                before = seal(store, tenant, earlier[-1], previous, nonce, clock)
                stream.seal(earlier[-1], nonce, before.number)
            try:
                epoch = stream.open(writer, earlier[-1].epoch + 1 if earlier else 1, nonce)
            except Conflict:
                continue
            journal = cls(store, stream, epoch, clock, limits)
            if before:
                journal._continue(before)
            return journal
        raise Fenced(f"other processes open writer {writer} at the same time")

    @classmethod
    def unopened(cls, store: ObjectStore, tenant: str, writer: str, clock: Clock, reason: str) -> "Journal":
        """One that is only read, since it is too damaged to be opened; nothing is appended to it. Never raises."""
        journal = cls(store, WritersStream(store, tenant, clock), Epoch(writer, 0, ""), clock, LIMITS)
        journal._unopened = journal._ended = reason
        return journal

    @property
    def identity(self) -> str:
        """What tells this journal from every other: the nonce of the first epoch in it. Empty when it is not read."""
        return next((epoch.nonce for epoch in self._stream.epochs()), "")

    @property
    def position(self) -> Position:
        """Of the last batch that was appended; number 0 before the first."""
        return Position(self._epoch.writer, self._epoch.epoch, self._epoch.nonce, self._number)

    def last_lsn(self) -> int:
        """The highest LSN of this writer that was ever journalled: no record may be given it again."""
        return self._lsn_max

    def last_stamp(self) -> int:
        """The highest stamp of this writer that was ever journalled."""
        return self._stamp_max

    def append(self, records: Sequence[Record], *, low_water: int = 0) -> Position:
        """Appends the records; they are durable when this returns. The position of the last batch they are in.

        Raises ``Unavailable``: nobody knows how many of them are in; call again with the same records, and those that
        are in are not written twice. Raises ``Fenced``: stop, another process is this writer now, or a sync failed.
        """
        with self._lock:
            if self._unopened:
                raise Unavailable(self._unopened)
            self._check()
            if self._doubtful:
                head = self._put(*self._doubtful)
                self._unanswered.update(lsn for first, last in head.lsns for lsn in range(first, last + 1))
            fresh = [record for record in records if record.lsn not in self._unanswered]
            self._append(fresh, low_water)
            self._unanswered.difference_update(record.lsn for record in records)
            return self.position

    def read(self, after: Cursor) -> Iterator[tuple[Position, Batch]]:
        """Every batch of every writer behind the cursor; see ``journal_reader``."""
        return self._reader().read(after)

    def records(self, after: str) -> Iterator[tuple[str, Record]]:
        """Every record behind a text cursor (empty: all of them), with the cursor that resumes after it."""
        return self._reader().records(after)

    def has_more(self, after: Cursor) -> bool:
        """The tail check: whether any batch of any writer stands behind the cursor."""
        return self._reader().has_more(after)

    def close(self) -> None:
        """Seals the epoch: an orderly end. Raises ``Unavailable`` (the next start seals it), ``Fenced``."""
        with self._lock:
            if self._ended:
                return
            try:
                if self._doubtful:
                    self._put(*self._doubtful)
                head = self._head("sealed", [], [], 0)
                self._put(head, encode_batch(head, []))
                self._stream.seal(self._epoch, self._epoch.nonce, head.number)
            finally:
                self._ended = self._ended or "the journal is closed"

    def _continue(self, before: BatchHead) -> None:
        self._lsn_max = before.lsn_max
        self._stamp_max = before.stamp_max
        earlier = [epoch for epoch in self._stream.epochs_of(self._epoch.writer) if epoch.epoch < self._epoch.epoch]
        self.lsns_journalled = JournalledLsns(self._store, self.tenant, earlier, before.lsn_max)

    def _reader(self) -> JournalReader:
        return JournalReader(self._store, self.tenant, self._clock)

    def _check(self) -> None:
        if self._ended:
            raise Fenced(self._ended)

    def _append(self, records: Sequence[Record], low_water: int) -> None:
        written: list[int] = []
        try:
            for group in self._groups(records):
                lsns = [record.lsn for record, _ in group]
                head = self._head("batch", lsns, [record.stamp for record, _ in group], low_water)
                self._put(head, encode_batch(head, [raw for _, raw in group]))
                written += lsns
        except BaseException:
            self._unanswered.update(written)
            raise

    def _groups(self, records: Sequence[Record]) -> Iterator[list[tuple[Record, RawRecord]]]:
        """The records encoded, in groups that keep the limits of a batch (a larger record is a batch of its own)."""
        group: list[tuple[Record, RawRecord]] = []
        size = 0
        for record in records:
            if record.writer != self._epoch.writer:
                raise Invalid("a record of another writer belongs in that writer's journal")
            raw = raw_of(record)
            size += len(memoryview(raw.body))
            if group and (size > self._limits.batch_bytes_max or len(group) >= self._limits.batch_records_max):
                yield group
                group, size = [], len(memoryview(raw.body))
            group.append((record, raw))
        if group:
            yield group

    def _head(
        self, kind: Literal["batch", "sealed"], lsns: Sequence[int], stamps: Sequence[int], low_water: int
    ) -> BatchHead:
        return BatchHead(
            kind=kind,
            tenant=self.tenant,
            writer=self._epoch.writer,
            epoch=self._epoch.epoch,
            number=self._number + 1,
            nonce=self._epoch.nonce,
            lsns=ranges(lsns),
            lsn_max_before=self._lsn_max,
            stamp_max=max([self._stamp_max, *stamps]),
            low_water=low_water,
            written_us=self._clock.now_us(),
        )

    def _put(self, head: BatchHead, data: bytes) -> BatchHead:
        """Wins the head's number with these bytes, or keeps them as doubtful."""
        self._doubtful = (head, data)
        key = paths.batch_key(self.tenant, head.writer, head.epoch, head.number)
        try:
            if write_once(self._store, key, data) == "another":
                raise Fenced("another process has taken over this node's writer")
        except Fenced as error:
            self._ended = str(error)
            raise
        self._doubtful = None
        self._number = head.number
        self._lsn_max = head.lsn_max
        self._stamp_max = head.stamp_max
        return head
