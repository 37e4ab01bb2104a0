"""An association of our own, to a configured peer (C-ECHO and C-STORE as SCU)."""

import logging
import math
import os
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from functools import partial
from ipaddress import ip_address

import trio

from engine.errors import Invalid
from engine.ports import Peer
from native import pdu, wire
from protocols.dimse import classes, commands, secure
from protocols.dimse.association import Aborted, Association, Data, Established, Happened, Refused
from protocols.dimse.leases import Interrupts
from protocols.dimse.negotiation import granted, propose
from protocols.dimse.settings import DimseSettings
from protocols.dimse.transitions import State
from protocols.security import client_context, reason_of

log = logging.getLogger("filmroom.dimse")

RECEIVE_BYTES = 65_536

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


class NotAssociated(Exception):
    """The peer cannot be reached, refuses us, or went away; ``str`` is one sentence for the log."""


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

    async def negotiate(self, request: pdu.AssociateRequest) -> None:
        """Raises NotAssociated."""
        self._association.connected(trio.current_time())
        self._association.request(request, trio.current_time())
        await self._flush()
        while True:
            for happened in await self._receive():
                match happened:
                    case Established(answer):
                        self.accepted = granted(request, answer)
                        ours = self._settings.pdu_bytes_sent_max
                        self._peer_pdu_bytes_max = min(answer.user.pdu_bytes_max or ours, ours)
                        self._window = _granted_window(request.user, answer.user)
                        return
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
        if self._sender is None:
            self._sender = wire.Sender(pdu_bytes_max=self._peer_pdu_bytes_max, window=self._window)
        send = partial(
            self._sender.store,
            self._socket.fileno(),
            self._interrupt.fd,
            originator=originator,
            timeout_ms=int(self._settings.store_seconds * 1000),
            patience_ms=int(self._settings.move_turn_seconds * 1000),
        )
        statuses: list[int] = await trio.to_thread.run_sync(partial(send, seals=seals), jobs, limiter=limiter)
        deadline = trio.current_time() + self._settings.store_seconds
        while self._sender.unanswered and not self._sender.reason:
            done, open_count = len(statuses), self._sender.unanswered
            resume = partial(send, seals=seals[done:], resume=open_count)
            # nothing new goes out: once these are answered, others have their turn
            more: list[int] = await trio.to_thread.run_sync(resume, jobs[done : done + open_count], limiter=limiter)
            if more:
                deadline = trio.current_time() + self._settings.store_seconds
            elif trio.current_time() > deadline:
                self.fail("no answer in time")
                break
            statuses += more
        self.lost = self.lost or self._sender.reason
        return statuses

    async def finish(self) -> None:
        """Release in order if there is still something to release, abort otherwise, and close."""
        if self.lost:
            self._abort_now()
        with trio.CancelScope(shield=True), trio.move_on_after(self._settings.answer_seconds):
            try:
                if self._association.state is State.ESTABLISHED:
                    self._association.release(trio.current_time())
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
        output = self._association.take_output()
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
        view = memoryview(self._association.take_output())
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
) -> AsyncIterator[Requestor]:
    """An association, a context for each (SOP class, transfer syntax); released at the end. Raises NotAssociated.

    ``window`` and ``roles``: see ``negotiation.propose``.
    """
    association = Association(
        requestor=True, artim_seconds=settings.artim_seconds, pdu_bytes_max=settings.pdu_bytes_max
    )
    async with _connected(peer, settings) as socket:
        requestor = Requestor(socket, association, settings, interrupts)
        try:
            ours, theirs = settings.ae_title, peer.ae_title
            request = propose(ours, theirs, list(pairs), settings.pdu_bytes_max, window=window, roles=roles)
            await requestor.negotiate(request)
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


@asynccontextmanager
async def _connected(peer: Peer, settings: DimseSettings) -> AsyncIterator[trio.socket.SocketType]:
    """Its user closes the socket. Raises NotAssociated."""
    stream = await _connect(peer, settings)
    if not peer.tls:
        yield stream.socket
        return
    try:
        context = client_context(peer.tls_ca, settings.tls_certificate, settings.tls_key)
        outer = secure.wrapped(stream, context, server_side=False, name=peer.tls_name or peer.host)
    except (Invalid, OSError, ValueError) as error:
        stream.socket.close()
        raise NotAssociated(f"TLS: {error}") from error
    with closing(outer):
        try:
            await secure.shake(outer, settings.connect_seconds)
        except (OSError, trio.TooSlowError) as error:
            raise NotAssociated(f"TLS: {reason_of(error)}") from error
        async with secure.opened(outer) as inner:
            yield inner


async def _connect(peer: Peer, settings: DimseSettings) -> trio.SocketStream:
    try:
        with trio.fail_after(settings.connect_seconds):
            return await _stream_to(peer.host, peer.port)
    except trio.TooSlowError as error:
        raise NotAssociated("the peer does not answer the connection") from error
    except OSError as error:
        raise NotAssociated("the peer cannot be reached") from error


async def _stream_to(host: str, port: int) -> trio.SocketStream:
    """An address is connected to as it is; a name's addresses are tried side by side, which costs more."""
    try:
        family = trio.socket.AF_INET6 if ip_address(host).version == 6 else trio.socket.AF_INET
    except ValueError:
        return await trio.open_tcp_stream(host, port)
    socket = trio.socket.socket(family)
    try:
        await socket.connect((host, port))
    except BaseException:
        socket.close()
        raise
    return trio.SocketStream(socket)
