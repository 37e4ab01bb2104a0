"""What the table of routes does not name goes to an ASGI application, served by hypercorn, which only this module
knows: it makes the scope, runs the application and checks what it says. The wire is ours (see ``connection``)."""

from collections.abc import AsyncGenerator
from typing import Any, Final

import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.protocol.events import Body, EndBody, Event, Request, Response
from hypercorn.protocol.http_stream import HTTPStream
from hypercorn.trio.task_group import TaskGroup
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState

from native.http1 import Head
from protocols.web.messages import Reply
from protocols.web.problems import Disconnected
from protocols.web.wire.exchange import Line

STREAM_ID: Final = 1
AT_ONCE_BYTES_MAX: Final = 64 << 10
EVENTS_COUNT_MAX: Final = 4  # that wait to be sent: head, body and end of a small answer
# Said by the connection for itself.
OF_THE_CONNECTION: Final = frozenset({"connection", "keep-alive", "transfer-encoding"})


class Pages:
    """An application behind connections of ours."""

    def __init__(self, application: Any) -> None:
        self._application = ASGIWrapper(application)
        self._config = Config()
        self._config.accesslog = self._config.errorlog = None
        self._context = WorkerContext(None)

    async def __call__(self, head: Head, line: Line) -> None:
        """One exchange. Raises Disconnected."""
        said, coming = trio.open_memory_channel[Event](EVENTS_COUNT_MAX)
        reply: Reply | None = None
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
                await stream.handle(EndBody(stream_id=STREAM_ID))  # pages take no body: it is left to the connection
                reply = await _reply(head, coming)
                if reply is not None and not isinstance(reply.body, bytes):
                    reply = await _sent(head, line, reply)
                scope.cancel()
        if reply is None:
            raise Disconnected
        if isinstance(reply.body, bytes):
            await line.answer(head, reply)


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


async def _reply(head: Head, coming: "trio.MemoryReceiveChannel[Event]") -> Reply | None:
    """What the application says; None: nothing. A small answer is whole."""
    event = await coming.receive()
    if not isinstance(event, Response):
        return None
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in event.headers]
    headers = [pair for pair in headers if pair[0].lower() not in OF_THE_CONNECTION]
    reply = Reply(event.status_code, tuple(headers), _body(coming))
    length = reply.header("Content-Length")
    if head.method == "HEAD" or not length or int(length) > AT_ONCE_BYTES_MAX:
        return reply
    whole = b"".join([piece async for piece in _body(coming)])
    return Reply(reply.status, tuple(pair for pair in headers if pair[0].lower() != "content-length"), whole)


async def _sent(head: Head, line: Line, reply: Reply) -> Reply | None:
    try:
        await line.answer(head, reply)
    except Disconnected:
        return None
    return reply


async def _body(coming: "trio.MemoryReceiveChannel[Event]") -> AsyncGenerator[bytes, None]:
    async for event in coming:
        if not isinstance(event, Body):
            return
        yield event.data
