"""What C-MOVE and C-GET share (PS3.4 C.4.2, C.4.3): what is asked for is found, sent, and told of."""

import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager

import trio

from engine.errors import FilmroomError, Invalid, Unavailable
from engine.model import Instance
from native import dataset
from protocols import query
from protocols.dimse import classes
from protocols.dimse.commands import Counters
from protocols.dimse.exchange import Exchange
from protocols.dimse.extended import Options
from protocols.dimse.sending import Sending
from protocols.dimse.site import Site
from protocols.dimse.status import Status

log = logging.getLogger("filmroom.dimse")

FAILED_SOP_INSTANCES = 0x00080058
UID_LIST_BYTES_MAX = 0xFFFE  # UI has a length of 16 bits in Explicit VR

Carry = Callable[[Sending], Awaitable[None]]


async def answer(exchange: Exchange, site: Site, agreed: Options, destination: str, carry: Carry) -> None:
    """Find what is asked for, ``carry`` it while saying how far it is, and queue and send the final response.

    ``destination``: the AE title that takes the instances.
    """
    root: query.Root = "patient" if exchange.request.sop_class_uid in classes.PATIENT_ROOT else "study"
    try:
        wanted = query.move_identifier(
            exchange.identifier, exchange.transfer_syntax_uid, root, relational=agreed.relational
        )
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
    """Tells who asked how far the sending is. Of what is not settled in the end, all has failed."""

    def __init__(self, exchange: Exchange, site: Site, destination: str, instances: Sequence[Instance]) -> None:
        self._exchange = exchange
        self._pending_seconds = site.settings.pending_seconds
        self._said_at = 0.0
        originator = (exchange.calling_ae_title, exchange.request.message_id)
        self._sending = Sending(site.outbound, destination, instances, originator=originator, go_on=self._say_and_look)

    async def run(self, carry: Carry) -> None:
        """``carry`` everything; queue the final response."""
        with ungrouped():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._keep_saying)
                await carry(self._sending)
                nursery.cancel_scope.cancel()
        self._sending.log_failures()
        self._respond_finally()

    def _counters(self, *, final: bool) -> Counters:
        tally = self._sending.tally
        remaining = None if final else tally.remaining_count
        return Counters(remaining, tally.sent_count, len(tally.failures), tally.warning_count)

    async def _say(self) -> None:
        self._said_at = trio.current_time()
        self._exchange.respond(Status.PENDING, counters=self._counters(final=False))
        with trio.CancelScope(shield=True):  # half a response would be the last thing the peer can read
            await self._exchange.flush()

    async def _say_and_look(self) -> bool:
        """Whether C-CANCEL has not come."""
        if trio.current_time() - self._said_at >= self._pending_seconds / 5:
            await self._say()
        return not await self._exchange.is_over()

    async def _keep_saying(self) -> None:
        """While one large instance takes its time."""
        while True:
            await trio.sleep(self._pending_seconds / 2)
            if trio.current_time() - self._said_at >= self._pending_seconds / 2:
                await self._say()

    def _respond_finally(self) -> None:
        tally = self._sending.tally
        uids = [failure.sop_instance_uid for failure in tally.failures]
        failed = _failed_list(uids, self._exchange.transfer_syntax_uid)
        if self._sending.stopped:
            self._exchange.respond(Status.CANCELLED, failed, counters=self._counters(final=False))
            return
        if not tally.failures and not tally.warning_count:
            status = Status.SUCCESS
        elif tally.sent_count or tally.warning_count:
            status = Status.SUBOPERATIONS_WARNING
        else:
            status = Status.SUBOPERATIONS_FAILED
        self._exchange.respond(status, failed, counters=self._counters(final=True))


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
