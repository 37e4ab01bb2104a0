"""Between an ASGI server and the door: requests in, replies out, gone clients noticed. Imports no server."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, aclosing
from typing import Any
from urllib.parse import parse_qsl

import trio

from protocols.web import doorstep
from protocols.web.door import Door, reply_of, said_of
from protocols.web.messages import Body, Chunk, Reply, Request, Stretch
from protocols.web.problems import Disconnected, Problem, busy
from protocols.web.reading import ahead, gathered
from protocols.web.routing import Place

log = logging.getLogger("filmroom.web")

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
# Of a connection that is a bare socket: a thread sends what a blocking iterator makes, in a body of a said length.
Pour = Callable[[Iterator[Chunk]], Awaitable[None]]
Application = Callable[[Any, Any, Any], Awaitable[None]]


class Asgi:
    """An ASGI application: what the door owns goes through it, all else to the pages."""

    def __init__(self, door: Door, pages: Application) -> None:
        self._door = door
        self._pages = pages
        self._in_hand = 0

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """One request (or whatever else the pages understand)."""
        if scope["type"] != "http" or not (self._door.owns(scope["path"]) or self._is_astray(scope)):
            await self._pages(scope, receive, send)
            return
        self._in_hand += 1
        try:
            await self._serve(scope, receive, send)
        except Disconnected:
            return
        except Exception as error:
            log.error("an answer broke off", extra=said_of(error))
            raise  # the server closes the connection: the client sees that the answer is cut
        finally:
            self._in_hand -= 1

    def _is_astray(self, scope: Any) -> bool:
        """A request for a page whose Host is not ours (see ``doorstep``)."""
        host = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")
        server = (scope["server"] or ("127.0.0.1",))[0]
        return not doorstep.is_addressed(host, server, self._door.site.settings)

    async def _serve(self, scope: Any, receive: Receive, send: Send) -> None:
        request = None
        try:
            if self._in_hand > self._door.site.settings.requests_count_max:
                raise busy("too many requests at once", 1.0)
            raw_path = scope["raw_path"].decode("ascii")
            place = self._door.place(raw_path)
            request = request_of(scope, receive, place, self._door)
            doorstep.check(request, self._door.site.settings)
        except Problem as problem:
            reply = reply_of(problem)
        else:
            reply = await self._answer(request, place, receive)
        is_unread = _has_body(scope) and (request is None or not request.body.is_read)
        if isinstance(reply.body, bytes) and not is_unread:
            await _start(reply, send, len(reply.body))
            await _end(reply.body, scope["method"], send)
        else:
            await self._stream(reply, scope, receive, send, is_unread=is_unread)

    async def _answer(self, request: Request, place: Place | None, receive: Receive) -> Reply:
        """The door's reply. Where a handler may wait long, its client is watched meanwhile."""
        route = place.routes.get(request.method) if place is not None else None
        if route is None or not route.waits:
            return await self._door.answer(request, place)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_until_gone, receive, nursery.cancel_scope)
            reply = await self._door.answer(request, place)
            nursery.cancel_scope.cancel()
            return reply
        raise Disconnected

    async def _stream(self, reply: Reply, scope: Any, receive: Receive, send: Send, *, is_unread: bool) -> None:
        """Send the pieces while the client is watched; Disconnected when it goes. What still comes of an unread body is
        thrown away, and the server closes the connection behind the answer."""
        body, length = (
            (_pieces_of(reply.body), len(reply.body)) if isinstance(reply.body, bytes) else (reply.body, None)
        )
        if is_unread:
            reply = Reply(reply.status, (*reply.headers, ("Connection", "close")), reply.body)
        async with AsyncExitStack() as closing:
            if (close := getattr(body, "aclose", None)) is not None:
                closing.push_async_callback(close)
            async with trio.open_nursery() as nursery:
                sending = trio.CancelScope()
                nursery.start_soon(_until_gone, receive, sending)
                with sending:
                    await _start(reply, send, length)
                    if scope["method"] != "HEAD":
                        pour = scope.get("state", {}).get("pour") if reply.header("Content-Length") else None
                        async for piece in body:
                            await self._give(piece, send, pour)
                if not sending.cancelled_caught:
                    await _end(b"", scope["method"], send)  # behind it the server says "gone", whatever the client does
        if sending.cancelled_caught:
            raise Disconnected

    async def _give(self, piece: Chunk | Stretch, send: Send, pour: Pour | None) -> None:
        """Send a piece; a stretch of them by a thread that the server gives for it, if it does."""
        if not isinstance(piece, Stretch):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        elif pour is not None:
            await pour(piece.pieces)
        else:
            async with aclosing(ahead(gathered(piece.pieces), self._door.site.readers)) as sent:
                async for one in sent:
                    await send({"type": "http.response.body", "body": one, "more_body": True})


def request_of(scope: Any, receive: Receive, place: Place | None, door: Door) -> Request:
    """Raises Problem for what is no sound request, or too large a one (H54, H55)."""
    settings = door.site.settings
    query = scope["query_string"]
    if len(scope["raw_path"]) + len(query) > settings.target_bytes_max:
        raise Problem(414, "the URL is too long")
    if len(scope["headers"]) > settings.headers_count_max:
        raise Problem(431, "too many headers")
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return Request(
        method=scope["method"],
        path=scope["path"],
        parameters=place.parameters if place is not None else {},
        query=query_of(query, settings.query_parameters_count_max) if query else (),
        headers=headers,
        body=Body(_pieces(receive), settings.body_idle_seconds_max),
        scheme=scope["scheme"],
        server=tuple(scope["server"] or ("127.0.0.1", 80))[:2],
        peer=str((scope["client"] or ("",))[0]),
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


def _pieces(receive: Receive) -> Callable[[], Awaitable[bytes]]:
    async def piece() -> bytes:
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Disconnected
            if message.get("body") or not message.get("more_body"):
                return bytes(message.get("body", b""))

    return piece


def _has_body(scope: Any) -> bool:
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value != b"0")
        for name, value in scope["headers"]
    )


async def _start(reply: Reply, send: Send, length: int | None) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers]
    if length is not None and reply.status not in (204, 304):
        headers.append((b"content-length", str(length).encode("ascii")))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})


async def _end(body: bytes, method: str, send: Send) -> None:
    await send({"type": "http.response.body", "body": b"" if method == "HEAD" else body, "more_body": False})


async def _pieces_of(body: bytes) -> AsyncIterator[bytes]:
    yield body


async def _until_gone(receive: Receive, scope: trio.CancelScope) -> None:
    """Cancel the scope when the client has gone; nothing else that comes counts."""
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
