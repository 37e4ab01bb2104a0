"""What the table of routes does not name goes to an ASGI application, served by hypercorn, which only this module
knows: it makes the scope, runs the application and checks what it says. The wire is ours (see ``connection``)."""

from collections.abc import AsyncGenerator
from typing import Any

import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.protocol.events import Body, EndBody, Event, Request, Response
from hypercorn.protocol.http_stream import HTTPStream
from hypercorn.trio.task_group import TaskGroup
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState

from native.http1 import Head
from protocols.web.exchange import Line
from protocols.web.messages import Headers, Reply
from protocols.web.problems import Disconnected

STREAM_ID = 1
# Said by the connection for itself.
OF_THE_CONNECTION = frozenset({"connection", "keep-alive", "transfer-encoding"})


class Pages:
    """An application behind connections of ours."""

    def __init__(self, application: Any) -> None:
        self._application = ASGIWrapper(application)
        self._config = Config()
        self._config.accesslog = self._config.errorlog = None
        self._context = WorkerContext(None)

    async def __call__(self, head: Head, line: Line) -> None:
        """One exchange. Raises Disconnected."""
        said, coming = trio.open_memory_channel[Event](0)
        with trio.CancelScope() as scope:
            async with TaskGroup() as group:
                stream = HTTPStream(
                    self._application,
                    self._config,
                    self._context,
                    group,
                    line.scheme == "https",
                    line.peer,
                    line.server,
                    said.send,
                    STREAM_ID,
                )
                await stream.handle(_request(head))
                group.spawn(_feed, stream, head, line)
                event = await coming.receive()
                if not isinstance(event, Response):
                    raise Disconnected
                await line.answer(head, Reply(event.status_code, _headers(event), _body(coming)))
                scope.cancel()


def _request(head: Head) -> Request:
    target = head.path.encode("ascii")
    return Request(
        stream_id=STREAM_ID,
        headers=[(name.encode("latin-1"), value.encode("latin-1")) for name, value in head.headers.items()],
        http_version=f"1.{head.minor}",
        method=head.method,
        raw_path=target + b"?" + head.query if head.query else target,
        state=ConnectionState({}),
    )


async def _feed(stream: HTTPStream, head: Head, line: Line) -> None:
    if head.length:
        body = line.body()
        body.bytes_max = 1 << 62  # the application has a bound of its own
        async for piece in body:
            await stream.handle(Body(stream_id=STREAM_ID, data=piece))
    await stream.handle(EndBody(stream_id=STREAM_ID))


def _headers(event: Response) -> Headers:
    pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in event.headers]
    return tuple(pair for pair in pairs if pair[0].lower() not in OF_THE_CONNECTION)


async def _body(coming: "trio.MemoryReceiveChannel[Event]") -> AsyncGenerator[bytes, None]:
    async for event in coming:
        if not isinstance(event, Body):
            return
        yield event.data
