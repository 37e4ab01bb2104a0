"""An established association at work: threads are leased to receive, messages handed to the services."""

import contextlib
import logging
import select
from collections import deque
from collections.abc import Callable, Mapping
from typing import Protocol

import trio

from native import pdu, wire
from protocols.dimse import classes, commands, extended
from protocols.dimse.exchange import Exchange, Gone
from protocols.dimse.negotiation import Accepted
from protocols.dimse.services import commitment, find, get, retrieve, store
from protocols.dimse.site import Site
from protocols.dimse.status import Status
from protocols.dimse.transitions import Event

log = logging.getLogger("filmroom.dimse")

# We answer an asynchronous window of (1, 1); a peer that sends this many requests ahead does not keep to it.
AHEAD_MAX = 16

Message = tuple[int, commands.Command, bytes]


class Outgoing:
    """A request of ours on an association that the peer made."""

    def __init__(self, context_id: int, command: Callable[[int], bytes], dataset: bytes) -> None:
        self.context_id = context_id
        self.command = command
        self.dataset = dataset
        self.message_id = 0
        self.status: int | None = None
        self.done = trio.Event()


class Stream(Protocol):
    """The connection below: ``session.Session``."""

    @property
    def number(self) -> int: ...
    @property
    def site(self) -> Site: ...
    @property
    def address(self) -> str: ...
    @property
    def sending(self) -> trio.Lock: ...
    def fileno(self) -> int: ...
    def take_rest(self) -> bytes: ...
    async def wait_readable(self) -> bool: ...
    def nudge(self) -> None: ...
    def receive_at_once(self) -> bytes | None: ...
    async def send(self, data: bytes) -> None: ...
    async def end(self, event: Event) -> None: ...
    async def abort(self, why: str) -> None: ...


class Serving:
    """An established association: leases threads to receive, hands messages to the services, one after the other."""

    def __init__(self, session: Stream, accepted: Accepted) -> None:
        self._session = session
        self._site = session.site
        self._accepted = accepted
        self.receiver = store.receiver_for(accepted, session.site, session.address)
        self.interrupt = session.site.interrupts.new()
        self._stores = any(is_storage for _, _, is_storage in accepted.contexts.values())
        self._inbox: deque[Message] = deque()
        self._outbox: deque[Outgoing] = deque()
        self._unanswered: dict[int, Outgoing] = {}
        self._message_id = 0
        self._closed = False
        self._ended = 0
        self._current = -1
        self._cancelled = False
        self._poll = select.poll()
        self._poll.register(session.fileno(), select.POLLIN)

    async def run(self) -> None:
        """Until the association ends; the association knows it then."""
        try:
            await self._feed(self._session.take_rest())
            await self._run()
        finally:
            self._closed = True
            for outgoing in (*self._outbox, *self._unanswered.values()):
                outgoing.done.set()

    async def _run(self) -> None:
        while True:
            if self._inbox:
                await self._perform(*self._inbox.popleft())
            elif self._ended:
                return await self._finish()
            elif self._outbox and self.receiver.at_rest:
                await self._send_request(self._outbox.popleft())
            elif not await self._session.wait_readable():
                return await self._session.abort("idle for too long, or shutting down")
            else:
                await self._receive()

    async def send(self, data: bytes) -> None:
        await self._session.send(data)

    async def is_over(self, message_id: int) -> bool:
        """See ``exchange.Line``."""
        if not self._ended and not self._inbox and self._poll.poll(0):
            await self._receive()
        return bool(self._ended) or (self._cancelled and self._current == message_id)

    # -- for a service that sends on this association (``get.Bearer``) ----------------------------------------------

    @property
    def sendable(self) -> Mapping[tuple[str, str], int]:
        return self._accepted.sendable

    @property
    def pdu_bytes_max(self) -> int:
        """Of PDUs that we send."""
        ours = self._site.settings.pdu_bytes_sent_max
        return min(self._accepted.peer_pdu_bytes_max or ours, ours)

    @property
    def sending(self) -> trio.Lock:
        return self._session.sending

    def fileno(self) -> int:
        return self._session.fileno()

    async def settle(self) -> bool:
        """Receive until the peer is between two messages; False when the association ends."""
        while not self._ended and not self.receiver.at_rest:
            if not await self._session.wait_readable():
                raise Gone("half a message, and no more")
            await self._lease()
        return not self._ended

    async def hand_back(self, received: bytes) -> None:
        """What the service received and did not want."""
        if received:
            await self._feed(received)

    # -- for a service that asks the peer on this association (``reporting.Asker``) -------------------------------

    def syntax_of(self, context_id: int) -> str:
        return self._accepted.contexts[context_id][1]

    async def request(self, context_id: int, command: Callable[[int], bytes], dataset: bytes) -> int:
        """A request made of a message ID, sent when nothing else is done; the status of its answer. Raises Gone."""
        outgoing = Outgoing(context_id, command, dataset)
        if not self._closed:
            self._outbox.append(outgoing)
            self._session.nudge()
            try:
                await outgoing.done.wait()
            finally:
                self._unanswered.pop(outgoing.message_id, None)
                with contextlib.suppress(ValueError):
                    self._outbox.remove(outgoing)
        if outgoing.status is None:
            raise Gone("the association ended before the answer")
        return outgoing.status

    async def _send_request(self, outgoing: Outgoing) -> None:
        self._message_id = self._message_id % 0xFFFF + 1
        outgoing.message_id = self._message_id
        self._unanswered[outgoing.message_id] = outgoing
        command = outgoing.command(self._message_id)
        message = pdu.encode_message(outgoing.context_id, command, outgoing.dataset, self.pdu_bytes_max)
        await self._session.send(message)

    def _receive_answer(self, command: commands.Command) -> None:
        outgoing = self._unanswered.pop(command.message_id, None)
        if outgoing is not None:
            outgoing.status = command.status
            outgoing.done.set()

    # -- inside ------------------------------------------------------------------------------------------------------

    async def _receive(self) -> None:
        """In a leased thread where stores may come: they wait for the disk. Questions are short, and are read here."""
        if self._stores:
            await self._lease()
            return
        received = self._session.receive_at_once()
        if received:
            await self._feed(received)
        elif received is not None:  # else we were nudged
            self._ended = wire.EVENT_EOF

    async def _lease(self) -> None:
        event = wire.EVENT_NEED
        while event == wire.EVENT_NEED:
            event = await self._site.leases.run(self.receiver, self._session.fileno(), self.interrupt)
            self._log_refusals()
        if event == wire.EVENT_CANCEL:
            self.interrupt.clear()
        await self._take(event)

    async def _feed(self, data: bytes) -> None:
        event = self.receiver.feed(data)
        self._log_refusals()
        await self._send_output()
        await self._take(event)

    def _log_refusals(self) -> None:
        store.log_refusals(self.receiver, self._session.number, self._accepted.calling_ae_title)

    async def _take(self, event: int) -> None:
        """Messages into the inbox, until the receiver has no more; C-CANCEL takes effect at once."""
        while event == wire.EVENT_MESSAGE:
            context_id, command_bytes, identifier = self.receiver.take_message()
            try:
                command = commands.parse(command_bytes)
            except ValueError as error:
                await self._session.end(Event.INVALID_PDU)
                raise Gone(str(error)) from error
            if command.field == commands.Field.C_CANCEL_RQ:
                self._cancelled = self._cancelled or command.message_id == self._current
            elif command.is_response:
                self._receive_answer(command)
            else:
                self._inbox.append((context_id, command, identifier or b""))
            if len(self._inbox) > AHEAD_MAX:
                await self._session.end(Event.INVALID_PDU)
                raise Gone("more requests at once than the asynchronous window allows")
            event = self.receiver.feed(b"")
            await self._send_output()
        if event not in (wire.EVENT_NEED, wire.EVENT_IDLE, wire.EVENT_CANCEL):
            self._ended = event

    async def _send_output(self) -> None:
        output = self.receiver.take_output()
        if output:
            await self._session.send(output)

    async def _perform(self, context_id: int, command: commands.Command, identifier: bytes) -> None:
        abstract, transfer, _ = self._accepted.contexts[context_id]
        exchange = Exchange(
            self,
            command,
            context_id,
            transfer,
            identifier,
            calling_ae_title=self._accepted.calling_ae_title,
            pdu_bytes_max=self.pdu_bytes_max,
            send_bytes=self._site.settings.find_send_bytes,
        )
        agreed = self._accepted.options.get(abstract, extended.Options())
        self._current, self._cancelled = command.message_id, False
        if command.sop_class_uid != abstract:
            exchange.refuse(Status.NO_SUCH_SOP_CLASS, "the SOP class is not that of the presentation context")
        elif command.field == commands.Field.C_FIND_RQ and abstract in classes.FIND:
            await find.answer(exchange, self._site, agreed)
        elif command.field == commands.Field.C_MOVE_RQ and abstract in classes.MOVE:
            await retrieve.answer(exchange, self._site, agreed)
        elif command.field == commands.Field.C_GET_RQ and abstract in classes.GET:
            await get.answer(exchange, self._site, agreed, self)
        elif command.field == commands.Field.N_ACTION_RQ and abstract == classes.COMMITMENT:
            await commitment.answer(exchange, self._site, self)
        elif command.field == commands.Field.C_ECHO_RQ:
            exchange.respond(Status.SUCCESS)
        else:
            exchange.refuse(Status.UNRECOGNISED_OPERATION, "not an operation of this presentation context")
        await exchange.flush()
        self._current = -1

    async def _finish(self) -> None:
        match self._ended:
            case wire.EVENT_RELEASE:
                await self._session.end(Event.RELEASE_RQ_PDU)
                if self.receiver.feed(b"") == wire.EVENT_ABORT:  # read together: who sent both waits for our close
                    await self._session.end(Event.ABORT_PDU)
            case wire.EVENT_ABORT:
                await self._session.end(Event.ABORT_PDU)
            case wire.EVENT_EOF:
                await self._session.end(Event.CLOSED)
            case wire.EVENT_RELEASED:
                await self._session.end(Event.RELEASE_RP_PDU)
            case _:
                extra = {"association": self._session.number, "calling": self._accepted.calling_ae_title}
                log.warning("protocol error", extra={**extra, "why": self.receiver.reason})
                await self._session.end(Event.INVALID_PDU)
