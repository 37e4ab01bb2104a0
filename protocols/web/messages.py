"""Requests and replies as handlers see them. Nothing here knows a server or a framework."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import Final, Protocol

import msgspec
import trio

from engine.model import FileRange
from protocols.web.patience import Patience
from protocols.web.problems import Problem, late

Chunk = bytes | bytearray | memoryview
Headers = tuple[tuple[str, str], ...]


class Lent(Protocol):
    """The socket of a body, lent to who reads it in a thread. It does not block, and nobody else reads it or looks
    whether the client is still there until ``give_back``.

    ``patience``: for its client. ``received``: what came behind the head already, of this body and perhaps of the next
    request. ``length``: what the body has in all; -1: it comes in chunks, with their framing.
    """

    fileno: int
    patience: Patience
    received: bytes
    length: int

    def give_back(self, rest: bytes, is_whole: bool) -> None:
        """``rest``: what was read beyond the body. Of a body that was not read whole nothing is read on: the connection
        ends behind the answer."""


class Body:
    """The body of a request, piece by piece, within ``bytes_max``; who sends next to nothing is given up (H49, H63)."""

    def __init__(
        self,
        receive: Callable[[], Awaitable[bytes]],
        patience: Patience,
        lend: Callable[[Patience], Awaitable[Lent | None]] | None = None,
    ) -> None:
        """``receive`` gives the next piece, empty at the end; raises Disconnected."""
        self.bytes_max = 0
        self.is_read = False  # to its end
        self._receive = receive
        self._patience = patience
        self._lend = lend
        self._count = 0

    async def lend(self) -> Lent | None:
        """The socket, to read the body from it oneself; None where there is no bare one, or some of the body was read:
        then it comes in pieces. Who took it bounds what is read, and how long he waits, by himself."""
        if self._lend is None or self._count or self.is_read:
            return None
        return await self._lend(self._patience)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        """Raises Problem (408, 413), Disconnected."""
        if self.is_read:
            raise StopAsyncIteration
        try:
            with self._patience.waiting():
                piece = await self._receive()
        except trio.TooSlowError:
            raise late() from None
        if not piece:
            self.is_read = True
            raise StopAsyncIteration
        self._patience.came(len(piece))
        self._count += len(piece)
        if self._count > self.bytes_max:
            raise Problem(413, f"the body is larger than {self.bytes_max} bytes")
        return piece

    async def read(self) -> bytes:
        """All of it."""
        return b"".join([piece async for piece in self])


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One request.

    ``path``: as it came. ``parameters``: of it, by name. ``query``: name and value, in order, percent-decoded.
    ``headers``: by lower-case name; a field sent several times is one list. ``server``: host and port that the
    connection came to; ``peer``: the address it came from.
    """

    method: str
    path: str
    body: Body
    parameters: Mapping[str, str] = {}
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = {}
    scheme: str = "http"
    server: tuple[str, int] = ("127.0.0.1", 80)
    peer: str = ""

    def header(self, name: str) -> str:
        """A header by its lower-case name; empty when it is absent."""
        return self.headers.get(name, "")

    def values(self, name: str) -> list[str]:
        """Every value of a query parameter."""
        return [value for key, value in self.query if key == name]

    def accepts(self) -> list[str]:
        """What the client takes: the ``accept`` of the query instead of the header (PS3.18 8.3.3.1)."""
        return [value for key, value in self.query if key == "accept"] or [self.headers.get("accept", "")]


class Whole(msgspec.Struct, frozen=True):
    """A stored object as it is: a file whose XXH3-128 is ``key``, with the preamble that it came with, if it did. Who
    sends it checks it on the way."""

    source: FileRange
    key: bytes
    preamble: bytes = b""


class Stretch(msgspec.Struct, frozen=True):
    """Pieces that a blocking iterator makes. One thread takes them from file to socket where it can: half the cost."""

    pieces: Iterator[Chunk | Whole]


class Conversation(ABC):
    """What is said on a connection that becomes a WebSocket: messages of ours, until we or the client end it."""

    FAREWELL: Final = (1001, "the node ends")  # code and reason of the end (RFC 6455 7.4)

    def __init__(self) -> None:
        self.lost = trio.Event()  # more waits than is kept: the client is too slow

    @abstractmethod
    async def next(self) -> str | None:
        """The next message; None: there are no more."""

    @abstractmethod
    def rest(self) -> None:
        """The node ends: what is still to be said, and no more."""

    @abstractmethod
    def close(self) -> None:
        """The connection has ended, however it did."""


class Reply(msgspec.Struct, frozen=True):
    """One answer. ``body``: all of it, or an async generator of pieces, which is closed however the exchange ends: what
    it holds it opens itself, what can be refused is refused before it is made. Of an answer 101: what follows it."""

    status: int = 200
    headers: Headers = ()
    body: bytes | AsyncIterator[Chunk | Stretch] | Conversation = b""

    def header(self, name: str) -> str:
        """A header by its name; empty when it is absent."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")
