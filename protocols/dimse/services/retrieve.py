"""C-MOVE as SCP, Study Root and Patient Root (PS3.4 C.4.2): sends instances over associations of our own."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import trio

from engine.errors import FilmroomError, Invalid, Unavailable
from engine.model import FileRange, Instance
from engine.ports import Peer
from native import dataset
from protocols import query
from protocols.dimse import classes
from protocols.dimse.commands import Counters
from protocols.dimse.exchange import Exchange
from protocols.dimse.negotiation import CONTEXTS_MAX
from protocols.dimse.ports import Fetched
from protocols.dimse.requestor import Job, NotAssociated, Requestor, associate
from protocols.dimse.site import Site
from protocols.dimse.status import Status, is_warning
from protocols.dimse.titles import title_of

log = logging.getLogger("filmroom.dimse")

FAILED_SOP_INSTANCES = 0x00080058
UID_LIST_BYTES_MAX = 0xFFFE  # UI has a length of 16 bits in Explicit VR

Pair = tuple[str, str]


async def answer(exchange: Exchange, site: Site) -> None:
    """Pending responses with counters (C15), then the final one."""
    root: query.Root = "patient" if exchange.request.sop_class_uid in classes.PATIENT_ROOT else "study"
    try:
        wanted = query.move_identifier(exchange.identifier, exchange.transfer_syntax_uid, root)
        peer = site.peers.lookup(exchange.request.move_destination)
        if peer is None:
            _log_unknown_destination(exchange)
            exchange.respond(Status.MOVE_DESTINATION_UNKNOWN, comment="move destination is not a known peer")
        else:
            await Move(exchange, site, peer, await site.archive.instances(wanted)).run()
    except (query.Refused, Invalid) as error:
        exchange.respond(Status.IDENTIFIER_MISMATCH, comment=str(error))
    except Unavailable as error:
        exchange.respond(Status.OUT_OF_RESOURCES, comment=str(error))
    except FilmroomError as error:
        log.error("retrieval failed", extra={"error": type(error).__name__})
        exchange.respond(Status.UNABLE_TO_PROCESS, comment="the retrieval could not be done")
    await exchange.flush()


def _log_unknown_destination(exchange: Exchange) -> None:
    title = title_of(exchange.request.move_destination.encode("ascii", "replace")[:16].ljust(16)) or "AET"
    log.warning(
        f"move destination {title} is not a known peer; to allow it: filmroom aet add {title} HOST:PORT",
        extra={"calling": exchange.calling_ae_title, "destination": title},
    )


class Move:
    """One retrieval: its counters, and the associations that carry it."""

    def __init__(self, exchange: Exchange, site: Site, peer: Peer, instances: Sequence[Instance]) -> None:
        self._exchange = exchange
        self._site = site
        self._peer = peer
        self._instances = instances
        self._completed = self._warning = 0
        self._failed: list[str] = []
        self._settled: set[tuple[str, str]] = set()
        self._group_count = 1
        self._message_id = 0
        self._cancelled = False
        self._said_at = 0.0

    async def run(self) -> None:
        """Send everything; queue the final response."""
        with ungrouped():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._keep_saying)
                for pairs, part in _parts(self._instances):
                    if not self._cancelled:
                        await self._send_part(pairs, part)
                nursery.cancel_scope.cancel()
        self._respond_finally()

    # -- sending -----------------------------------------------------------------------------------------------------

    async def _send_part(self, pairs: Sequence[Pair], part: Sequence[Instance]) -> None:
        self._settled.clear()
        try:
            async with associate(self._peer, self._site.settings, pairs, self._site.interrupts) as requestor:
                await self._send_windows(requestor, part)
                if requestor.lost:
                    raise NotAssociated(requestor.lost)
        except (NotAssociated, FilmroomError) as error:
            log.warning(
                f"sending failed: {error}",
                extra={"destination": self._peer.ae_title, "host": self._peer.host, "port": self._peer.port},
            )
        if not self._cancelled:
            for instance in part:
                if _identity(instance) not in self._settled:
                    self._fail(instance)

    async def _send_windows(self, requestor: Requestor, part: Sequence[Instance]) -> None:
        """What is not settled when this returns (objects that are lost, too) has failed."""
        accepted = []
        for instance in part:
            if (instance.sop_class_uid, instance.transfer_syntax_uid) in requestor.accepted:
                accepted.append(instance)
            else:
                self._fail(instance)
        if len(accepted) < len(part):
            log.warning(
                "destination does not take every class and syntax",
                extra={"destination": self._peer.ae_title, "count": len(part) - len(accepted)},
            )
        if not accepted:
            return
        with ungrouped():
            async with self._site.archive.reader(accepted) as windows:
                async for window in windows:
                    if not await self._send_objects(requestor, window.objects):
                        break

    async def _send_objects(self, requestor: Requestor, objects: Sequence[Fetched]) -> bool:
        """In groups that take about ``move_group_seconds``: between them progress is told and C-CANCEL seen."""
        at = 0
        while at < len(objects):
            group = objects[at : at + self._group_count]
            at += len(group)
            began = trio.current_time()
            statuses = await requestor.store(
                [self._job(requestor, fetched) for fetched in group],
                self._site.sending,
                originator=(self._exchange.calling_ae_title, self._exchange.request.message_id),
            )
            self._count(group, statuses)
            self._pace(trio.current_time() - began)
            if requestor.lost:
                return False
            await self._say_when_due()
            if await self._exchange.is_over():
                self._cancelled = True
                return False
        return True

    def _job(self, requestor: Requestor, fetched: Fetched) -> Job:
        instance = fetched.instance
        self._message_id = self._message_id % 0xFFFF + 1
        context_id = requestor.accepted[instance.sop_class_uid, instance.transfer_syntax_uid]
        head = (context_id, self._message_id, instance.sop_class_uid, instance.sop_instance_uid)
        source, skip = fetched.source, fetched.dataset_offset
        if isinstance(source, FileRange):
            return (*head, source.fd, source.offset + skip, source.length - skip)
        return (*head, source, skip, len(source) - skip)

    def _pace(self, seconds: float) -> None:
        settings = self._site.settings
        if seconds < settings.move_group_seconds / 2:
            self._group_count = min(self._group_count * 2, settings.move_group_count_max)
        elif seconds > settings.move_group_seconds:
            self._group_count = max(self._group_count // 2, 1)

    # -- counting and telling ------------------------------------------------------------------------------------------

    def _count(self, group: Sequence[Fetched], statuses: Sequence[int]) -> None:
        for fetched, status in zip(group, statuses, strict=False):
            self._settled.add(_identity(fetched.instance))
            if status == Status.SUCCESS:
                self._completed += 1
            elif is_warning(status):
                self._warning += 1
            else:
                self._failed.append(fetched.instance.sop_instance_uid)

    def _fail(self, instance: Instance) -> None:
        self._settled.add(_identity(instance))
        self._failed.append(instance.sop_instance_uid)

    def _done_count(self) -> int:
        return self._completed + self._warning + len(self._failed)

    def _counters(self, *, final: bool) -> Counters:
        remaining = None if final else len(self._instances) - self._done_count()
        return Counters(remaining, self._completed, len(self._failed), self._warning)

    async def _say(self) -> None:
        self._said_at = trio.current_time()
        self._exchange.respond(Status.PENDING, counters=self._counters(final=False))
        await self._exchange.flush()

    async def _say_when_due(self) -> None:
        if trio.current_time() - self._said_at >= self._site.settings.pending_seconds / 5:
            await self._say()

    async def _keep_saying(self) -> None:
        """While one large instance takes its time."""
        while True:
            await trio.sleep(self._site.settings.pending_seconds)
            if trio.current_time() - self._said_at >= self._site.settings.pending_seconds:
                await self._say()

    def _respond_finally(self) -> None:
        failed = _failed_list(self._failed, self._exchange.transfer_syntax_uid)
        if self._cancelled:
            self._exchange.respond(Status.CANCELLED, failed, counters=self._counters(final=False))
            return
        if not self._failed and not self._warning:
            status = Status.SUCCESS
        elif self._completed or self._warning:
            status = Status.SUBOPERATIONS_WARNING
        else:
            status = Status.SUBOPERATIONS_FAILED
        self._exchange.respond(status, failed, counters=self._counters(final=True))


def _identity(instance: Instance) -> tuple[str, str]:
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


def _parts(instances: Sequence[Instance]) -> list[tuple[list[Pair], list[Instance]]]:
    """Stretches that one association can carry: at most 128 pairs of class and syntax each, in order."""
    places: dict[Pair, int] = {}
    parts: list[tuple[list[Pair], list[Instance]]] = []
    for instance in instances:
        pair = (instance.sop_class_uid, instance.transfer_syntax_uid)
        if pair not in places:
            places[pair] = len(places) // CONTEXTS_MAX
            if places[pair] == len(parts):
                parts.append(([], []))
            parts[places[pair]][0].append(pair)
        parts[places[pair]][1].append(instance)
    return parts
