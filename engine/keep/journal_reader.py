"""Reads a tenant's journal: all writers and epochs, in one defined order, from any cursor on.

Order: epochs as the writers stream opened them, within an epoch by number. A cursor says for each writer how far it was
read: its epoch, the epoch's nonce, the last number taken. A later epoch of a writer says that the earlier ones are read
to their seals. Records fold in any order, so a pass over the epochs may be repeated at any time for what came since.
"""

import base64
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from engine.clock import Clock
from engine.errors import Conflict, Corrupt, Invalid, Missing
from engine.keep import paths
from engine.keep.formats import Batch, BatchHead, decode_batch, decode_batch_head
from engine.keep.nodes import Epoch, WritersStream
from engine.keep.objects import ObjectStore
from engine.model import Record

_CURSOR_FORM: Final = 1

Mark = tuple[int, str, int]  # epoch, its nonce, number of the last batch taken
Cursor = Mapping[str, Mark]  # by writer


class Position(msgspec.Struct, frozen=True):
    """Where a batch stands in the journal."""

    writer: str
    epoch: int
    nonce: str
    number: int

    @property
    def mark(self) -> Mark:
        """What a cursor holds of it."""
        return (self.epoch, self.nonce, self.number)


class JournalReader:
    """One reader's way through a tenant's journal. Cheap to make; not thread-safe."""

    def __init__(self, store: ObjectStore, tenant: str, clock: Clock) -> None:
        self._store = store
        self._tenant = tenant
        self._stream = WritersStream(store, tenant, clock)

    def read(self, after: Cursor) -> Iterator[tuple[Position, Batch]]:
        """Every batch behind the cursor. Raises ``Conflict`` when the cursor is of another journal, ``Corrupt``."""
        self._stream.refresh()
        self._check(after)
        for epoch in self._stream.epochs():
            yield from self._read_epoch(epoch, self._taken(epoch, after))

    def has_more(self, after: Cursor) -> bool:
        """Whether a batch stands behind the cursor: one look for the writers stream and for each open epoch."""
        self._stream.refresh()
        for epoch in self._stream.epochs():
            taken = self._taken(epoch, after)
            ended = bool(epoch.seal) and taken >= epoch.seal - 1
            if not ended and self._head(epoch, taken + 1, "batch") is not None:
                return True
        return False

    def records(self, after: str) -> Iterator[tuple[str, Record]]:
        """Every record behind a text cursor, each with the cursor that resumes after it. Raises ``Invalid``."""
        cursor, partial, taken_count = _parse_cursor(after)
        for position, batch in self.read(cursor):
            records = batch.records
            first = taken_count if position.writer == partial else 0
            behind = {**cursor, position.writer: position.mark}
            for count, record in enumerate(records[first:], first + 1):
                whole = count == len(records)
                yield (cursor_text(behind) if whole else cursor_text(cursor, position.writer, count)), record
            cursor = behind
            if position.writer == partial:
                partial = ""

    def _check(self, after: Cursor) -> None:
        known = {(epoch.writer, epoch.epoch): epoch.nonce for epoch in self._stream.epochs()}
        for writer, (epoch, nonce, number) in after.items():
            there = known.get((writer, epoch)) == nonce
            if there and number:
                there = self._store.exists(paths.batch_key(self._tenant, writer, epoch, number))
            if not there:
                raise Conflict("the cursor is of another journal than this store holds: read from the beginning")

    def _taken(self, epoch: Epoch, after: Cursor) -> int:
        """Number up to which an epoch is read; past its end when a later epoch of the writer was begun."""
        at, _, number = after.get(epoch.writer, (0, "", 0))
        if at > epoch.epoch:
            return paths.NUMBER_MAX
        return number if at == epoch.epoch else 0

    def _read_epoch(self, epoch: Epoch, taken: int) -> Iterator[tuple[Position, Batch]]:
        number = taken + 1
        while not (epoch.seal and number >= epoch.seal) and number <= paths.NUMBER_MAX:
            key = paths.batch_key(self._tenant, epoch.writer, epoch.epoch, number)
            try:
                batch = decode_batch(self._store.get(key))
            except Missing:
                if epoch.seal:
                    raise Corrupt(f"{key} is missing below the seal of its epoch") from None
                return
            except Corrupt as error:
                raise Corrupt(f"{key}: {error}") from error
            check_place(batch.head, self._tenant, epoch, number)
            if batch.head.kind == "sealed":
                return
            yield Position(epoch.writer, epoch.epoch, epoch.nonce, number), batch
            number += 1

    def _head(self, epoch: Epoch, number: int, kind: str) -> BatchHead | None:
        try:
            head = decode_batch_head(self._store.get(paths.batch_key(self._tenant, epoch.writer, epoch.epoch, number)))
        except Missing:
            return None
        return head if head.kind == kind else None


def check_place(head: BatchHead, tenant: str, epoch: Epoch, number: int) -> None:
    """Raises ``Corrupt`` when a batch lies where another belongs."""
    if (head.tenant, head.writer, head.epoch, head.number) != (tenant, epoch.writer, epoch.epoch, number):
        raise Corrupt(f"batch {number} of epoch {epoch.epoch} of {epoch.writer} holds a batch that belongs elsewhere")
    if head.kind == "batch" and head.nonce != epoch.nonce:
        raise Corrupt(f"batch {number} of epoch {epoch.epoch} of {epoch.writer} was written by another process")


def cursor_text(cursor: Cursor, partial: str = "", taken_count: int = 0) -> str:
    """A cursor as clients keep it; ``taken_count`` records of the next batch of writer ``partial`` are taken, too."""
    packed = msgspec.msgpack.encode((_CURSOR_FORM, cursor, partial, taken_count))
    return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def _parse_cursor(text: str) -> tuple[Cursor, str, int]:
    """An empty text is the beginning. Of the next batch of writer ``partial``, some records are taken as well."""
    if not text:
        return {}, "", 0
    try:
        packed = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        form, cursor, partial, taken_count = msgspec.msgpack.decode(packed, type=tuple[int, dict[str, Mark], str, int])
    except (ValueError, msgspec.MsgspecError) as error:
        raise Invalid("this is no cursor of the change feed") from error
    sound = all(epoch >= 1 and number >= 0 for epoch, _, number in cursor.values())
    if form != _CURSOR_FORM or taken_count < 0 or not sound:
        raise Invalid("this is no cursor of the change feed")
    return cursor, partial, taken_count
