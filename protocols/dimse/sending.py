"""Instances sent by C-STORE over whatever association takes them (PS3.4 B.2): in groups, and counted."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import msgspec
import trio

from engine.model import FileRange, Instance
from native import wire
from protocols.dimse.outbound import Outbound
from protocols.dimse.requestor import Job, Seal
from protocols.dimse.tally import Tally
from protocols.stored import is_sound, key_of
from protocols.transcode import Untranscodable, Way, choose, why_not
from protocols.windows import Fetched, Window, Windows

log = logging.getLogger("filmroom.dimse")

NOT_TAKEN = "the peer does not take their SOP class"
LOST = "the object is not there"

Pair = tuple[str, str]
GoOn = Callable[[], Awaitable[bool]]


class Accepting(Protocol):
    """An association that takes C-STORE requests from us."""

    @property
    def accepted(self) -> Mapping[Pair, int]:
        """Pairs of SOP class and transfer syntax that the peer takes, with their context."""


class Carrier(Accepting, Protocol):
    """For who waits in the event loop."""

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


class PromptCarrier(Accepting, Protocol):
    """For who waits in a thread of its own."""

    def store_here(
        self, jobs: Sequence[Job], *, seals: Sequence[Seal] = (), originator: tuple[str, int] | None = None
    ) -> list[int]:
        """As ``Carrier.store``; some of what is sent may not be answered yet."""


class Sent(Protocol):
    """A data set that is sent: it begins ``dataset_offset`` bytes into ``source``."""

    @property
    def source(self) -> FileRange | bytes: ...
    @property
    def dataset_offset(self) -> int: ...


async def always() -> bool:
    """For a sender whom nobody stops between two groups."""
    return True


class Begun(msgspec.Struct, frozen=True):
    """What a thread has sent of a part: ``jobs``, which carry ``group``, of which ``statuses`` are known."""

    is_any_taken: bool
    group: Sequence[Fetched] = ()
    jobs: Sequence[Job] = ()
    seals: Sequence[Seal] = ()
    statuses: Sequence[int] = ()


class Sending:
    """What is sent to one AE title, and its ``tally``. Each part of it goes over one carrier after another."""

    def __init__(
        self,
        outbound: Outbound,
        destination: str,
        instances: Sequence[Instance],
        *,
        originator: tuple[str, int] | None = None,
        go_on: GoOn = always,
    ) -> None:
        """``originator``: AE title and message ID of the C-MOVE that asks. ``go_on`` is asked between two groups."""
        self.instances = instances
        self.tally = Tally(len(instances))
        self.stopped = False
        self.outbound = outbound
        self._destination = destination
        self.turns = outbound.turns_of(destination)
        self.originator = originator
        self._go_on = go_on
        self._ways: dict[Pair, Way | None] = {}
        self._message_id = 0

    def opened(self, part: Sequence[Instance]) -> AbstractAsyncContextManager[Windows]:
        """For ``send``, which opens them as it goes, and for ``begin``: nothing is opened before they are asked for."""
        return self.outbound.archive.reader(part, is_begun=False)

    def begin(self, carrier: PromptCarrier, part: Sequence[Instance], window: Window) -> Begun:
        """Send the first that go as they are, in the caller's thread. Blocking. Nothing is counted: ``send`` does that,
        and goes on behind them."""
        is_any_taken = self._choose(carrier, part)
        group = self._stored_ahead(self._taken(window), 0) if is_any_taken else []
        jobs, seals = self._jobs(carrier, group)
        statuses = carrier.store_here(jobs, seals=seals, originator=self.originator) if jobs else []
        return Begun(is_any_taken, group, jobs, seals, statuses)

    async def send(
        self, carrier: Carrier, part: Sequence[Instance], windows: AsyncIterator[Window], begun: Begun | None = None
    ) -> None:
        """Send those of ``part`` that the peer takes in some syntax, until it is ``lost`` or wants no more.

        As stored where the peer takes that; else in another syntax, never with a loss of what is there.
        """
        begun = begun or Begun(self._choose(carrier, part))
        settled_count = self._count(begun.group, begun.statuses)
        if not begun.is_any_taken or (begun.group and not await self._goes_on(carrier)):
            return
        async for window in windows:
            for instance in filter(self._is_taken, window.lost):
                self.tally.fail(instance, LOST)
            if not await self._send_objects(carrier, self._taken(window)[settled_count:]):
                break
            settled_count = 0

    def rest(self, part: Sequence[Instance]) -> list[Instance]:
        """What of ``part`` was neither sent nor failed, unless the peer wants no more."""
        return [] if self.stopped else self.tally.open(part)

    def fail_rest(self, part: Sequence[Instance], reason: str) -> None:
        """What of ``part`` was neither sent nor failed has failed."""
        for instance in self.rest(part):
            self.tally.fail(instance, reason)

    def log_failures(self) -> None:
        """One line a reason, not one an instance."""
        for reason, count in self.tally.reasons().items():
            extra = {"destination": self._destination, "count": count}
            log.warning(f"instances not sent: {reason}", extra=extra)

    def _choose(self, carrier: Accepting, part: Sequence[Instance]) -> bool:
        """Whether the peer takes any; ``_ways`` says how. The others have failed."""
        offered: dict[str, set[str]] = {}
        for sop_class, syntax in carrier.accepted:
            offered.setdefault(sop_class, set()).add(syntax)
        codecs = self.outbound.transcoder.codecs
        pairs = {_pair(instance) for instance in part}
        for pair in pairs:
            self._ways[pair] = choose(pair[1], offered.get(pair[0], set()), codecs)
        for instance in part:
            if not self._is_taken(instance):
                sop_class, stored = _pair(instance)
                self.tally.fail(instance, why_not(stored, codecs) if sop_class in offered else NOT_TAKEN)
        return any(self._ways[pair] is not None for pair in pairs)

    def _is_taken(self, instance: Instance) -> bool:
        return self._ways[_pair(instance)] is not None

    def _taken(self, window: Window) -> list[Fetched]:
        return [one for one in window.objects if self._is_taken(one.instance)]

    async def _goes_on(self, carrier: Carrier) -> bool:
        """Whether there is more to send, and somebody who takes it. ``go_on`` is asked."""
        if carrier.lost or not self.tally.remaining_count:
            return False
        self.stopped = not await self._go_on()
        return not self.stopped

    async def _send_objects(self, carrier: Carrier, objects: Sequence[Fetched]) -> bool:
        """The carrier comes back now and then with a part of them: then ``go_on`` is asked."""
        at = 0
        while at < len(objects):
            at += await self._store(carrier, self._next_group(objects, at))
            if not await self._goes_on(carrier):
                return False
        return True

    def _way(self, instance: Instance) -> Way:
        way = self._ways[_pair(instance)]
        assert way is not None, "what is sent was chosen"
        return way

    def _next_group(self, objects: Sequence[Fetched], at: int) -> Sequence[Fetched]:
        """Some that go as they are, or one that does not: what is made of it is held until it is sent."""
        return self._stored_ahead(objects, at) or objects[at : at + 1]

    def _stored_ahead(self, objects: Sequence[Fetched], at: int) -> Sequence[Fetched]:
        """Those that go as they are, up to the first that does not."""
        end = at
        while end < len(objects) and self._way(objects[end].instance).kind == "stored":
            end += 1
        return objects[at:end]

    async def _store(self, carrier: Carrier, group: Sequence[Fetched]) -> int:
        """How many of the group are settled."""
        first = group[0]
        way = self._way(first.instance)
        if way.kind == "stored":
            jobs, seals = self._jobs(carrier, group)
            return self._count(group, await self._send_jobs(carrier, jobs, seals))
        if not await trio.to_thread.run_sync(is_sound, first, limiter=self.outbound.threads):
            return self._count(group, [wire.UNSOUND_OBJECT])
        stored, wanted = first.instance.transfer_syntax_uid, way.transfer_syntax_uid
        try:
            async with self.outbound.transcoder.open(first.source, first.dataset_offset, stored, wanted) as sent:
                jobs = [self._job(carrier, first.instance, sent, way)]
                return self._count(group, await self._send_jobs(carrier, jobs, []))
        except Untranscodable as error:
            self.tally.fail(first.instance, str(error))
            return 1

    async def _send_jobs(self, carrier: Carrier, jobs: Sequence[Job], seals: Sequence[Seal]) -> list[int]:
        async with self.turns:
            return await carrier.store(jobs, self.outbound.threads, seals=seals, originator=self.originator)

    def _jobs(self, carrier: Accepting, group: Sequence[Fetched]) -> tuple[list[Job], list[Seal]]:
        """Of what goes as it is."""
        seals = [(key_of(one.instance), one.dataset_offset) for one in group]
        return [self._job(carrier, one.instance, one, self._way(one.instance)) for one in group], seals

    def _job(self, carrier: Accepting, instance: Instance, sent: Sent, way: Way) -> Job:
        self._message_id = self._message_id % 0xFFFF + 1
        context_id = carrier.accepted[instance.sop_class_uid, way.transfer_syntax_uid]
        head = (context_id, self._message_id, instance.sop_class_uid, instance.sop_instance_uid)
        source, skip = sent.source, sent.dataset_offset
        if isinstance(source, FileRange):
            return (*head, source.fd, source.offset + skip, source.length - skip)
        return (*head, source, skip, len(source) - skip)

    def _count(self, group: Sequence[Fetched], statuses: Sequence[int]) -> int:
        for fetched, status in zip(group, statuses, strict=False):
            self.tally.count(fetched.instance, status)
            if status == wire.UNSOUND_OBJECT:
                why = "object is not what was written; to look for more: filmroom verify"
                log.error(why, extra={"key": fetched.instance.key})
        return len(statuses)


def _pair(instance: Instance) -> Pair:
    return instance.sop_class_uid, instance.transfer_syntax_uid
