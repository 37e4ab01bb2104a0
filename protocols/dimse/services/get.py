"""C-GET as SCP, Study Root and Patient Root (PS3.4 C.4.3): sends instances over the association that asks for them.

Which classes go is role selection's matter (PS3.7 D.3.3.4): only those of which the peer said it is SCP.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Protocol

import trio

from engine.threads import in_thread
from native import wire
from protocols.dimse.exchange import Exchange, Gone
from protocols.dimse.extended import Options
from protocols.dimse.leases import Interrupt
from protocols.dimse.requestor import Job, Seal
from protocols.dimse.sending import Pair, Sending
from protocols.dimse.services import suboperations
from protocols.dimse.site import Site

TOO_SLOW = "no answer in time"
# How the peer may end it; who receives on the association otherwise finds the same when it reads on.
ENDED = frozenset(
    {"peer closed the connection", "peer aborted the association", "peer asked for release", "connection failed"}
)


class Bearer(Protocol):
    """The association that asks: ``serving.Serving``."""

    @property
    def sendable(self) -> Mapping[Pair, int]: ...
    @property
    def pdu_bytes_max(self) -> int: ...
    @property
    def sending(self) -> trio.Lock: ...
    def fileno(self) -> int: ...
    async def settle(self) -> bool: ...
    async def hand_back(self, received: bytes) -> None: ...


async def answer(exchange: Exchange, site: Site, agreed: Options, bearer: Bearer) -> None:
    """Instances by C-STORE, pending responses between them, then the final one."""
    interrupt = site.interrupts.new()
    carrier = SameAssociation(bearer, site, interrupt)

    async def carry(sending: Sending) -> None:
        async with sending.opened(sending.instances) as windows:
            await sending.send(carrier, sending.instances, windows)
        sending.fail_rest(sending.instances, carrier.lost)

    try:
        await suboperations.answer(exchange, site, agreed, exchange.calling_ae_title, carry)
    finally:
        site.interrupts.close(interrupt)


class SameAssociation:
    """Implements ``sending.Carrier``: takes turns on the socket with who receives there."""

    def __init__(self, bearer: Bearer, site: Site, interrupt: Interrupt) -> None:
        self.lost = ""
        self._bearer = bearer
        self._settings = site.settings
        self._interrupt = interrupt
        self._sender = wire.Sender(pdu_bytes_max=bearer.pdu_bytes_max, shared=True)

    @property
    def accepted(self) -> Mapping[Pair, int]:
        return self._bearer.sendable

    async def store(
        self,
        jobs: Sequence[Job],
        limiter: trio.CapacityLimiter,
        *,
        seals: Sequence[Seal] = (),
        originator: tuple[str, int] | None = None,
    ) -> list[int]:
        """C-STORE of each job in turn; their statuses. Returns early when the peer says something, or time has passed.

        There is no move originator in a C-GET. Raises Gone when the peer breaks off in the middle, or does not answer.
        """
        if not await self._bearer.settle():
            self.lost = "the peer ended the association"
            return []
        statuses = await self._send(jobs, seals, limiter)
        deadline = trio.current_time() + self._settings.store_seconds
        while self._sender.unanswered and not self._sender.reason:
            done = len(statuses)
            more = await self._send(jobs[done:], seals[done:], limiter, resume=self._sender.unanswered)
            if more:
                deadline = trio.current_time() + self._settings.store_seconds
            elif trio.current_time() > deadline:
                raise trio.TooSlowError
            statuses += more
        reason = self._sender.reason
        if reason and reason not in ENDED:
            raise trio.TooSlowError if reason == TOO_SLOW else Gone(f"C-GET: {reason}")
        self.lost = reason
        await self._bearer.hand_back(self._sender.take_rest())
        return statuses

    async def _send(
        self, jobs: Sequence[Job], seals: Sequence[Seal], limiter: trio.CapacityLimiter, *, resume: int = 0
    ) -> list[int]:
        """Between two of these, pending responses have their turn on the socket."""
        send = partial(
            self._sender.store,
            self._bearer.fileno(),
            self._interrupt.fd,
            jobs,
            seals=seals,
            timeout_ms=int(self._settings.send_seconds_max * 1000),
            patience_ms=max(int(self._settings.pending_seconds * 250), 1),
            resume=resume,
        )
        async with self._bearer.sending:
            return await in_thread(send, limiter)
