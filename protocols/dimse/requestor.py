"""An association of our own, to a configured peer (C-ECHO and C-STORE as SCU)."""

import logging
import math
import os
import struct
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Final, Protocol

import trio

from engine.ports import Peer
from engine.threads import in_thread
from native import pdu, wire
from protocols.dimse import classes, commands
from protocols.dimse.association import Aborted, Association, Data, Established, Happened, Refused
from protocols.dimse.connecting import NotAssociated, connecting, reach
from protocols.dimse.leases import Interrupts
from protocols.dimse.negotiation import granted, propose
from protocols.dimse.settings import DimseSettings
from protocols.dimse.transitions import State

log = logging.getLogger("filmroom.dimse")

RECEIVE_BYTES = 65_536
# How long a thread waits for a peer that is to accept or release: then the event loop waits, which costs more and holds
# no thread.
PROMPT_MS: Final = 100
RELEASING = frozenset({State.AWAITING_RELEASE_ANSWER, State.COLLISION_REQUESTOR_LOCAL, State.COLLISION_REQUESTOR_PEER})

# PS3.8 table 9-21: source and reason of a rejection.
REJECTIONS = {
    (1, 2): "application context not supported",
    (1, 3): "it does not know our AE title",
    (1, 7): "it is not called by this AE title",
    (2, 2): "protocol version not supported",
    (3, 1): "too busy for now",
    (3, 2): "too many associations",
}

# context id, message id, SOP class, SOP instance, file descriptor or buffer, offset and length of the data set
Job = tuple[int, int, str, str, "int | bytes | memoryview", int, int]
# XXH3-128 of the object that ends with the data set, and the length of what stands before the data set
Seal = tuple[bytes, int]


class Start(Protocol):
    """What is sent over an association by the thread that opens it."""

    async def in_thread(self, work: Callable[[], None]) -> None:
        """Do it where sending threads are counted."""

    def prepare(self) -> None:
        """While the peer makes up its mind. Blocking."""

    def send(self, requestor: "Requestor") -> bool:
        """The association stands. Blocking. Whether there is nothing more to send."""


class Requestor:
    """An established association. Made by ``associate``."""

    def __init__(
        self, socket: trio.socket.SocketType, association: Association, settings: DimseSettings, interrupts: Interrupts
    ) -> None:
        self.accepted: dict[tuple[str, str], int] = {}
        self.lost = ""
        self._socket = socket
        self._association = association
        self._settings = settings
        self._interrupts = interrupts
        self._sender: wire.Sender | None = None
        self._peer_pdu_bytes_max = 0
        self._window = 1
        self._interrupt = interrupts.new()
        self._is_associated = False
        self._unsent = b""

    async def negotiate(self, request: pdu.AssociateRequest, start: Start | None = None) -> None:
        """``start``: done by the thread that gets the answer, if it comes soon. Raises NotAssociated."""
        now = trio.current_time()
        self._association.connected(now)
        self._association.request(request, now)
        if start is not None:
            await start.in_thread(partial(self._begin, request, start, now))
        if self._is_associated:
            return
        await reach(self._socket, self._settings)
        await self._flush()
        while not self._is_associated:
            self._take_answer(request, await self._receive())

    def _begin(self, request: pdu.AssociateRequest, start: Start, now: float) -> None:
        """In a thread, from the open connection to the release where all goes well; else as far as it comes in time."""
        if not self._tell():
            return
        start.prepare()
        self._take_answer(request, self._hear(now))
        if self._is_associated and start.send(self) and not self.lost:
            self._association.release(now)
            if self._tell():
                self._hear(now)

    def _tell(self) -> bool:
        """Whether all that is to be said went out; the rest goes with ``_flush``. Blocking."""
        output = self._association.take_output()
        sent = wire.tell(self._socket.fileno(), self._interrupt.fd, output, timeout_ms=PROMPT_MS)
        self._unsent = output[sent:]
        return not self._unsent

    def _hear(self, now: float) -> list[Happened]:
        """The next that the peer says, if it says it soon. Blocking."""
        heard = wire.hear(self._socket.fileno(), self._interrupt.fd, timeout_ms=PROMPT_MS)
        return self._association.receive_data(heard, now)

    def _take_answer(self, request: pdu.AssociateRequest, happened: Sequence[Happened]) -> None:
        for one in happened:
            match one:
                case Established(answer):
                    self.accepted = granted(request, answer)
                    ours = self._settings.pdu_bytes_sent_max
                    self._peer_pdu_bytes_max = min(answer.user.pdu_bytes_max or ours, ours)
                    self._window = _granted_window(request.user, answer.user)
                    self._is_associated = True
                case Refused(result, source, reason):
                    why = REJECTIONS.get((source, reason), "no reason given")
                    raise NotAssociated(f"rejected {result}/{source}/{reason}: {why}")
                case Aborted(why=why):
                    raise NotAssociated(why)

    async def echo(self) -> int:
        """C-ECHO; the peer's status. Raises NotAssociated."""
        context_id = self.accepted.get((classes.VERIFICATION, classes.IMPLICIT_LITTLE))
        if context_id is None:
            raise NotAssociated("the peer does not offer Verification")
        return await self.ask(context_id, commands.echo_request(1, classes.VERIFICATION), None)

    async def ask(self, context_id: int, command: bytes, dataset: bytes | None) -> int:
        """One request and its answer; the peer's status. Raises NotAssociated."""
        message = pdu.encode_message(context_id, command, dataset, self._peer_pdu_bytes_max)
        self._association.send(message, trio.current_time())
        await self._flush()
        reader = wire.Receiver(
            {context_id: ("", classes.IMPLICIT_LITTLE, False)},
            None,
            pdu_bytes_max=self._settings.pdu_bytes_max,
            command_bytes_max=self._settings.command_bytes_max,
            dataset_bytes_max=self._settings.identifier_bytes_max,
        )
        while True:
            for happened in await self._receive():
                if isinstance(happened, Data) and reader.feed(happened.pdu) == wire.EVENT_MESSAGE:
                    return commands.parse(reader.take_message()[1]).status
                if not isinstance(happened, Data):
                    raise NotAssociated(
                        happened.why if isinstance(happened, Aborted) else "the peer ended the association"
                    )

    async def store(
        self,
        jobs: Sequence[Job],
        limiter: trio.CapacityLimiter,
        *,
        seals: Sequence[Seal] = (),
        originator: tuple[str, int] | None = None,
    ) -> list[int]:
        """C-STORE of each job in turn; their statuses, UNSOUND_OBJECT for one that is not what its seal says.

        Fewer than jobs: the association is gone (``lost``), or ``move_turn_seconds`` have passed: call again with the
        rest.
        """
        store = partial(self.store_here, jobs, seals=seals, originator=originator)
        statuses = await in_thread(store, limiter)
        return await self.answers(jobs, statuses, limiter, seals=seals, originator=originator)

    def store_here(
        self,
        jobs: Sequence[Job],
        *,
        seals: Sequence[Seal] = (),
        originator: tuple[str, int] | None = None,
        resume: int = 0,
    ) -> list[int]:
        """The same in the caller's thread. Blocking. Some that are sent may not be answered yet: see ``answers``."""
        if self._sender is None:
            self._sender = wire.Sender(pdu_bytes_max=self._peer_pdu_bytes_max, window=self._window)
        statuses = self._sender.store(
            self._socket.fileno(),
            self._interrupt.fd,
            jobs,
            seals=seals,
            originator=originator,
            timeout_ms=int(self._settings.store_seconds * 1000),
            patience_ms=int(self._settings.move_turn_seconds * 1000),
            resume=resume,
        )
        self.lost = self.lost or self._sender.reason
        return statuses

    async def answers(
        self,
        jobs: Sequence[Job],
        statuses: Sequence[int],
        limiter: trio.CapacityLimiter,
        *,
        seals: Sequence[Seal] = (),
        originator: tuple[str, int] | None = None,
    ) -> list[int]:
        """The statuses that ``store_here`` gave, and those of what it has sent besides."""
        known = list(statuses)
        deadline = trio.current_time() + self._settings.store_seconds
        while self._sender is not None and self._sender.unanswered and not self._sender.reason:
            done, open_count = len(known), self._sender.unanswered
            # nothing new goes out: once these are answered, others have their turn
            left = jobs[done : done + open_count]
            resume = partial(self.store_here, left, seals=seals[done:], originator=originator, resume=open_count)
            more = await in_thread(resume, limiter)
            if more:
                deadline = trio.current_time() + self._settings.store_seconds
            elif trio.current_time() > deadline:
                self.fail("no answer in time")
                break
            known += more
        return known

    async def finish(self) -> None:
        """Release in order if there is still something to release, abort otherwise, and close."""
        if self.lost:
            self._abort_now()
        with trio.CancelScope(shield=True), trio.move_on_after(self._settings.answer_seconds):
            try:
                if self._association.state is State.ESTABLISHED:
                    self._association.release(trio.current_time())
                if self._association.state in RELEASING:
                    await self._flush()
                    while not self._association.must_close:
                        await self._receive()
            except NotAssociated:
                pass
        self._interrupts.close(self._interrupt)
        self._socket.close()

    def _abort_now(self) -> None:
        """Tell the peer if the socket takes it at once; what a slow one has not taken is dropped (H18)."""
        self._association.abort(trio.current_time())
        output = self._unsent + self._association.take_output()
        try:
            sent = os.write(self._socket.fileno(), output) if output else 0
        except OSError:
            sent = 0
        if sent < len(output):
            self._socket.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, struct.pack("ii", 1, 0))

    def fail(self, why: str) -> None:
        """Nothing more goes over this association: ``finish`` will abort it."""
        self.lost = self.lost or why

    async def _receive(self) -> list[Happened]:
        deadline = self._association.deadline or math.inf
        with trio.CancelScope(deadline=min(deadline, trio.current_time() + self._settings.answer_seconds)) as scope:
            data = await self._receive_bytes()
        now = trio.current_time()
        if scope.cancelled_caught:
            self.fail("no answer in time")
            raise NotAssociated("the peer did not answer in time")
        happened = self._association.receive_data(data, now) if data else self._association.receive_end(now)
        await self._flush()
        return happened

    async def _receive_bytes(self) -> bytes:
        try:
            return await self._socket.recv(RECEIVE_BYTES)
        except OSError as error:
            raise self._broken(error) from error

    async def _send_bytes(self, view: memoryview) -> int:
        try:
            return await self._socket.send(view)
        except OSError as error:
            raise self._broken(error) from error

    def _broken(self, error: OSError) -> NotAssociated:
        self.fail(f"connection lost: {os.strerror(error.errno or 0)}")
        return NotAssociated(self.lost)

    async def _flush(self) -> None:
        view = memoryview(self._unsent + self._association.take_output())
        self._unsent = b""
        while view:
            with trio.move_on_after(self._settings.send_seconds_max) as scope:
                view = view[await self._send_bytes(view) :]
            if scope.cancelled_caught:
                self.fail("the peer takes nothing")
                raise NotAssociated("the peer does not take what we send")


def _granted_window(asked: pdu.UserInformation, answered: pdu.UserInformation) -> int:
    """Operations that we may have open: what we asked for, when the peer gives it (PS3.7 D.3.3.3); else one."""
    if asked.asynchronous_window is None or answered.asynchronous_window is None:
        return 1
    ours, theirs = asked.asynchronous_window[0], answered.asynchronous_window[0]
    return min(ours, theirs or ours)


@asynccontextmanager
async def associate(
    peer: Peer,
    settings: DimseSettings,
    pairs: Sequence[tuple[str, str]],
    interrupts: Interrupts,
    *,
    window: int = 1,
    roles: Sequence[tuple[str, bool, bool]] = (),
    start: Start | None = None,
) -> AsyncIterator[Requestor]:
    """An association, a context for each (SOP class, transfer syntax); released at the end. Raises NotAssociated.

    ``window`` and ``roles``: see ``negotiation.propose``. ``start`` is done before it is given, unless the peer takes
    its time.
    """
    association = Association(
        requestor=True, artim_seconds=settings.artim_seconds, pdu_bytes_max=settings.pdu_bytes_max
    )
    async with connecting(peer, settings) as socket:
        requestor = Requestor(socket, association, settings, interrupts)
        try:
            ours, theirs = settings.ae_title, peer.ae_title
            request = propose(ours, theirs, list(pairs), settings.pdu_bytes_max, window=window, roles=roles)
            await requestor.negotiate(request, start)
            yield requestor
        except BaseException:
            requestor.fail("given up")
            raise
        finally:
            await requestor.finish()


async def echo(peer: Peer, settings: DimseSettings | None = None) -> int:
    """C-ECHO to a configured peer: the status it answers (0 is success). Raises NotAssociated."""
    settings = settings or DimseSettings()
    async with associate(peer, settings, [(classes.VERIFICATION, classes.IMPLICIT_LITTLE)], Interrupts()) as requestor:
        return await requestor.echo()
