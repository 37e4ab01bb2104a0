"""Connections: hypercorn's HTTP/1.1 with our bounds. The only module that knows hypercorn.

Ours are the waits (a head has its time however its bytes dribble in; a reader must take a piece in time), the refusal
of bare line feeds, an answer's head and first piece in one send, and no task for what a deadline does.
"""

import logging
from collections.abc import Iterator, Sequence
from functools import partial
from math import inf
from typing import Any, Final

import h11
import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.trio.task_group import TaskGroup
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState, LifespanState
from hypercorn.utils import parse_socket_addr

from protocols.security import shake
from protocols.web.asgi import Application
from protocols.web.door import said_of
from protocols.web.messages import Chunk
from protocols.web.pouring import Pouring
from protocols.web.problems import Disconnected
from protocols.web.settings import WebSettings

log = logging.getLogger("filmroom.web")

RECEIVED_BYTES_MAX: Final = 256 << 10
SENT_BYTES_MAX: Final = 256 << 10  # what a reader must take in ``send_idle_seconds_max``
JOINED_BYTES_MAX: Final = 32 << 10  # a larger first piece is not copied to go with its head
REQUESTS_MAX: Final = 1 << 30  # of one connection: as many as it likes


async def serve_connections(
    application: Application,
    listeners: Sequence[trio.abc.Listener[Any]],
    settings: WebSettings,
    *,
    shutdown: trio.Event,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until shutdown; then idle connections end at once, others when they are done or their time is over."""
    config = Config()
    config.accesslog = config.errorlog = None
    config.include_server_header = False
    config.h11_max_incomplete_size = settings.head_bytes_max
    config.keep_alive_max_requests = REQUESTS_MAX
    config.max_app_queue_size = 2  # pieces of a body that wait for its handler
    context, served = WorkerContext(None), ASGIWrapper(application)
    there: set[_Connection] = set()
    pourers = trio.CapacityLimiter(settings.reader_threads_count_max)

    async def serve_one(stream: Any) -> None:
        if len(there) >= settings.connections_count_max:
            await trio.aclose_forcefully(stream)
            return
        connection = _Connection(served, config, context, LifespanState(), stream, settings, pourers)
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
        await context.terminated.set()
        for connection in there:
            connection.rest()
        connections.cancel_scope.deadline = trio.current_time() + settings.shutdown_seconds


class _Connection(TCPServer):
    """One client's connection."""

    def __init__(
        self,
        app: Any,
        config: Config,
        context: WorkerContext,
        state: LifespanState,
        stream: Any,
        settings: WebSettings,
        pourers: trio.CapacityLimiter,
    ) -> None:
        super().__init__(app, config, context, state, stream)
        self._settings = settings
        self._pourers = pourers
        self._is_idle = True
        self._reading = trio.CancelScope()

    async def run(self) -> None:
        """From the handshake, if there is one, to the end."""
        is_tls = isinstance(self.stream, trio.SSLStream)
        try:
            if is_tls:
                await shake(self.stream, self._settings.head_seconds_max, "HTTP")
            socket = (self.stream.transport_stream if is_tls else self.stream).socket
            here, there = socket.getsockname(), socket.getpeername()
            async with TaskGroup() as group:
                self._task_group = group
                self.protocol = _Protocol(  # type: ignore[assignment]
                    self.app,
                    self.config,
                    self.context,
                    group,
                    ConnectionState(self.state if is_tls else {**self.state, "pour": self.pour}),
                    is_tls,
                    parse_socket_addr(socket.family, there),
                    parse_socket_addr(socket.family, here),
                    self.protocol_send,
                )
                await self._read_data()
        except (OSError, trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError):
            return
        finally:
            with trio.move_on_after(1.0, shield=True):
                await self._close()

    def rest(self) -> None:
        """The node ends: close if nothing is in hand."""
        if self._is_idle:
            self._reading.cancel()

    async def protocol_send(self, event: Event) -> None:
        """What the protocol has for the client, or says of itself."""
        if isinstance(event, RawData):
            async with self.send_lock:
                await self._send(event.data)
        elif isinstance(event, Closed):
            await self._close()
            await self.protocol.handle(Closed())
        elif isinstance(event, Updated):
            self._is_idle = event.idle
            self._reading.deadline = self._deadline()
            if event.idle and self.context.terminated.is_set():
                self._reading.cancel()

    async def pour(self, pieces: Iterator[Chunk]) -> None:
        """Send what a blocking iterator makes, by one thread; what goes wrong on the way closes the connection."""
        protocol: Any = self.protocol
        async with self.send_lock:
            try:
                pouring = Pouring(self.stream.socket.fileno(), protocol.take_head(), pieces)
                while not await trio.to_thread.run_sync(pouring.work, limiter=self._pourers):
                    with trio.fail_after(self._settings.send_idle_seconds_max):
                        await trio.lowlevel.wait_writable(self.stream.socket)
                protocol.note_poured(pouring.count)
            except BaseException as error:
                await trio.aclose_forcefully(self.stream)
                if isinstance(error, OSError | trio.TooSlowError | trio.ClosedResourceError):
                    raise Disconnected from error
                raise

    async def _send(self, data: bytes) -> None:
        try:
            for at in range(0, len(data), SENT_BYTES_MAX):
                piece = data if len(data) <= SENT_BYTES_MAX else memoryview(data)[at : at + SENT_BYTES_MAX]
                with trio.fail_after(self._settings.send_idle_seconds_max):
                    await self.stream.send_all(piece)
        except (trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError):
            await trio.aclose_forcefully(self.stream)
            await self.protocol.handle(Closed())

    async def _read_data(self) -> None:
        self._reading.deadline = self._deadline()
        while True:
            data: bytes | bytearray = b""
            with self._reading:
                try:
                    data = await self.stream.receive_some(RECEIVED_BYTES_MAX)
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    break
            if not data:
                break
            # bytes of a head do not put off its deadline
            self._reading = trio.CancelScope(deadline=self._reading.deadline)
            await self.protocol.handle(RawData(bytes(data)))
        await self.protocol.handle(Closed())
        if self._is_idle:
            await trio.aclose_forcefully(self.stream)

    def _deadline(self) -> float:
        return trio.current_time() + self._settings.head_seconds_max if self._is_idle else inf


class _Counted:
    """Bytes that are counted only."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count


class _Protocol(H11Protocol):
    """HTTP/1.1 and nothing else."""

    _held = b""  # the head of an answer, until its first piece
    _last = b""  # the last byte received

    async def handle(self, event: Event) -> None:
        """Bytes, or the end. A line feed alone ends no line (H53): what else reads it so, reads another request."""
        if isinstance(event, RawData) and self.connection.their_state is h11.IDLE and self._has_bare_feed(event.data):
            await self._send_error_response(400)
            await self.send(Closed())
            return
        await super().handle(event)

    async def _check_protocol(self, event: h11.Request) -> None:
        """No other protocol is spoken on this connection (H66)."""

    async def _send_h11_event(self, event: Any) -> None:
        try:
            data = self.connection.send(event) or b""
        except h11.LocalProtocolError:
            if self.connection.their_state is not h11.ERROR:
                raise
            return
        if isinstance(event, h11.Response):
            self._held = data
            return
        held = self.take_head()
        if held and len(data) > JOINED_BYTES_MAX:
            await self.send(RawData(held))
            held = b""
        if held or data:
            await self.send(RawData(held + data if held else data))

    def take_head(self) -> bytes:
        """The head that waits for its first piece, if it does."""
        held, self._held = self._held, b""
        return held

    def note_poured(self, count: int) -> None:
        """So many bytes of the body went past h11. Raises LocalProtocolError for more than were said."""
        connection: Any = self.connection
        connection.send_with_data_passthrough(h11.Data(data=_Counted(count)))  # type: ignore[arg-type]

    def _has_bare_feed(self, data: bytes) -> bool:
        end = data.find(b"\r\n\r\n")
        head = data if end < 0 else data[: end + 4]
        split = self._last == b"\r" and head.startswith(b"\n")
        self._last = head[-1:]
        return head.count(b"\n") != head.count(b"\r\n") + split
