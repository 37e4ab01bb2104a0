"""From the head of a request to its reply: through the door, or to the pages. Knows neither sockets nor servers."""

import logging
from collections.abc import Awaitable, Callable
from typing import Protocol
from urllib.parse import parse_qsl

import trio

from native.http1 import Head
from protocols.web import doorstep
from protocols.web.door import Door, reply_of, said_of
from protocols.web.messages import Body, Reply, Request
from protocols.web.problems import Disconnected, Problem, busy
from protocols.web.routing import Place

log = logging.getLogger("filmroom.web")


class Line(Protocol):
    """What an exchange knows of its connection. ``server``: host and port that it came to; ``peer``: where from."""

    scheme: str
    server: tuple[str, int]
    peer: tuple[str, int]

    def body(self) -> Body:
        """Of the request in hand."""

    async def answer(self, head: Head, reply: Reply) -> None:
        """Send it. Raises Disconnected."""

    async def until_gone(self, scope: trio.CancelScope) -> None:
        """Cancels the scope when the client goes."""


# Serves what the door does not own.
Pages = Callable[[Head, Line], Awaitable[None]]


class Exchanges:
    """All of a process."""

    def __init__(self, door: Door, pages: Pages) -> None:
        self.settings = door.site.settings
        self.readers = door.site.readers
        self._door = door
        self._pages = pages
        self._in_hand = 0

    async def serve(self, head: Head, line: Line) -> None:
        """Answer one request. Raises Disconnected; whatever else breaks an answer off is raised behind a line in the
        log, so that the connection is closed and the client sees that the answer is cut."""
        self._in_hand += 1
        try:
            if self._door.owns(head.path) or not self._is_addressed(head, line):
                await line.answer(head, await self._reply(head, line))
            else:
                await self._pages(head, line)
        except Disconnected:
            raise
        except Exception as error:
            log.error("an answer broke off", extra=said_of(error))
            raise Disconnected from error
        finally:
            self._in_hand -= 1

    def _is_addressed(self, head: Head, line: Line) -> bool:
        return doorstep.is_addressed(head.headers.get("host", ""), line.server[0], self.settings)

    async def _reply(self, head: Head, line: Line) -> Reply:
        try:
            if self._in_hand > self.settings.requests_count_max:
                raise busy("too many requests at once", 1.0)
            place = self._door.place(head.path)
            request = self._request(head, line, place)
            doorstep.check(request, self.settings)
        except Problem as problem:
            return reply_of(problem)
        route = place.routes.get(request.method) if place is not None else None
        if route is None or not route.waits:
            return await self._door.answer(request, place)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(line.until_gone, nursery.cancel_scope)
            reply = await self._door.answer(request, place)
            nursery.cancel_scope.cancel()
            return reply
        raise Disconnected

    def _request(self, head: Head, line: Line, place: Place | None) -> Request:
        """Raises Problem for too large a one (H54, H55)."""
        if len(head.path) + len(head.query) > self.settings.target_bytes_max:
            raise Problem(414, "the URL is too long")
        return Request(
            method=head.method,
            path=head.path,
            parameters=place.parameters if place is not None else {},
            query=query_of(head.query, self.settings.query_parameters_count_max) if head.query else (),
            headers=head.headers,
            body=line.body(),
            scheme=line.scheme,
            server=line.server,
            peer=line.peer[0],
        )


def query_of(raw: bytes, count_max: int) -> tuple[tuple[str, str], ...]:
    """Names and values, in order, percent-decoded. Raises Problem."""
    try:
        pairs = parse_qsl(raw.decode("latin-1"), keep_blank_values=True, max_num_fields=count_max, errors="replace")
    except ValueError:
        raise Problem(400, f"the URL has more than {count_max} parameters") from None
    if any("\0" in name or "\0" in value for name, value in pairs):
        raise Problem(400, "the URL holds a NUL")
    return tuple(pairs)
