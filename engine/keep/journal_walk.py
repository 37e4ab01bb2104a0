"""A walk over every batch of a tenant's journal that goes on behind damage and says what it found, for ``verify``.

``JournalReader`` stops at damage, since nothing may be derived from half a truth; this one must see all of it.
"""

from collections.abc import Iterator

from engine.clock import Clock
from engine.errors import Corrupt, Invalid, Missing
from engine.keep import paths
from engine.keep.formats import Batch, decode_batch
from engine.keep.journal_reader import check_place
from engine.keep.nodes import Epoch, WritersStream
from engine.keep.objects import ObjectStore
from engine.model import Record

Item = tuple[str, Record | Corrupt]


class JournalWalk:
    """Remembers for each epoch how far it has come: a second ``forward`` brings what has come since."""

    def __init__(self, store: ObjectStore, tenant: str) -> None:
        self._store = store
        self._tenant = tenant
        self._stream = WritersStream(store, tenant, Clock())
        self._taken: dict[tuple[str, int], int] = {}
        self._reported: set[str] = set()
        self._stream_damaged = False

    def forward(self) -> Iterator[Item]:
        """Records and damage behind the last walk, each with the key of its batch."""
        if not self._stream_damaged:
            try:
                self._stream.refresh()
            except (Corrupt, Invalid) as error:
                self._stream_damaged = True
                yield paths.writers_prefix(self._tenant), Corrupt(str(error))
        epochs = self._stream.epochs()
        for epoch in epochs:
            yield from self._epoch(epoch, any(e.writer == epoch.writer and e.epoch > epoch.epoch for e in epochs))
        yield from self._batches_without_epoch()

    def _epoch(self, epoch: Epoch, has_successor: bool) -> Iterator[Item]:
        name = (epoch.writer, epoch.epoch)
        taken = self._taken.get(name, 0)
        prefix = paths.epoch_prefix(self._tenant, *name)
        for key in self._store.list(prefix, prefix + f"{taken:016d}" if taken else ""):
            try:
                number = paths.parse_number(key)
            except Invalid:
                yield key, Corrupt(f"{key} is no batch")
                continue
            yield from self._gap(prefix, taken, number)
            taken = self._taken[name] = number
            yield from self._batch(key, epoch, number)
        if epoch.seal > taken:
            yield from self._gap(prefix, taken, epoch.seal + 1)
            self._taken[name] = epoch.seal
        elif has_successor and not epoch.seal and prefix not in self._reported:
            self._reported.add(prefix)
            yield prefix, Corrupt(f"epoch {epoch.epoch} of {epoch.writer} has a successor, but no seal")

    def _gap(self, prefix: str, taken: int, number: int) -> Iterator[Item]:
        if number > taken + 1:
            count = number - taken - 1
            key = f"{prefix}{taken + 1:016d}"
            yield key, Corrupt(f"{key} is missing" + (f", and {count - 1} more behind it" if count > 1 else ""))

    def _batch(self, key: str, epoch: Epoch, number: int) -> Iterator[Item]:
        try:
            batch: Batch = decode_batch(self._store.get(key))
            check_place(batch.head, self._tenant, epoch, number)
            records = batch.records
        except (Corrupt, Invalid) as error:
            yield key, Corrupt(f"{key}: {error}")
        except Missing:
            yield key, Corrupt(f"{key} is missing")
        else:
            for record in records:
                yield key, record

    def _batches_without_epoch(self) -> Iterator[Item]:
        """Batches that no reader will ever see, since no open record names their epoch."""
        after = ""
        while key := next(self._store.list(paths.journal_prefix(self._tenant), after), ""):
            try:
                batch = paths.parse_batch_key(key)
                folder = paths.epoch_prefix(self._tenant, batch.writer, batch.epoch)
                stray = not self._is_open(batch.writer, batch.epoch)
            except Invalid:
                folder, stray = key, True
            if stray and folder not in self._reported:
                self._reported.add(folder)
                yield key, Corrupt(f"{folder} is part of no epoch that was opened")
            after = folder + "~" if folder.endswith("/") else key

    def _is_open(self, writer: str, epoch: int) -> bool:
        if any(known.epoch == epoch for known in self._stream.epochs_of(writer)):
            return True
        if not self._stream_damaged:
            self._stream.refresh()  # it may have been opened since the walk began
        return any(known.epoch == epoch for known in self._stream.epochs_of(writer))
