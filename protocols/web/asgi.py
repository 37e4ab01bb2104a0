"""Between an ASGI server and the door: requests in, replies out, gone clients noticed. Imports no server."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import parse_qsl

import trio

from protocols.web.door import Door, reply_of, said_of
from protocols.web.messages import Body, Chunk, Reply, Request
from protocols.web.problems import Disconnected, Problem, busy
from protocols.web.routing import Place

log = logging.getLogger("filmroom.web")

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Application = Callable[[Any, Any, Any], Awaitable[None]]


class Asgi:
    """An ASGI application: what the door owns goes through it, all else to the pages."""

    def __init__(self, door: Door, pages: Application) -> None:
        self._door = door
        self._pages = pages
        self._in_hand = 0

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """One request (or whatever else the pages understand)."""
        if scope["type"] != "http" or not self._door.owns(scope["path"]):
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

    async def _serve(self, scope: Any, receive: Receive, send: Send) -> None:
        request = None
        try:
            if self._in_hand > self._door.site.settings.requests_count_max:
                raise busy("too many requests at once", 1.0)
            raw_path = scope["raw_path"].decode("ascii")
            place = self._door.place(raw_path)
            request = request_of(scope, receive, place, self._door)
        except Problem as problem:
            reply = reply_of(problem)
        else:
            reply = await self._door.answer(request, place)
        if _has_body(scope) and (request is None or not request.body.is_read):
            await _send_over_unread(reply, scope["method"], receive, send)
        else:
            await _send(reply, scope["method"], receive, send)


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


async def _send(reply: Reply, method: str, receive: Receive, send: Send) -> None:
    body = reply.body
    if isinstance(body, bytes):
        await _start(reply, send, len(body))
        await send({"type": "http.response.body", "body": body if method != "HEAD" else b"", "more_body": False})
        return
    async with AsyncExitStack() as closing:
        if (close := getattr(body, "aclose", None)) is not None:
            closing.push_async_callback(close)
        await _start(reply, send, None)
        if method != "HEAD":
            await _stream(body, receive, send)
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _start(reply: Reply, send: Send, length: int | None) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers]
    if length is not None and reply.status not in (204, 304):
        headers.append((b"content-length", str(length).encode("ascii")))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})


async def _stream(body: AsyncIterator[Chunk], receive: Receive, send: Send) -> None:
    """Send the pieces; stop, and say Disconnected, when the client has gone."""
    is_gone = False
    async with trio.open_nursery() as nursery:

        async def watch() -> None:
            nonlocal is_gone
            while (await receive())["type"] != "http.disconnect":
                pass
            is_gone = True
            nursery.cancel_scope.cancel()

        nursery.start_soon(watch)
        async for piece in body:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        nursery.cancel_scope.cancel()
    if is_gone:
        raise Disconnected


async def _send_over_unread(reply: Reply, method: str, receive: Receive, send: Send) -> None:
    """Answer before the body has come: what still comes is thrown away until the server closes the connection."""
    async with trio.open_nursery() as nursery:

        async def discard() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass

        nursery.start_soon(discard)
        body = reply.body if isinstance(reply.body, bytes) else b""
        closing = Reply(reply.status, (*reply.headers, ("Connection", "close")), body)
        await _start(closing, send, len(body))
        await send({"type": "http.response.body", "body": body if method != "HEAD" else b"", "more_body": False})
