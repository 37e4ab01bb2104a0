"""Bodies that a thread takes from file to socket: whole for whoever reads however slowly, cut for what breaks off."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest
import trio

from protocols.web.messages import Reply, Request, Stretch
from protocols.web.routing import Route
from protocols.web.settings import WebSettings
from protocols.web.site import Site
from protocols.web.wire import pouring
from protocols.web.wire.pouring import Pouring
from tests.protocols.web.serving import Served, serving

PIECES = [bytes([number]) * size for number, size in enumerate((1, 300_000, 0, 7, 2_000_000, 5))]
WHOLE = b"".join(PIECES)


def pairs(sent_bytes: int = 0) -> tuple[socket.socket, socket.socket]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    if sent_bytes:
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, sent_bytes)
    return ours, theirs


def test_a_slow_reader_gets_all_and_never_holds_the_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pouring, "WAIT_MS_MAX", 0)
    ours, theirs = pairs(4096)
    with ours, theirs:
        work, got, turns = Pouring(ours.fileno(), b"head", iter(PIECES)), b"", 0
        while not work.work():
            got += theirs.recv(70_001)
            turns += 1
        while len(got) < len(WHOLE) + 4:
            got += theirs.recv(1 << 20)
        assert got == b"head" + WHOLE and work.count == len(WHOLE) and turns > 10


def test_a_lease_ends_for_a_reader_of_any_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pouring, "LEASE_BYTES_MAX", 1000)
    ours, theirs = pairs()
    with ours, theirs:
        work = Pouring(ours.fileno(), b"", iter([bytes(pouring.GATHERED_BYTES)] * 2))
        assert not work.work() and work.count == pouring.GATHERED_BYTES
        theirs.recv(pouring.GATHERED_BYTES, socket.MSG_WAITALL)
        assert not work.work() or work.count == 2 * pouring.GATHERED_BYTES


def route(pieces: Iterator[bytes] | None = None, length: int | None = None) -> tuple[Route, ...]:
    async def body(given: Iterator[bytes]) -> Any:
        yield b"first"
        yield Stretch(given)
        yield b"last"

    async def handler(request: Request, site: Site) -> Reply:
        said = () if length is None else (("Content-Length", str(length)),)
        return Reply(200, said, body(iter(PIECES) if pieces is None else pieces))

    return (Route(method="GET", path="/dicomweb/all", handler=handler, scope="read", summary="all"),)


@pytest.mark.parametrize("length", [len(WHOLE) + 9, None], ids=["poured", "in chunks: past the event loop"])
def test_the_connection_serves_again_behind_it(length: int | None) -> None:
    async def check(served: Served) -> None:
        for _ in range(3):
            answer = await served.client.get("/all")
            assert answer.content == b"first" + WHOLE + b"last"
        head = await served.client.head("/all")
        assert (head.status_code, head.content) == (200, b"")

    serving(check, routes=route(length=length))


def breaking() -> Iterator[bytes]:
    yield bytes(1000)
    raise ValueError("the disk is gone")


@pytest.mark.parametrize("pieces", [breaking(), iter([bytes(5000)])], ids=["it raises", "it makes more than was said"])
def test_what_breaks_off_closes_the_connection(pieces: Iterator[bytes]) -> None:
    async def check(served: Served) -> None:
        answer = await served.raw(b"GET /dicomweb/all HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200") and not answer.endswith(b"last")

    serving(check, routes=route(pieces, 2000))


def test_who_takes_nothing_is_given_up() -> None:
    async def check(served: Served) -> None:
        stream = await served.connect()
        async with stream:
            await stream.send_all(b"GET /dicomweb/all HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            while not closed.is_set():
                await trio.lowlevel.checkpoint()

    closed = trio.Event()

    def endless() -> Iterator[bytes]:
        try:
            while True:
                yield bytes(1 << 20)
        finally:
            closed.set()

    async def body(given: Iterator[bytes]) -> Any:
        try:
            yield Stretch(given)
        finally:
            given.close()  # type: ignore[attr-defined]

    async def handler(request: Request, site: Site) -> Reply:
        return Reply(200, (("Content-Length", str(1 << 40)),), body(endless()))

    routes = (Route(method="GET", path="/dicomweb/all", handler=handler, scope="read", summary="all"),)
    serving(check, routes=routes, settings=WebSettings(send_idle_seconds_max=0.2))
