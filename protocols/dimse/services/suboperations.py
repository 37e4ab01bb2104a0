"""What C-MOVE and C-GET share (PS3.4 C.4.2, C.4.3): instances sent by C-STORE in groups, counted, and told of."""

import logging
import os
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

import trio
import xxhash

from engine.errors import FilmroomError, Invalid, Unavailable
from engine.model import FileRange, Instance
from native import dataset, wire
from protocols import query
from protocols.dimse import classes
from protocols.dimse.commands import Counters
from protocols.dimse.exchange import Exchange
from protocols.dimse.ports import Fetched
from protocols.dimse.requestor import Job, Seal
from protocols.dimse.site import Site
from protocols.dimse.status import Status, is_warning
from protocols.transcode import Untranscodable, Way, choose, why_not

log = logging.getLogger("filmroom.dimse")

FAILED_SOP_INSTANCES = 0x00080058
READ_BYTES = 1 << 20  # at a time, of an object that is checked
KEY_DIGITS = 32  # of an object's key: the XXH3-128 of its bytes
UID_LIST_BYTES_MAX = 0xFFFE  # UI has a length of 16 bits in Explicit VR

Pair = tuple[str, str]


class Carrier(Protocol):
    """An association that takes C-STORE requests from us."""

    @property
    def accepted(self) -> Mapping[Pair, int]:
        """Pairs of SOP class and transfer syntax that the peer takes, with their context."""

    @property
    def lost(self) -> str:
        """Why nothing more goes over it; empty while it stands."""

    async def store(
        self,
        jobs: Sequence[Job],
        limiter: trio.CapacityLimiter,
        *,
        seals: Sequence[Seal] = (),
        originator: tuple[str, int] | None = None,
    ) -> list[int]:
        """C-STORE of each job in turn; their statuses, UNSOUND_OBJECT for one that is not what its seal says.

        Fewer than jobs: it is ``lost``, or gives others their turn.
        """


class Sent(Protocol):
    """A data set that is sent: it begins ``dataset_offset`` bytes into ``source``."""

    @property
    def source(self) -> FileRange | bytes: ...
    @property
    def dataset_offset(self) -> int: ...


async def answer(
    exchange: Exchange, site: Site, destination: str, carry: Callable[["Retrieval"], Awaitable[None]]
) -> None:
    """Find what is asked for, ``carry`` it while saying how far it is, and queue and send the final response.

    ``destination``: the AE title that takes the instances.
    """
    root: query.Root = "patient" if exchange.request.sop_class_uid in classes.PATIENT_ROOT else "study"
    try:
        wanted = query.move_identifier(exchange.identifier, exchange.transfer_syntax_uid, root)
        instances = await site.archive.instances(wanted)
        await Retrieval(exchange, site, destination, instances).run(carry)
    except (query.Refused, Invalid) as error:
        exchange.refuse(Status.IDENTIFIER_MISMATCH, str(error))
    except Unavailable as error:
        exchange.refuse(Status.OUT_OF_RESOURCES, str(error))
    except FilmroomError as error:
        log.error("retrieval failed", extra={"error": type(error).__name__})
        exchange.respond(Status.UNABLE_TO_PROCESS, comment="the retrieval could not be done")
    await exchange.flush()


class Retrieval:
    """One C-MOVE or C-GET: what it sends, and its counters. Of what is not settled in the end, all has failed."""

    def __init__(self, exchange: Exchange, site: Site, destination: str, instances: Sequence[Instance]) -> None:
        self.instances = instances
        self.cancelled = False
        self.unsound_count = 0
        self._exchange = exchange
        self._site = site
        self._turns = site.turns_of(destination)
        self._completed = self._warning = 0
        self._failed: list[str] = []
        self._refused: Counter[int] = Counter()
        self._settled: set[Pair] = set()
        self._ways: dict[Pair, Way | None] = {}
        self._reasons: set[str] = set()
        self._message_id = 0
        self._said_at = 0.0

    async def run(self, carry: Callable[["Retrieval"], Awaitable[None]]) -> None:
        """``carry`` everything; queue the final response."""
        with ungrouped():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._keep_saying)
                await carry(self)
                nursery.cancel_scope.cancel()
        self._respond_finally()

    # -- sending -----------------------------------------------------------------------------------------------------

    async def send(self, carrier: Carrier, part: Sequence[Instance]) -> None:
        """Send those of ``part`` that the peer takes in some syntax, until it is ``lost`` or wants no more.

        As stored where the peer takes that; else in another syntax, never with a loss of what is there.
        """
        accepted = self._choose(carrier, part)
        if not accepted:
            return
        async with self._site.archive.reader(accepted) as windows:
            async for window in windows:
                if not await self._send_objects(carrier, window.objects):
                    break

    def _choose(self, carrier: Carrier, part: Sequence[Instance]) -> list[Instance]:
        """Those that the peer takes; ``_ways`` says how. The others have failed."""
        offered: dict[str, set[str]] = {}
        for sop_class, syntax in carrier.accepted:
            offered.setdefault(sop_class, set()).add(syntax)
        codecs = self._site.transcoder.codecs
        for pair in {(instance.sop_class_uid, instance.transfer_syntax_uid) for instance in part}:
            taken = offered.get(pair[0], set())
            way = self._ways[pair] = choose(pair[1], taken, codecs)
            if way is None:
                self._note_failed(why_not(pair[1], codecs) if taken else "the peer does not take their SOP class")
        accepted = []
        for instance in part:
            if self._ways[instance.sop_class_uid, instance.transfer_syntax_uid] is None:
                self.fail(instance)
            else:
                accepted.append(instance)
        return accepted

    def _note_failed(self, reason: str) -> None:
        """One line a reason, not one an instance."""
        if reason not in self._reasons:
            self._reasons.add(reason)
            log.warning(f"instances not sent: {reason}", extra={"calling": self._exchange.calling_ae_title})

    def fail(self, instance: Instance) -> None:
        """This sub-operation will not be done."""
        self._settled.add(_identity(instance))
        self._failed.append(instance.sop_instance_uid)

    def rest(self, part: Sequence[Instance]) -> list[Instance]:
        """What of ``part`` was neither sent nor failed, unless the peer wants no more."""
        return [] if self.cancelled else [one for one in part if _identity(one) not in self._settled]

    def fail_rest(self, part: Sequence[Instance]) -> None:
        """What of ``part`` was neither sent nor failed has failed."""
        for instance in self.rest(part):
            self.fail(instance)

    async def _send_objects(self, carrier: Carrier, objects: Sequence[Fetched]) -> bool:
        """The carrier comes back now and then with a part of them: then progress is told and C-CANCEL seen."""
        at = 0
        while at < len(objects):
            group = self._next_group(objects, at)
            statuses = await self._store(carrier, group)
            at += len(statuses)
            self._count(group, statuses)
            if carrier.lost:
                return False
            await self._say_when_due()
            if await self._exchange.is_over():
                self.cancelled = True
                return False
        return True

    def _way(self, instance: Instance) -> Way:
        way = self._ways[instance.sop_class_uid, instance.transfer_syntax_uid]
        assert way is not None, "what is sent was chosen"
        return way

    def _next_group(self, objects: Sequence[Fetched], at: int) -> Sequence[Fetched]:
        """Some that go as they are, or one that does not: what is made of it is held until it is sent."""
        end = at
        while end < len(objects) and self._way(objects[end].instance).kind == "stored":
            end += 1
        return objects[at : max(end, at + 1)]

    async def _store(self, carrier: Carrier, group: Sequence[Fetched]) -> list[int]:
        first = group[0]
        way = self._way(first.instance)
        if way.kind == "stored":
            seals = [(key_of(one.instance), one.dataset_offset) for one in group]
            jobs = [self._job(carrier, one.instance, one, self._way(one.instance)) for one in group]
            return await self._send_jobs(carrier, jobs, seals)
        if not await trio.to_thread.run_sync(is_sound, first, limiter=self._site.sending):
            return [wire.UNSOUND_OBJECT]
        stored, wanted = first.instance.transfer_syntax_uid, way.transfer_syntax_uid
        try:
            async with self._site.transcoder.open(first.source, first.dataset_offset, stored, wanted) as sent:
                return await self._send_jobs(carrier, [self._job(carrier, first.instance, sent, way)], [])
        except Untranscodable as error:
            self._note_failed(str(error))
            return [Status.UNABLE_TO_PROCESS]

    async def _send_jobs(self, carrier: Carrier, jobs: Sequence[Job], seals: Sequence[Seal]) -> list[int]:
        request = self._exchange.request
        originator = (self._exchange.calling_ae_title, request.message_id)
        async with self._turns:
            return await carrier.store(jobs, self._site.sending, seals=seals, originator=originator)

    def _job(self, carrier: Carrier, instance: Instance, sent: Sent, way: Way) -> Job:
        self._message_id = self._message_id % 0xFFFF + 1
        context_id = carrier.accepted[instance.sop_class_uid, way.transfer_syntax_uid]
        head = (context_id, self._message_id, instance.sop_class_uid, instance.sop_instance_uid)
        source, skip = sent.source, sent.dataset_offset
        if isinstance(source, FileRange):
            return (*head, source.fd, source.offset + skip, source.length - skip)
        return (*head, source, skip, len(source) - skip)

    # -- counting and telling ------------------------------------------------------------------------------------------

    def _count(self, group: Sequence[Fetched], statuses: Sequence[int]) -> None:
        for fetched, status in zip(group, statuses, strict=False):
            self._settled.add(_identity(fetched.instance))
            if status == wire.UNSOUND_OBJECT:
                self.unsound_count += 1
                why = "object is not what was written; to look for more: filmroom verify"
                log.error(why, extra={"key": fetched.instance.key})
            if status == Status.SUCCESS:
                self._completed += 1
            elif is_warning(status):
                self._warning += 1
            else:
                self._failed.append(fetched.instance.sop_instance_uid)
                self._refused[status] += status != wire.UNSOUND_OBJECT

    def _counters(self, *, final: bool) -> Counters:
        done_count = self._completed + self._warning + len(self._failed)
        remaining = None if final else len(self.instances) - done_count
        return Counters(remaining, self._completed, len(self._failed), self._warning)

    async def _say(self) -> None:
        self._said_at = trio.current_time()
        self._exchange.respond(Status.PENDING, counters=self._counters(final=False))
        with trio.CancelScope(shield=True):  # half a response would be the last thing the peer can read
            await self._exchange.flush()

    async def _say_when_due(self) -> None:
        if trio.current_time() - self._said_at >= self._site.settings.pending_seconds / 5:
            await self._say()

    async def _keep_saying(self) -> None:
        """While one large instance takes its time."""
        while True:
            await trio.sleep(self._site.settings.pending_seconds / 2)
            if trio.current_time() - self._said_at >= self._site.settings.pending_seconds / 2:
                await self._say()

    def _respond_finally(self) -> None:
        for status, count in self._refused.items():
            if count:
                log.warning("peer refused instances", extra={"status": f"{status:04X}", "count": count})
        failed = _failed_list(self._failed, self._exchange.transfer_syntax_uid)
        if self.cancelled:
            self._exchange.respond(Status.CANCELLED, failed, counters=self._counters(final=False))
            return
        if not self._failed and not self._warning:
            status = Status.SUCCESS
        elif self._completed or self._warning:
            status = Status.SUBOPERATIONS_WARNING
        else:
            status = Status.SUBOPERATIONS_FAILED
        self._exchange.respond(status, failed, counters=self._counters(final=True))


def key_of(instance: Instance) -> bytes:
    """XXH3-128 of its object."""
    return bytes.fromhex(instance.key[:KEY_DIGITS])


def is_sound(fetched: Fetched) -> bool:
    """Whether its object is what was written: asked before another data set is made of it."""
    hashed, source = xxhash.xxh3_128(), fetched.source
    if isinstance(source, bytes):
        hashed.update(source)
    else:
        done = 0
        while done < source.length:
            piece = os.pread(source.fd, min(source.length - done, READ_BYTES), source.offset + done)
            if not piece:
                return False
            hashed.update(piece)
            done += len(piece)
    return hashed.digest() == key_of(fetched.instance)


def _identity(instance: Instance) -> Pair:
    return instance.series_uid, instance.sop_instance_uid


@contextmanager
def ungrouped() -> Iterator[None]:
    """The first error out of a nursery, by itself: whoever handles it asks what it is, not where it came from."""
    try:
        yield
    except ExceptionGroup as group:
        error: Exception = group
        while isinstance(error, ExceptionGroup):
            error = error.exceptions[0]
        raise error from group


def _failed_list(uids: Sequence[str], transfer_syntax_uid: str) -> bytes | None:
    """The data set of a final response: Failed SOP Instance UID List, as many as fit; None when there are none."""
    if not uids:
        return None
    joined = "\\".join(uids).encode("ascii")
    if len(joined) > UID_LIST_BYTES_MAX:
        joined = joined[: joined.rindex(b"\\", 0, UID_LIST_BYTES_MAX)]
    explicit = dataset.element(FAILED_SOP_INSTANCES, "UI", joined)
    if transfer_syntax_uid != classes.IMPLICIT_LITTLE:
        return explicit
    return dataset.project(explicit, (FAILED_SOP_INSTANCES,), True)
