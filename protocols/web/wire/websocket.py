"""A connection that became a WebSocket (RFC 6455): messages go out as text, what comes is heard and not kept.

``wsproto`` has the frames: bytes in, bytes out. Everything here waits with a bound: a client must take what is sent,
and answer a ping. Who breaks the protocol, or says more in one message than we hear, is told so.
"""

from contextlib import suppress
from typing import Final

import trio
from wsproto.connection import Connection as Frames
from wsproto.connection import ConnectionState, ConnectionType
from wsproto.events import CloseConnection, Event, Message, Ping, TextMessage
from wsproto.utilities import LocalProtocolError

from native.http1 import Incoming
from protocols.web.messages import Conversation
from protocols.web.patience import Patience
from protocols.web.settings import WebSettings
from protocols.web.wire.wires import GONE, Wire

TOO_LARGE: Final = 1009
TRY_AGAIN: Final = 1013
CLOSE_SECONDS: Final = 2.0  # for the client's half of the closing handshake
SILENT_PINGS_COUNT: Final = 2  # and not a word: nobody is there


class WebSocket:
    """One client's, from the answer to its handshake on."""

    def __init__(self, wire: Wire, incoming: Incoming, patience: Patience, settings: WebSettings) -> None:
        self._wire = wire
        self._incoming = incoming
        self._patience = patience
        self._settings = settings
        self._frames = Frames(ConnectionType.SERVER)
        self._scope = trio.CancelScope()
        self._sending = trio.Lock()
        self._heard_at = trio.current_time()
        self._message_bytes = 0

    async def converse(self, conversation: Conversation) -> None:
        """Until it is over, is lost, or the client ends it or goes."""
        with self._scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._listen)
                nursery.start_soon(self._ask)
                nursery.start_soon(self._give_up, conversation)
                while (message := await conversation.next()) is not None:
                    await self._send(TextMessage(message))
                await self._send(CloseConnection(*conversation.FAREWELL))
                await trio.sleep(CLOSE_SECONDS)  # ends when the client has closed, too
                self._scope.cancel()

    async def _listen(self) -> None:
        """What the client says is only heard: that it is there, and that it ends."""
        with suppress(*GONE):
            is_there = True
            while is_there:
                data = self._incoming.lend()
                if data:
                    self._heard_at = trio.current_time()
                    self._frames.receive_data(data)
                for event in self._frames.events():
                    is_there = is_there and await self._answer(event)
                is_there = is_there and await self._wire.receive(self._incoming)
        self._scope.cancel()

    async def _answer(self, event: Event) -> bool:
        """False: the conversation has ended."""
        if isinstance(event, Ping):
            await self._send(event.response())
        elif isinstance(event, Message):
            self._message_bytes += len(event.data)
            if self._message_bytes > self._settings.websocket_message_bytes_max:
                await self._send(CloseConnection(TOO_LARGE, "too much was said at once"))
                return False
            if event.message_finished:
                self._message_bytes = 0
        elif isinstance(event, CloseConnection):
            if self._frames.state is not ConnectionState.CLOSED:
                await self._send(event.response())
            return False
        return True

    async def _ask(self) -> None:
        """Whether the client is still there."""
        seconds = self._settings.websocket_ping_seconds
        while trio.current_time() - self._heard_at <= SILENT_PINGS_COUNT * seconds:
            await self._send(Ping())
            await trio.sleep(seconds)
        self._scope.cancel()

    async def _give_up(self, conversation: Conversation) -> None:
        """A client that takes next to nothing is told once more, if it takes that."""
        await conversation.lost.wait()
        with trio.move_on_after(CLOSE_SECONDS):
            await self._send(CloseConnection(TRY_AGAIN, "too much waits: look, and connect again"))
        self._scope.cancel()

    async def _send(self, event: Event) -> None:
        try:
            async with self._sending:
                with suppress(LocalProtocolError):  # it is closing: nothing more is said
                    await self._wire.send([self._frames.send(event)], self._patience)
        except GONE:
            self._scope.cancel()
            await trio.lowlevel.checkpoint()
