"""Every open request for commitment, from N-ACTION until its report is answered or given up (PS3.4 J.3.3).

A request waits for its images, is judged, and is reported: on the association that asked while that is open, else on a
new one to the configured peer of that AE title, again and again until a deadline. One worker for each requestor.
"""

import heapq
import logging
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from itertools import count
from typing import Protocol

import trio

from engine.errors import Corrupt, FilmroomError, Missing
from engine.model import CommitmentRequest, Verdict
from engine.ports import Peers
from protocols.dimse import classes, commands
from protocols.dimse.connecting import NotAssociated
from protocols.dimse.event_report import Report, report_of
from protocols.dimse.exchange import Gone
from protocols.dimse.leases import Interrupts
from protocols.dimse.ports import Commitments
from protocols.dimse.requestor import associate
from protocols.dimse.settings import DimseSettings
from protocols.dimse.status import is_warning
from protocols.dimse.titles import allow_command

log = logging.getLogger("filmroom.dimse")

EVER = float("inf")


class Asker(Protocol):
    """The association that asked: ``serving.Serving``."""

    def syntax_of(self, context_id: int) -> str:
        """The transfer syntax of a context."""

    async def request(self, context_id: int, command: Callable[[int], bytes], dataset: bytes) -> int:
        """A request of ours on it, made of a message ID; the status of the answer. Raises Gone."""


class Open:
    """What is remembered of an open request beside its file."""

    def __init__(self, request: CommitmentRequest) -> None:
        self.name = request.name
        self.requestor = request.requestor
        self.tries = 0
        self.verdicts: Sequence[Verdict] | None = None
        self.context_id = 0
        self.asker: Callable[[], Asker | None] = lambda: None


class Reporter:
    """Runs beside a port's associations."""

    def __init__(self, commitments: Commitments, settings: DimseSettings, peers: Peers, interrupts: Interrupts) -> None:
        self._commitments = commitments
        self._settings = settings
        self._peers = peers
        self._interrupts = interrupts
        self._open: dict[str, Open] = {}
        self._due: list[tuple[float, int, Open]] = []
        self._ready: dict[str, deque[Open]] = {}
        self._numbers = count()
        self._limiter = trio.CapacityLimiter(settings.commitment_tasks_max)
        self._changed = trio.Event()
        self._rested = trio.Event()
        self._finishing = False

    def take(self, request: CommitmentRequest, asker: Asker, context_id: int) -> None:
        """A request that is on disk; its report may go to ``asker`` while that lives."""
        known = Open(request)
        known.asker, known.context_id = weakref.ref(asker), context_id
        self._open[known.name] = known
        self._schedule(known, self._settings.commitment_pause_seconds)

    async def run(self) -> None:
        """Report, those first that an earlier run has left open. Until cancelled."""
        for request in await self._commitments.left():
            self._open[request.name] = Open(request)
            self._schedule(self._open[request.name], 0)
        async with trio.open_nursery() as workers:
            while True:
                self._changed = trio.Event()
                next_due = self._start_due(workers)
                with trio.CancelScope(deadline=next_due):
                    await self._changed.wait()

    async def finish(self) -> None:
        """Begin nothing more, and wait for what is under way."""
        self._finishing = True
        while self._ready:
            self._rested = trio.Event()
            await self._rested.wait()

    # -- when ----------------------------------------------------------------------------------------------------------

    def _schedule(self, known: Open, seconds: float) -> None:
        heapq.heappush(self._due, (trio.current_time() + seconds, next(self._numbers), known))
        self._changed.set()

    def _start_due(self, workers: trio.Nursery) -> float:
        """Hand what is due to the workers; when the next will be."""
        while self._due and self._due[0][0] <= trio.current_time() and not self._finishing:
            known = heapq.heappop(self._due)[2]
            if self._open.get(known.name) is not known:
                continue  # asked for again meanwhile
            if known.requestor not in self._ready:
                self._ready[known.requestor] = deque()
                workers.start_soon(self._work, known.requestor)
            self._ready[known.requestor].append(known)
        return self._due[0][0] if self._due and not self._finishing else EVER

    async def _work(self, requestor: str) -> None:
        """One peer's requests, in turn."""
        queue = self._ready[requestor]
        while queue and not self._finishing:
            known = queue.popleft()
            async with self._limiter:
                again = await self._attempt_safely(known)
            if self._open.get(known.name) is not known:
                continue
            if again is None:
                del self._open[known.name]
            else:
                self._schedule(known, again)
        del self._ready[requestor]
        self._rested.set()

    def _pause(self, known: Open, shortest: float, longest: float) -> float:
        known.tries += 1
        return min(shortest * 2.0 ** min(known.tries - 1, 32), longest)

    # -- what ----------------------------------------------------------------------------------------------------------

    async def _attempt_safely(self, known: Open) -> float | None:
        settings = self._settings
        try:
            return await self._attempt(known)
        except Missing:
            return None
        except Corrupt as error:
            log.error(f"commitment given up: {error}", extra={"requestor": known.requestor})
            return None
        except FilmroomError as error:
            log.warning(f"commitment: {error}", extra={"requestor": known.requestor})
        except Exception:
            # One request's bug must not end the port; it is a bug all the same.
            log.exception("commitment failed")
        return self._pause(known, settings.commitment_retry_seconds, settings.commitment_retry_seconds_max)

    async def _attempt(self, known: Open) -> float | None:
        """Go on with a request; in how many seconds to try again, None when it is settled."""
        settings, commitments = self._settings, self._commitments
        request = await commitments.load(known.name)
        age_seconds = commitments.age_seconds(request)
        if known.verdicts is None:
            if age_seconds < settings.commitment_wait_seconds and await commitments.lacks(request.references):
                return self._pause(known, settings.commitment_poll_seconds, settings.commitment_poll_seconds_max)
            known.verdicts, known.tries = await commitments.judge(request.references), 0
        report = report_of(request, known.verdicts, settings.ae_title)
        if not await self._deliver(known, report):
            if age_seconds < settings.commitment_deadline_seconds:
                return self._pause(known, settings.commitment_retry_seconds, settings.commitment_retry_seconds_max)
            log.error("commitment given up: the peer took no report", extra={"requestor": known.requestor})
        with trio.CancelScope(shield=True):  # what was reported is not reported again by the next run
            settled = await commitments.settle(request)
        known.verdicts = None
        return None if settled else 0.0

    # -- where ---------------------------------------------------------------------------------------------------------

    async def _deliver(self, known: Open, report: Report) -> bool:
        status = await self._on_association_that_asked(known, report)
        if status is None:
            status = await self._on_new_association(known, report)
        if status is None:
            return False
        taken = status == 0 or is_warning(status)
        extra = {"requestor": known.requestor, "event_type": report.event_type, "status": f"{status:04X}"}
        log.log(logging.INFO if taken else logging.WARNING, "commitment reported", extra=extra)
        return taken

    async def _on_association_that_asked(self, known: Open, report: Report) -> int | None:
        asker = known.asker()
        if asker is None:
            return None
        known.asker = lambda: None  # one try: a peer that does not answer there may wait for a new association
        dataset = report.encoded(asker.syntax_of(known.context_id))
        with trio.move_on_after(self._settings.answer_seconds):
            try:
                return await asker.request(known.context_id, _command(report), dataset)
            except Gone:
                pass
        return None

    async def _on_new_association(self, known: Open, report: Report) -> int | None:
        peer = self._peers.lookup(known.requestor)
        if peer is None:
            if known.tries == 0:
                allow = allow_command(known.requestor, "HOST")
                log.warning(f"commitment cannot be reported: {known.requestor} is not a known peer; {allow}")
            return None
        pairs = [(classes.COMMITMENT, syntax) for syntax in (classes.EXPLICIT_LITTLE, classes.IMPLICIT_LITTLE)]
        roles = [(classes.COMMITMENT, False, True)]
        try:
            async with associate(peer, self._settings, pairs, self._interrupts, roles=roles) as requestor:
                for (_, syntax), context_id in requestor.accepted.items():
                    return await requestor.ask(context_id, _command(report)(1), report.encoded(syntax))
                raise NotAssociated("the peer does not take storage commitment from us")
        except NotAssociated as error:
            log.warning(
                f"commitment not reported: {error}",
                extra={"requestor": known.requestor, "host": peer.host, "port": peer.port},
            )
        return None


def _command(report: Report) -> Callable[[int], bytes]:
    return lambda message_id: commands.event_report(
        message_id, classes.COMMITMENT, classes.COMMITMENT_INSTANCE, report.event_type
    )
