"""Send: matching instances by C-STORE to a known peer, by what C-MOVE sends with."""

from collections.abc import Awaitable, Callable

import msgspec
import trio

import engine
from engine.ports import Peer
from filmroom.exits import Unreachable
from protocols.dimse import Delivery, Outbound, Sending

# How often it says how far it is.
PROGRESS_SECONDS = 1.0


class Progress(msgspec.Struct, frozen=True):
    """How far a send is. ``warned``: taken by the peer with something to say about it. ``done`` in the last one."""

    matched: int
    sent: int
    warned: int
    failed: int
    done: bool = False


class Unsent(msgspec.Struct, frozen=True):
    """An instance that the peer does not have from us, and why."""

    sop_instance_uid: str
    reason: str


Report = Callable[[Progress | Unsent], Awaitable[None]]


async def send(outbound: Outbound, archive: engine.Archive, query: engine.Query, peer: Peer, report: Report) -> None:
    """Send every instance below what matches, its current version. Raises Unreachable when no association is made."""
    told = _Told(report)
    sending = Sending(outbound, peer.ae_title, await archive.instances(query), go_on=told.go_on)
    told.sending = sending
    delivery = Delivery(outbound, peer)
    await told.progress()
    await delivery.carry(sending)
    if sending.instances and not delivery.reached:
        raise Unreachable(f"{peer.ae_title} at {peer.host}:{peer.port}: {delivery.trouble}; nothing was sent")
    sending.log_failures()
    await told.progress(done=True)


class _Told:
    """What was reported of a sending."""

    sending: Sending

    def __init__(self, report: Report) -> None:
        self._report = report
        self._failure_count = 0
        self._at = 0.0

    async def go_on(self) -> bool:
        """Between two groups: always on; who hangs up cancels."""
        if trio.current_time() - self._at >= PROGRESS_SECONDS:
            await self.progress()
        return True

    async def progress(self, *, done: bool = False) -> None:
        tally = self.sending.tally
        for failure in tally.failures[self._failure_count :]:
            await self._report(Unsent(failure.sop_instance_uid, failure.reason))
        self._failure_count = len(tally.failures)
        self._at = trio.current_time()
        counts = (tally.instance_count, tally.sent_count, tally.warning_count, len(tally.failures))
        await self._report(Progress(*counts, done=done))
