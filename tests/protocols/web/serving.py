"""A served archive in memory, over a real socket."""

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import h11
import httpx
import trio

import engine
from protocols.web import Health, WebSettings
from protocols.web.app import serve
from protocols.web.door import Guard
from protocols.web.ports import Archive
from protocols.web.routing import Route


class Served:
    """What a test sees of it. ``client`` has the root of our DICOMweb services as its base."""

    def __init__(self, archive: Any, port: int, client: httpx.AsyncClient, shutdown: trio.Event) -> None:
        self.archive = archive
        self.port = port
        self.client = client
        self.shutdown = shutdown

    async def connect(self) -> trio.SocketStream:
        """A bare connection."""
        return await trio.open_tcp_stream("127.0.0.1", self.port)

    async def raw(self, sent: bytes) -> bytes:
        """Everything that the server answers to these bytes, until it closes; empty when it closes before they are sent
        (its answer is lost then: the kernel resets a connection with bytes that nobody read)."""
        stream = await self.connect()
        answer = b""
        async with stream:
            try:
                await stream.send_all(sent)
                async for piece in stream:
                    answer += piece
            except trio.BrokenResourceError:
                return answer
        return answer


Check = Callable[[Served], Awaitable[None]]


async def serving_in(
    check: Check,
    archive: Archive,
    settings: WebSettings | None = None,
    routes: tuple[Route, ...] | None = None,
    guard: Guard | None = None,
    household: Any = None,
) -> None:
    """Serve ``archive``, run ``check``, end in order."""
    shutdown = trio.Event()
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]
    extra: dict[str, Any] = {"guard": guard, "household": household} | ({} if routes is None else {"routes": routes})
    async with trio.open_nursery() as nursery:
        await nursery.start(
            partial(serve, [listener], Health(), archive, settings or WebSettings(), shutdown=shutdown, **extra)
        )
        base = f"http://127.0.0.1:{port}/dicomweb"
        async with httpx.AsyncClient(base_url=base, timeout=30, trust_env=False) as client:
            try:
                await check(Served(archive, port, client, shutdown))
            finally:
                shutdown.set()


def serving(check: Check, *files: bytes | Path, seconds: float = 60, **how: Any) -> None:
    """The same in a loop of its own, with an archive in memory that holds these files."""

    async def work() -> None:
        with trio.fail_after(seconds):
            async with engine.open("memory://") as archive:
                for file in files:
                    await archive.store(file)
                await serving_in(check, archive, **how)

    trio.run(work)


async def events(stream: trio.SocketStream) -> AsyncIterator[Any]:
    """What a server says on a connection on which a GET was sent, event by event."""
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
    connection.send(h11.EndOfMessage())
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await stream.receive_some(65536))
        else:
            yield event
