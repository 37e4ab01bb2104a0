"""A tenant's writers stream: which nodes have written, in which epochs, and which of these are sealed.

It is a control stream: many writers, one numbered sequence. Who loses a number reads the winner and tries the next. So
whoever wins number n has read every entry below n, and an ``open`` for one (writer, epoch) can stand in it only once.

An epoch counts from its ``open`` entry on: a writer acknowledges nothing before, and readers look at no epoch without
one. The ``sealed`` entry only saves readers a look: the truth is the seal in the epoch itself.
"""

from collections.abc import Iterator
from typing import Literal

import msgspec

from engine.clock import Clock
from engine.errors import Conflict, Corrupt, Missing, Unavailable
from engine.keep import paths
from engine.keep.formats import WriterEntry, decode_writer_entry, encode_writer_entry
from engine.keep.objects import ObjectStore
from engine.limits import LIMITS


class Epoch(msgspec.Struct, frozen=True):
    """One epoch of one writer. ``seal`` is the number of its seal, 0 while the stream does not name one."""

    writer: str
    epoch: int
    nonce: str
    seal: int = 0


class WritersStream:
    """What this process has read of a tenant's writers stream. Not thread-safe."""

    def __init__(self, store: ObjectStore, tenant: str, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self.tenant = paths.check_tenant(tenant)
        self._number = 0
        self._epochs: dict[tuple[str, int], Epoch] = {}

    def refresh(self) -> None:
        """Reads what has come since. Raises ``Unavailable``, ``Corrupt``."""
        while (entry := self._read(self._number + 1)) is not None:
            self._take(entry)

    def epochs(self) -> list[Epoch]:
        """All epochs read so far, in the order in which they were opened."""
        return list(self._epochs.values())

    def epochs_of(self, writer: str) -> list[Epoch]:
        """The epochs of one writer, ascending."""
        return [epoch for epoch in self._epochs.values() if epoch.writer == writer]

    def open(self, writer: str, epoch: int, nonce: str) -> Epoch:
        """Wins a number for a new epoch. Raises ``Conflict`` when the epoch is already another process's."""
        for number in self._free_numbers():
            mine = self._epochs.get((writer, epoch))
            if mine is not None and mine.nonce == nonce:
                return mine
            if any(other.epoch >= epoch for other in self.epochs_of(writer)):
                raise Conflict(f"another process has opened epoch {epoch} of {writer}")
            if self._try("open", number, Epoch(writer, epoch, nonce)):
                return self._epochs[writer, epoch]
        raise Unavailable("the tenant's writers stream cannot be written")

    def seal(self, epoch: Epoch, nonce: str, seal: int) -> None:
        """Notes that an epoch ends with its batch ``seal``; once is enough, whoever does it."""
        for number in self._free_numbers():
            if self._epochs[epoch.writer, epoch.epoch].seal:
                return
            if self._try("sealed", number, Epoch(epoch.writer, epoch.epoch, nonce, seal)):
                return
        raise Unavailable("the tenant's writers stream cannot be written")

    def has_more(self) -> bool:
        """Whether the stream has grown since it was last read: one look."""
        return self._store.exists(paths.writers_key(self.tenant, self._number + 1))

    def _free_numbers(self) -> Iterator[int]:
        """The next free number, again and again, as others take them or nobody knows; bounded."""
        self.refresh()
        attempts = LIMITS.append_attempts_max
        for _ in range(LIMITS.stream_races_max):
            before = self._number
            yield before + 1
            self.refresh()
            attempts = LIMITS.append_attempts_max if self._number > before else attempts - 1
            if not attempts:
                return

    def _try(self, kind: Literal["open", "sealed"], number: int, epoch: Epoch) -> bool:
        """True when the entry is in the stream. After "exists" or a doubtful answer, what is there decides."""
        entry = WriterEntry(
            kind=kind,
            tenant=self.tenant,
            number=number,
            writer=epoch.writer,
            epoch=epoch.epoch,
            nonce=epoch.nonce,
            last=epoch.seal,
            written_us=self._clock.now_us(),
        )
        try:
            self._store.create(paths.writers_key(self.tenant, number), [encode_writer_entry(entry)], durable=True)
        except (Conflict, Unavailable):
            found = self._read(number)
            if found is None or (found.kind, found.nonce) != (entry.kind, entry.nonce):
                return False
            entry = found  # an earlier try of mine, which came through late
        self._take(entry)
        return True

    def _read(self, number: int) -> WriterEntry | None:
        key = paths.writers_key(self.tenant, number)
        try:
            entry = decode_writer_entry(self._store.get(key))
        except Missing:
            return None
        if (entry.tenant, entry.number) != (self.tenant, number):
            raise Corrupt(f"{key} holds an entry that belongs elsewhere")
        return entry

    def _take(self, entry: WriterEntry) -> None:
        self._number = entry.number
        name = (entry.writer, entry.epoch)
        if entry.kind == "open":
            if any(earlier.epoch >= entry.epoch for earlier in self.epochs_of(entry.writer)):
                raise Corrupt(f"epoch {entry.epoch} of {entry.writer} was opened after a later one, or twice")
            self._epochs[name] = Epoch(entry.writer, entry.epoch, entry.nonce)
        elif name in self._epochs:
            self._epochs[name] = msgspec.structs.replace(self._epochs[name], seal=entry.last)
