"""The intake: what is acknowledged with ``ack = disk`` stands here until its object and journal record are durable.

``intake_format`` draws the bytes; ``native.segment`` appends and syncs; ``recovery`` decides what a start finds. This
file gives segments out, takes them back at checkpoints, and lends what is not spilled to readers.
"""

import logging
import threading
from collections.abc import Callable, Sequence

import msgspec
from xxhash import xxh3_128_digest

from engine.clock import Clock, Identifiers
from engine.errors import Corrupt, Fenced, Invalid, Unavailable
from engine.keep.copying import Buffer
from engine.keep.intake_format import (
    Checkpoint,
    decode_checkpoint,
    decode_promised,
    encode_checkpoint,
    encode_promised,
)
from engine.keep.node_directory import NodeDirectory
from engine.keep.recovery import recover
from engine.keep.segments import Segments
from engine.keep.spools import Spools
from engine.limits import LIMITS, Limits
from engine.model import FileRange, Origin
from engine.settings import StoreSettings
from native.lane import Lane
from native.segment import KIND_NOTE, KIND_SPOOLED, Entry, Log

log = logging.getLogger("filmroom.intake")

CHECKPOINT = "checkpoint"
PROMISED = "promised"
ROOMY_TIMES = 2
LOOK_MS = 250  # between two looks at the free space
# Mapped pages of segments count as our memory until they are let go.
MAPPED_BYTES_MAX = 8 << 20


class Intake:
    """One node's intake. Blocking; thread-safe."""

    def __init__(
        self,
        node: NodeDirectory,
        settings: StoreSettings,
        clock: Clock,
        *,
        sync_objects: Callable[[], None],
        lsn_floor: int = 0,
        stamp_floor: int = 0,
        limits: Limits = LIMITS,
    ) -> None:
        """Recovers what an earlier process left. Raises Corrupt when an acknowledged record is missing."""
        self._node = node
        self._limits = limits
        self._clock = clock
        self._sync_objects = sync_objects
        self._lock = threading.RLock()
        self._disk = threading.Lock()
        self._segments = Segments(node, limits, settings.intake_bytes_max // limits.segment_bytes)
        stored = node.read(CHECKPOINT)
        self._checkpoint = Checkpoint() if stored is None else decode_checkpoint(stored)
        self._promised_lsn = decode_promised(node.read(PROMISED))
        found = recover(self._segments.recover(self._checkpoint), self._checkpoint, self._promised_lsn)
        self.recovered = found.entries
        self._entries = {entry.lsn: entry for entry in found.entries}
        self._spools = Spools(node, self._segments)
        self._refusing = False
        self._shut = ""
        self._roomy = False
        self._spools.recover([entry for entry in found.entries if entry.kind == KIND_SPOOLED])
        last = max(found.last_seen, lsn_floor)
        self._note_void(found.entries[-1].lsn if found.entries else self._checkpoint.lsn, last + 1)
        self._spilled_lsn = self._checkpoint.lsn
        self._spool_prefix = Identifiers().random_id()
        self.log = Log(
            first_lsn=last + 1,
            stamp_floor=max(found.last_stamp, stamp_floor),
            ring_capacity=limits.ring_entries_max,
            wait_ms_max=limits.intake_wait_ms_max,
            external_ack=settings.ack == "object",
            backlog_bytes_max=settings.intake_bytes_max,
        )
        self.log.charge(sum(map(self._size, found.entries)))
        self._bytes_since = 0
        self._bytes_mapped = 0
        self._closing = threading.Event()
        self._give_segments(self._segments.idle(self._checkpoint.lsn) or [self._segments.adopt(*self._segments.make())])
        self.watch_space()
        self._preparer = threading.Thread(target=self._prepare, name="filmroom-intake", daemon=True)
        self._preparer.start()

    # -- in ----------------------------------------------------------------------------------------------------------

    def lane(self, origin: Origin) -> Lane:
        """A way in for one association or request."""
        return Lane(
            self.log,
            msgspec.msgpack.encode(origin),
            self._node.spool_fd,
            self._spool_prefix + Identifiers().random_id()[:8],
            object_bytes_max=self._limits.object_bytes_max,
            gather_bytes_max=self._limits.gather_bytes_max,
        )

    def store(self, origin: Origin, parts: Sequence[Buffer]) -> int:
        """Append one canonical file; its LSN. Does not wait for the sync. Raises Invalid, Unavailable, Fenced."""
        try:
            return self.lane(origin).keep(list(parts))
        except ValueError as error:
            raise Invalid(str(error)) from None
        except OSError as error:
            raise self.refused(error) from error

    def note(self, origin: Origin, payload: bytes) -> int:
        """Append one decision (msgpack of ``model.Note``); its LSN. Does not wait. Raises Unavailable, Fenced."""
        self.lend_reserve()
        try:
            return self.log.append_parts(msgspec.msgpack.encode(origin), KIND_NOTE, [payload])
        except OSError as error:
            raise self.refused(error) from error

    def wait(self, lsn: int) -> None:
        """Block until ``lsn`` is acknowledged. Raises Unavailable, Fenced."""
        try:
            self.log.wait(lsn)
        except OSError as error:
            raise self.refused(error) from error

    def sync(self, lsn: int) -> None:
        """Records up to ``lsn`` are on disk when this returns, whoever acknowledges them. Raises Fenced."""
        try:
            self.log.sync(lsn)
        except OSError as error:
            raise self.refused(error) from error

    # -- out ---------------------------------------------------------------------------------------------------------

    def drain(self, count_max: int, timeout_ms: int) -> list[Entry]:
        """The next written records in LSN order; their bytes stay readable until the checkpoint that covers them."""
        entries = self.log.drain(count_max, timeout_ms, self._limits.drain_linger_ms_max, self._limits.drain_pause_ms)
        with self._lock:
            self._entries.update((entry.lsn, entry) for entry in entries)
        return entries

    def payload(self, entry: Entry) -> memoryview:
        """The canonical file of a record. Raises Corrupt when its spool file is not what the record names, Unavailable
        while there is no descriptor or memory for it."""
        with self._lock:
            if entry.kind == KIND_SPOOLED:
                return memoryview(self._spools.mapped(entry))
            self._bytes_mapped += entry.payload_length
            if self._bytes_mapped >= MAPPED_BYTES_MAX:
                self._segments.let_go()
                self._bytes_mapped = 0
            return self._segments.view(entry)

    def check(self, entry: Entry) -> None:
        """A spool file that an earlier process left is what its record names. Raises as ``payload``."""
        if entry.kind == KIND_SPOOLED:
            with self._lock:
                named, mapped = self._spools.named(entry), self._spools.mapped(entry)
            if xxh3_128_digest(mapped) != named.key:
                raise Corrupt(f"the spool file of record {entry.lsn} is not what was written")

    def context(self, entry: Entry) -> bytes:
        """What the lane of this record was opened with."""
        with self._lock:
            return self._segments.context(entry)

    def pin(self, lsn: int) -> FileRange | None:
        """Where the file of a record stands in the intake, kept there until ``unpin``; None when it has left."""
        with self._lock:
            entry = self._entries.get(lsn)
            if entry is None:
                return None
            if entry.kind == KIND_SPOOLED:
                return self._spools.pin(entry)
            return FileRange(self._segments.pin(entry.segment), entry.payload_offset, entry.payload_length)

    def unpin(self, lsn: int, source: FileRange) -> None:
        """Give back what ``pin`` lent."""
        with self._lock:
            if not self._spools.unpin(lsn, source):
                self._segments.unpin_fd(source.fd)

    # -- behind the acknowledgement ----------------------------------------------------------------------------------

    def spilled(self, lsn: int) -> None:
        """Objects and journal of every record up to ``lsn`` are written."""
        with self._lock:
            for one in range(self._spilled_lsn + 1, lsn + 1):
                size = self._size(self._entries[one]) if one in self._entries else 0
                self._bytes_since += size
            self._spilled_lsn = max(self._spilled_lsn, lsn)

    @property
    def spilled_lsn(self) -> int:
        """Objects and journal of every record up to here are written, not all of the objects synced."""
        return self._spilled_lsn

    def checkpoint_due(self) -> bool:
        """Whether enough is spilled that its segments should come back."""
        return self._bytes_since >= self._limits.segment_bytes or self.log.statistics()["segments_free"] == 0

    def checkpoint(self) -> None:
        """Make what is spilled durable and take its segments back.

        Raises Unavailable when the disk is too full to say so (again later), Fenced when a sync fails.
        """
        with self._lock:
            lsn = self._spilled_lsn
        self.sync_objects()
        with self._lock:
            retired = [
                number for number, last in self.log.retired() if last <= lsn and not self._segments.is_pinned(number)
            ]
            self._checkpoint = msgspec.structs.replace(
                self._checkpoint, lsn=lsn, voids=tuple(void for void in self._checkpoint.voids if void[1] > lsn)
            )
            numbers = [*retired, *self._segments.idle(lsn)]
            self._renew(numbers)
            for number in retired:
                self.log.remove_segment(number)
            self._hand_over(numbers)
            self._bytes_since = 0
            gone = [self._entries.pop(one) for one in [one for one in self._entries if one <= lsn]]
            self.log.charge(-sum(map(self._size, gone)))
            for entry in gone:
                if entry.kind == KIND_SPOOLED:
                    self._spools.forget(entry)

    def remember_promised(self) -> None:
        """Leave a note, unsynced, of how far senders were told success: damage is told from a torn end by it."""
        lsn = self.log.acknowledged_lsn()
        if lsn > self._promised_lsn:
            self._promised_lsn = lsn
            self._node.overwrite(PROMISED, encode_promised(lsn))

    def sync_objects(self) -> None:
        """Make every object that was written durable. Raises Fenced.

        Nothing is made meanwhile: when the file system fails to sync, what another thread has just written may be lost
        without its own sync saying so.
        """
        with self._disk:
            try:
                self._sync_objects()
            except Fenced as error:
                self.log.fail(str(error))
                raise

    def set_aside(self, entry: Entry) -> None:
        """Keep the bytes of a record that cannot be described where a human finds them (``node/aside``)."""
        self._node.replace(f"aside/{entry.lsn}.dcm", bytes(self.payload(entry)))

    def unspilled(self) -> tuple[int, int]:
        """Bytes and count of what a loss of this disk would take with it."""
        with self._lock:
            waiting = [entry for lsn, entry in self._entries.items() if lsn > self._spilled_lsn]
            return sum(map(self._size, waiting)), len(waiting)

    def oldest_us(self) -> int:
        """When the oldest record that is not spilled was acknowledged (microseconds since 1970, UTC); 0: none."""
        with self._lock:
            return min((entry.stamp for lsn, entry in self._entries.items() if lsn > self._spilled_lsn), default=0)

    def trouble(self) -> str:
        """Why nothing can be stored; empty when it can. A full intake is none: it waits, then says so."""
        if self.log.failure():
            return "the intake failed: restart the node"
        if self.log.suspect():
            return "the disk of the intake does not answer"
        return "the disk is nearly full" if self._refusing else self._shut

    def shut(self, reason: str) -> None:
        """Take nothing any more, neither instances nor decisions."""
        with self._lock:
            self._shut = reason
            self.log.refuse(True)

    def watch_space(self) -> None:
        """Refuse stores while what is free is needed for what is acknowledged; the intake does so by itself, too."""
        space = self._node.space()
        if space is None or self._shut:
            return
        total, free = space
        wanted = self._wanted_bytes(total)
        with self._lock:
            if (free < wanted) != self._refusing:
                self._refusing = free < wanted
                self.log.refuse(self._refusing)
                what = "stores are refused" if self._refusing else "stores are taken again"
                log.warning(what, extra={"free_bytes": free, "wanted_bytes": wanted})
            self._roomy = free > wanted + 2 * self._limits.reserve_bytes
            if self._roomy:
                self._node.make_reserve(self._limits.reserve_bytes)

    def _wanted_bytes(self, total: int) -> int:
        return int(self.log.statistics()["backlog_bytes"] + total * self._limits.free_percent_min / 100)

    def lend_reserve(self) -> None:
        """On a full disk: room for work that makes more of it (delete, collection). The reserve comes back later."""
        if self._refusing:
            self._node.release_reserve()

    def close(self) -> None:
        """Stop taking anything. Call ``checkpoint`` before, or the next start recovers."""
        self.log.stop()
        self._closing.set()
        self._preparer.join(self._limits.close_stalled_seconds_max)
        if self._preparer.is_alive():
            raise Unavailable("the disk of the intake does not answer")
        with self._lock:
            if self.log.written_lsn() <= self._checkpoint.lsn:
                self._segments.trim(self._limits.segments_at_rest_count)
            self._segments.close()
        space = self._node.space()
        if space is not None and space[1] > ROOMY_TIMES * self._wanted_bytes(space[0]):
            self._node.release_reserve()  # an archive that rests need not weigh so much; where room is scarce it stays

    # -- inside ------------------------------------------------------------------------------------------------------

    def refused(self, error: OSError) -> Unavailable | Fenced:
        if self.log.failure():
            return Fenced("the intake failed: nothing more is acknowledged by this process")
        return Unavailable(self.trouble() or str(error))

    def _note_void(self, last: int, first: int) -> None:
        if first > last + 1:
            voids = (*self._checkpoint.voids, (last, first))
            self._checkpoint = msgspec.structs.replace(self._checkpoint, voids=voids)

    def _give_segments(self, numbers: Sequence[int]) -> None:
        self._renew(numbers)
        self._hand_over(numbers)

    def _renew(self, numbers: Sequence[int]) -> None:
        """New generations, durable before the log may write under them.

        Should this fail, the next call's file holds them and the checkpoint's LSN together: one without the other
        would make records vanish that are not durable elsewhere.
        """
        for number in numbers:
            self._segments.renew(number)
        self._checkpoint = msgspec.structs.replace(
            self._checkpoint, generation=self._segments.generation, segments=self._segments.generations()
        )
        self._node.replace(CHECKPOINT, encode_checkpoint(self._checkpoint))

    def _hand_over(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            self._segments.hand_to(self.log, number)

    def _prepare(self) -> None:
        """Make a segment ahead of need, so that nobody waits for zeros to be written; and watch the disk."""
        while not self._closing.is_set():
            self.log.await_need(LOOK_MS)
            try:
                self.watch_space()
            except Fenced as error:
                self.log.fail(str(error))
                return
            if self.log.statistics()["segments_free"] >= self._segments_wanted():
                continue
            if self._refusing or not self._segments.may_grow():
                self._closing.wait(LOOK_MS / 1000)
                continue
            try:
                self._make_segment()
            except Unavailable as error:
                log.warning("no new segment", extra={"reason": str(error)})
                self._closing.wait(1)
            except Fenced as error:
                self.log.fail(str(error))
                return

    def _make_segment(self) -> None:
        with self._disk:
            if self.log.failure():
                return
            made = self._segments.make()
            with self._lock:
                self._give_segments([self._segments.adopt(*made)])

    def _segments_wanted(self) -> int:
        return self._limits.segments_ahead_count if self._roomy and self.log.statistics()["appends"] else 1

    def _size(self, entry: Entry) -> int:
        """Bytes that the instance of a record takes in the intake, a spool file included."""
        if entry.kind != KIND_SPOOLED:
            return entry.payload_length
        with self._lock:
            return entry.payload_length + self._spools.named(entry).length
