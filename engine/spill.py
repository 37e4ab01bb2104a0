"""The spill: what the intake holds becomes objects and journal records, behind the acknowledgement."""

from collections.abc import Sequence

import msgspec

from engine.index import FoldOutcome, Index
from engine.keep.intake import Intake
from engine.keep.journal import Journal
from engine.keep.keeping import keep_objects
from engine.keep.objects import ObjectStore
from engine.limits import LIMITS
from engine.model import FileRange, Record, StoreRecord
from native.segment import Entry


class Job(msgspec.Struct, frozen=True):
    """One folded entry on its way out of the intake."""

    entry: Entry
    outcome: FoldOutcome
    recovered: bool


class Spill:
    """Writes objects, then the journal, then tells intake and index. Called by one thread."""

    def __init__(
        self, intake: Intake, store: ObjectStore, journal: Journal, index: Index, tenant: str, acknowledge: bool
    ) -> None:
        self._intake = intake
        self._store = store
        self._journal = journal
        self._index = index
        self._tenant = tenant
        self._acknowledge = acknowledge

    def run(self, jobs: Sequence[Job]) -> None:
        """Spill a group in LSN order. With ``ack = object`` it is durable, then acknowledged, before this returns.

        Nothing of a record is journalled before the record itself is on disk: after power loss its LSN would be given
        to another instance.
        """
        last_lsn = jobs[-1].entry.lsn
        self._intake.sync(last_lsn)
        records = self._kept(jobs)
        if self._acknowledge:
            self._intake.sync_objects()
        journalled = self._journal.lsns_journalled
        fresh = [
            record
            for job, record in zip(jobs, records, strict=True)
            if not (job.recovered and record.lsn in journalled)
        ]
        if fresh:
            self._index.note_position(self._journal.append(fresh))
        self._intake.spilled(last_lsn)
        if self._acknowledge:
            self._intake.log.acknowledge(last_lsn)

    def tidy(self) -> None:
        """Let the intake checkpoint when it is time. Raises Unavailable: again later, with nothing lost."""
        if self._intake.checkpoint_due() or self._store.pending_count >= LIMITS.pending_files_max:
            self._intake.checkpoint()

    def finish(self) -> None:
        """Everything durable: the last checkpoint of an orderly end."""
        self._intake.checkpoint()

    def _kept(self, jobs: Sequence[Job]) -> list[Record]:
        """Put the objects in place, in one step; the records with the names that they got."""
        pins: list[tuple[StoreRecord, FileRange]] = []
        names: dict[int, str] = {}
        try:
            for job in jobs:
                record = job.outcome.record
                source = self._intake.pin(record.lsn) if job.outcome.carries else None
                if source is not None and isinstance(record, StoreRecord):
                    pins.append((record, source))
            rewrite = any(job.recovered for job in jobs)
            wanted = [(record.key, source) for record, source in pins]
            kept = keep_objects(self._store, self._tenant, wanted, rewrite=rewrite)
            names.update((record.lsn, name) for (record, _), name in zip(pins, kept, strict=True))
        finally:
            for record, source in pins:
                self._intake.unpin(record.lsn, source)
        return [named(job.outcome.record, names.get(job.entry.lsn)) for job in jobs]


def named(record: Record, key: str | None) -> Record:
    """The record with the name that its object got."""
    if key is None or not isinstance(record, StoreRecord) or record.key == key:
        return record
    return msgspec.structs.replace(record, key=key)
