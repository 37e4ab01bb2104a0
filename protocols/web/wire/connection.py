"""Connections: HTTP/1.1 over sockets and TLS, one request after the other on each (RFC 9112).

Every wait has a bound: a head has its time however its bytes dribble in, a body and a reader must go on. One task
serves a connection; only while a long answer is sent does a second one watch whether its client is still there.
"""

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial
from typing import Any, Final

import trio

from engine.clock import Clock
from native.http1 import Head, Incoming, Refused
from protocols.security import shake
from protocols.web.door import reply_of, said_of
from protocols.web.messages import Body, Chunk, Conversation, Headers, Lent, Reply, Stretch
from protocols.web.patience import Patience
from protocols.web.problems import Disconnected, Problem, busy
from protocols.web.wire.answer_head import CHUNKED, CLOSE, CONTINUE, KEEP, WITHOUT_BODY, Dates, head_of
from protocols.web.wire.answering import Answering
from protocols.web.wire.crowd import SHORT_HEAD_BYTES, Goodbyes, HeadRoom, Share
from protocols.web.wire.exchange import Exchanges
from protocols.web.wire.websocket import WebSocket
from protocols.web.wire.wires import GONE, Plain, Secure, Wire

log = logging.getLogger("filmroom.web")

# Behind an answer to what was not read to its end: a connection that is closed with bytes unread takes the answer away.
LINGER_SECONDS: Final = 2.0
PIPELINED_BYTES_MAX: Final = SHORT_HEAD_BYTES  # of requests that wait while a long answer is sent


async def serve_connections(
    exchanges: Exchanges,
    listeners: Sequence[trio.abc.Listener[Any]],
    *,
    shutdown: trio.Event,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until shutdown; then idle connections end at once, others when they are done or their time is over."""
    settings = exchanges.settings
    there: set[Connection] = set()
    threads = trio.CapacityLimiter(settings.reader_threads_count_max)
    dates, goodbyes, heads = Dates(Clock()), Goodbyes(), HeadRoom(settings.long_heads_bytes_max)

    async def serve_one(stream: Any) -> None:
        if len(there) >= settings.connections_count_max:
            await goodbyes.say(stream, dates.now())
            return
        connection = Connection(exchanges, stream, threads, dates, heads.share())
        there.add(connection)
        try:
            await connection.run()
        except Exception as error:  # noqa: BLE001 - what goes wrong on one connection ends that one
            log.error("connection failed", extra=said_of(error))
        finally:
            there.discard(connection)

    async with trio.open_nursery() as connections:
        async with trio.open_nursery() as accepting:
            accepting.start_soon(partial(trio.serve_listeners, serve_one, list(listeners), handler_nursery=connections))
            task_status.started()
            await shutdown.wait()
            accepting.cancel_scope.cancel()
        for connection in there:
            connection.rest()
        connections.cancel_scope.deadline = trio.current_time() + settings.shutdown_seconds


class Connection:
    """One client's."""

    def __init__(
        self, exchanges: Exchanges, stream: Any, threads: trio.CapacityLimiter, dates: Dates, share: Share
    ) -> None:
        """``share``: of the room for long heads."""
        self._share = share
        self._exchanges = exchanges
        self._settings = exchanges.settings
        self._dates = dates
        self._stream = stream
        self._is_secure = isinstance(stream, trio.SSLStream)
        self._wire: Wire = Secure(stream) if self._is_secure else Plain(stream, threads)
        self._incoming = Incoming(self._settings.head_bytes_max, self._settings.headers_count_max)
        self._awaiting_head: trio.CancelScope | None = None
        self._conversation: Conversation | None = None
        self._is_continue_due = False
        self._body_length = 0
        self._is_staying = True
        self._is_resting = False
        self.scheme = "https" if self._is_secure else "http"
        self.server, self.peer = ("127.0.0.1", 80), ("", 0)

    async def run(self) -> None:
        """From the handshake, if there is one, to the end."""
        try:
            if self._is_secure:
                await shake(self._stream, self._settings.head_seconds_max, "HTTP")
            socket = (self._stream.transport_stream if self._is_secure else self._stream).socket
            self.server, self.peer = socket.getsockname()[:2], socket.getpeername()[:2]
            while self._is_staying and (head := await self._head()) is not None:
                self._is_continue_due, self._body_length = head.is_expecting, head.length
                await self._exchanges.serve(head, self)
                self._share.give_back()
            if self._incoming.held_bytes or not self._incoming.is_body_whole:
                await self._linger()
        except (*GONE, Disconnected):
            return
        finally:
            self._share.give_back()
            with trio.move_on_after(1.0, shield=True), suppress(*GONE):
                await self._wire.close()

    def rest(self) -> None:
        """The node ends: close behind what is in hand."""
        self._is_staying, self._is_resting = False, True
        if self._awaiting_head is not None:
            self._awaiting_head.cancel()
        if self._conversation is not None:
            self._conversation.rest()

    # -- what comes --------------------------------------------------------------------------------------------------

    async def _head(self) -> Head | None:
        """The next request's; None at the end, and when its time is over."""
        try:
            if (head := self._incoming.head()) is not None:
                await trio.lowlevel.checkpoint()
                return head
            with trio.move_on_after(self._settings.head_seconds_max) as self._awaiting_head:
                while await self._wire.receive(self._incoming):
                    if (head := self._incoming.head()) is not None:
                        return head
                    if not self._share.hold(self._incoming.held_bytes):
                        await self._refuse(busy("too many long heads of requests at once", 1.0))
                        return None
        except Refused as refused:
            await self._refuse(Problem(refused.status, refused.sentence))
        finally:
            self._awaiting_head = None
        return None

    async def _refuse(self, problem: Problem) -> None:
        """Of what has come, nothing is read on."""
        self._is_staying = False
        await self._send_whole(reply_of(problem), problem.body(), None)

    def body(self) -> Body:
        """Of the request in hand."""
        return Body(self._piece, self._patience(self._settings.body_idle_seconds_max), self._lend)

    def _patience(self, seconds_max: float) -> Patience:
        return Patience(seconds_max, self._settings.client_bytes_a_second_min)

    def _reader(self) -> Patience:
        """Patience for who takes an answer."""
        return self._patience(self._settings.send_idle_seconds_max)

    async def _piece(self) -> bytes:
        try:
            await self._go_on()
            while (piece := self._incoming.body()) is None:
                if not await self._wire.receive(self._incoming):
                    raise Disconnected
        except Refused as refused:
            raise Problem(refused.status, refused.sentence) from None
        except GONE as error:
            raise Disconnected from error
        return piece

    async def _lend(self, patience: Patience) -> Lent | None:
        if self._wire.fileno < 0:
            return None
        await self._go_on()
        return _Lent(self._wire.fileno, patience, self._incoming, self._body_length)

    async def _go_on(self) -> None:
        if self._is_continue_due:
            self._is_continue_due = False
            await self._wire.send([CONTINUE], self._reader())

    async def until_gone(self, scope: trio.CancelScope) -> None:
        """Cancel the scope when the client has gone, or sends no more: what it waits for may never happen."""
        with suppress(*GONE):
            await self._until_silent()
        scope.cancel()

    async def _until_broken(self, scope: trio.CancelScope) -> None:
        """Cancel the scope when the connection breaks. Who sends no more may still read: sending to who does not,
        fails."""
        try:
            await self._until_silent()
        except GONE:
            scope.cancel()

    async def _until_silent(self) -> None:
        """What comes of a body that nobody reads is thrown away; requests that come meanwhile wait."""
        is_wanted = self._incoming.is_body_whole
        while await self._wire.receive(self._incoming):
            if not is_wanted:
                self._incoming.drop()
            elif self._incoming.held_bytes > PIPELINED_BYTES_MAX:
                await trio.sleep_forever()

    async def _linger(self) -> None:
        await self._wire.send_end()
        with trio.move_on_after(LINGER_SECONDS):
            while await self._wire.receive(self._incoming):
                self._incoming.drop()

    # -- what goes ---------------------------------------------------------------------------------------------------

    async def answer(self, head: Head, reply: Reply) -> None:
        """Send it, and settle whether the connection stays. Raises Disconnected."""
        self._is_staying = self._is_staying and head.is_keeping and self._incoming.is_body_whole
        try:
            if isinstance(reply.body, bytes):
                await self._send_whole(reply, reply.body, head)
            elif isinstance(reply.body, Conversation):
                await self._converse(reply, reply.body)
            else:
                await self._send_pieces(reply, reply.body, head)
        except GONE as error:
            raise Disconnected from error

    async def _converse(self, reply: Reply, conversation: Conversation) -> None:
        """The connection is a WebSocket from here to its end."""
        self._is_staying, self._conversation = False, conversation
        if self._is_resting:  # since the handshake
            conversation.rest()
        try:
            said = head_of(reply.status, reply.headers, (), self._dates.now())
            patience = self._reader()
            await self._wire.send([said], patience)
            await WebSocket(self._wire, self._incoming, patience, self._settings).converse(conversation)
            await self._linger()
        finally:
            conversation.close()

    async def _send_whole(self, reply: Reply, body: bytes, head: Head | None) -> None:
        length = () if reply.status in WITHOUT_BODY else (("Content-Length", str(len(body))),)
        said = head_of(reply.status, reply.headers, self._staying(head) + length, self._dates.now())
        is_alone = not (body and length) or (head is not None and head.method == "HEAD")
        await self._wire.send([said] if is_alone else [said, body], self._reader())

    async def _send_pieces(self, reply: Reply, body: AsyncIterator[Chunk | Stretch], head: Head) -> None:
        """Send the pieces while the client is watched."""
        length = reply.header("Content-Length")
        is_chunked = not length and head.minor > 0
        self._is_staying = self._is_staying and bool(length or is_chunked)
        framing = self._staying(head) + (CHUNKED if is_chunked else ())
        said = head_of(reply.status, reply.headers, framing, self._dates.now())
        patience, readers = self._reader(), self._exchanges.readers
        answering = Answering(
            self._wire, said, int(length) if length else None, patience, readers, is_chunked=is_chunked
        )
        async with AsyncExitStack() as closing:
            if (close := getattr(body, "aclose", None)) is not None:
                closing.push_async_callback(close)
            if head.method == "HEAD":
                await self._wire.send([said], patience)
                return
            is_whole = False
            async with trio.open_nursery() as nursery:
                sending = trio.CancelScope()
                nursery.start_soon(self._until_broken, sending)
                with sending, suppress(Disconnected):
                    async for piece in body:
                        await answering.give(piece)
                    await answering.end()
                    is_whole = True
                nursery.cancel_scope.cancel()
        if not is_whole:
            raise Disconnected

    def _staying(self, head: Head | None) -> Headers:
        """What an answer says of the connection."""
        if not self._is_staying:
            return CLOSE
        return () if head is None or head.minor else KEEP


class _Lent:
    """See ``messages.Lent``."""

    def __init__(self, fileno: int, patience: Patience, incoming: Incoming, length: int) -> None:
        self.fileno = fileno
        self.patience = patience
        self.length = length
        self.received = incoming.lend()
        self._incoming = incoming

    def give_back(self, rest: bytes, is_whole: bool) -> None:
        self._incoming.take_back(rest, is_whole)
