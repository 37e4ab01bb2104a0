"""Clients that give or take next to nothing do not keep a request open for ever, and slow lines are served (H63)."""

import socket
from collections.abc import AsyncIterator

import msgspec
import pytest
import trio
import trio.testing

from protocols.web import WebSettings
from protocols.web.messages import Chunk, Reply, Request, Stretch
from protocols.web.patience import Patience
from protocols.web.routing import Handler, Route
from protocols.web.site import Site
from tests.protocols.web.multiparts import BOUNDARY, body_of
from tests.protocols.web.serving import Served, serving
from tests.protocols.web.test_stow_sockets import BODY, ONE, SEARCH, TWO, chunked, statuses

# As many times quicker than the real ones as tests cannot wait.
HASTY = WebSettings(
    body_idle_seconds_max=0.3, send_idle_seconds_max=0.3, client_bytes_a_second_min=20_000, shutdown_seconds=0.3
)


async def passing(seconds: float) -> None:
    """What makes a line slow, and moves a clock that jumps."""
    with trio.move_on_after(seconds):
        await trio.sleep_forever()


async def taken(request: Request, site: Site) -> Reply:
    return Reply(200, (), b"%d" % len(await request.body.read()))


def route(method: str, path: str, handler: Handler, body_bytes_max: int = 0) -> Route:
    return Route(method=method, path=path, handler=handler, scope="read", summary="", body_bytes_max=body_bytes_max)


class Endless:
    """Answers without end, one by pieces, one that a thread pours."""

    def __init__(self) -> None:
        self.released = trio.Event()
        self.routes = (route("GET", "/pieces", self._pieces), route("GET", "/poured", self._poured))

    async def _pieces(self, request: Request, site: Site) -> Reply:
        return Reply(200, (), self._body(bytes(8 << 10)))

    async def _poured(self, request: Request, site: Site) -> Reply:
        stretch = Stretch(bytes(8 << 10) for _ in range(1 << 19))
        return Reply(200, (("Content-Length", str(1 << 32)),), self._body(stretch))

    async def _body(self, piece: Chunk | Stretch) -> AsyncIterator[Chunk | Stretch]:
        try:
            while True:
                yield piece
        finally:
            self.released.set()


LONG = body_of(*[ONE, TWO] * 20)
ROUTES = (route("POST", "/taken", taken, 1 << 20),)


async def drip(stream: trio.SocketStream, sent: bytes, size: int, pause_seconds: float) -> bytes:
    """Send it in drips, never silent for long; what is answered."""
    answer = bytearray()

    async def listen() -> None:
        answer.extend(await stream.receive_some(4096))
        nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(listen)
        for at in range(0, len(sent), size):
            await stream.send_all(sent[at : at + size])
            await passing(pause_seconds)
    return bytes(answer)


def head(path: str, length: int | None) -> bytes:
    framing = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    kind = f"Content-Type: multipart/related; boundary={BOUNDARY}"
    return "\r\n".join((f"POST {path} HTTP/1.1", "Host: localhost", framing, kind, "", "")).encode()


@pytest.mark.parametrize("is_chunked", [False, True])
@pytest.mark.parametrize(("path", "routes"), [("/dicomweb/studies", None), ("/taken", ROUTES)])
@pytest.mark.parametrize("pause_ms", [3, 50])
def test_h63_who_gives_next_to_nothing_is_given_up(
    path: str, routes: tuple[Route, ...] | None, is_chunked: bool, pause_ms: int
) -> None:
    """Never silent, at a quarter of what must come."""
    body = chunked(LONG, 700) if is_chunked else LONG
    size = 5 * pause_ms

    async def check(served: Served) -> None:
        stream = await served.connect()
        async with stream:
            await stream.send_all(head(path, None if is_chunked else len(body)))
            assert statuses(await drip(stream, body, size, pause_ms / 1000)) == [b"408"]

    serving(check, settings=HASTY, routes=routes)


@pytest.mark.parametrize("is_chunked", [False, True])
@pytest.mark.parametrize(("path", "routes"), [("/dicomweb/studies", None), ("/taken", ROUTES)])
def test_h63_a_slow_line_is_served(path: str, routes: tuple[Route, ...] | None, is_chunked: bool) -> None:
    """At three times what must come it takes longer than any silence may."""
    body = chunked(BODY, 700) if is_chunked else BODY
    settings = msgspec.structs.replace(HASTY, client_bytes_a_second_min=len(body) // 3)

    async def check(served: Served) -> None:
        stream = await served.connect()
        async with stream:
            await stream.send_all(head(path, None if is_chunked else len(body)))
            began = trio.current_time()
            assert statuses(await drip(stream, body, len(body) // 20 + 1, 0.05)) == [b"200"]
            assert trio.current_time() - began > HASTY.body_idle_seconds_max

    serving(check, settings=settings, routes=routes)


def test_h63_drips_hold_no_thread() -> None:
    """As many clients as there are threads, each with a byte every few milliseconds; another's store goes on."""
    patient = msgspec.structs.replace(HASTY, client_bytes_a_second_min=1, body_idle_seconds_max=20.0)

    async def check(served: Served) -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(20):
                stream = await served.connect()
                await stream.send_all(head("/dicomweb/studies", 1 << 30) + BODY[:300])
                nursery.start_soon(drip, stream, bytes(100_000), 1, 0.002)
            for _ in range(3):
                with trio.fail_after(5):
                    assert (
                        statuses(await served.raw(head("/dicomweb/studies", len(BODY)) + BODY + SEARCH)) == [b"200"] * 2
                    )
            nursery.cancel_scope.cancel()

    serving(check, settings=patient)


@pytest.mark.parametrize("path", ["/pieces", "/poured"])
@pytest.mark.parametrize(("rate", "is_cut_off"), [(8_000, True), (100_000, False)])
def test_h63_who_takes_next_to_nothing_is_cut_off_and_a_slow_line_is_not(
    path: str, rate: int, is_cut_off: bool
) -> None:
    """The kernel holds a good deal for it, and says little of how that goes on."""
    endless = Endless()

    async def take(stream: trio.SocketStream) -> None:
        while await stream.receive_some(rate // 20):
            await passing(0.05)

    async def check(served: Served) -> None:
        link = trio.socket.socket()
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)  # with larger ones it would acknowledge in jumps
        await link.connect(("127.0.0.1", served.port))
        stream = trio.SocketStream(link)
        async with stream, trio.open_nursery() as nursery:
            await stream.send_all(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            nursery.start_soon(take, stream)
            with trio.move_on_after(2.5):
                await endless.released.wait()
            assert endless.released.is_set() == is_cut_off
            nursery.cancel_scope.cancel()

    serving(check, settings=msgspec.structs.replace(HASTY, send_idle_seconds_max=0.6), routes=endless.routes)


def test_patience_counts_waiting_alone_and_what_moves_gives_it_back() -> None:
    async def check() -> None:
        patience = Patience(30.0, 1000)
        for _ in range(50):  # a line at twice the rate, which stalls for ten seconds and is quick again
            with patience.waiting():
                await passing(10)
            patience.came(20_000)
        await passing(1000)  # ours
        with patience.waiting():
            await passing(29)
        patience.came(1000)
        with pytest.raises(trio.TooSlowError), patience.waiting():
            await passing(2.1)
        patience.came(1 << 40)
        with patience.waiting(10_000):
            await passing(39)
        with pytest.raises(trio.TooSlowError), patience.waiting():
            await passing(1.1)
        assert not patience.is_worth(999) and patience.is_worth(1000)

    trio.run(check, clock=trio.testing.MockClock(autojump_threshold=0))
