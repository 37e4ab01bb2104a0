"""Connections over real sockets: how long they stay, what is said before a body, bodies that handlers read themselves,
requests sent ahead."""

import ssl
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import assert_checkpoints, wait_all_tasks_blocked

import engine
from engine.clock import ManualClock
from native.http1 import Incoming
from protocols.security import Certificate, Certificates, SecureListener
from protocols.web import Health, WebSettings
from protocols.web.app import serve
from protocols.web.messages import Lent, Reply, Request, Stretch
from protocols.web.routing import Route
from protocols.web.site import Site
from protocols.web.wire.answer_head import Dates, head_of
from protocols.web.wire.wires import Plain
from tests.certificates import Authority
from tests.protocols.web.serving import Served, serving

HOST = b"Host: localhost\r\n"


async def hello(request: Request, site: Site) -> Reply:
    return Reply(200, (("Content-Type", "text/plain"),), b"hello")


async def pieces(request: Request, site: Site) -> Reply:
    async def body():  # type: ignore[no-untyped-def]
        for number in range(3):
            yield b"%d" % number * 3

    said = (("Content-Length", "9"),) if "length" in request.headers else ()
    return Reply(200, said, body())


async def echo(request: Request, site: Site) -> Reply:
    return Reply(200, (), await request.body.read())


async def taken(request: Request, site: Site) -> Reply:
    """Read from the socket itself, as far as its length goes."""
    lent = await request.body.lend()
    if lent is None:
        return Reply(200, (), b"in pieces: " + await request.body.read())
    return Reply(200, (), b"lent: " + await _read(lent))


async def _read(lent: Lent) -> bytes:
    socket = trio.socket.fromfd(lent.fileno, trio.socket.AF_INET, trio.socket.SOCK_STREAM)
    with socket:
        data = lent.received
        while len(data) < lent.length:
            data += await socket.recv(65536)
    lent.give_back(data[lent.length :], is_whole=True)
    return data[: lent.length]


async def half(request: Request, site: Site) -> Reply:
    lent = await request.body.lend()
    assert lent is not None
    lent.give_back(b"", is_whole=False)
    return Reply(200, (), b"half")


def route(method: str, name: str, handler: Callable[[Request, Site], Awaitable[Reply]]) -> Route:
    bytes_max = 1 << 20 if method == "POST" else 0
    path = f"/x/{name}"
    return Route(method=method, path=path, handler=handler, scope="read", summary="", body_bytes_max=bytes_max)


ROUTES = (
    route("GET", "hello", hello),
    route("GET", "pieces", pieces),
    route("POST", "echo", echo),
    route("POST", "taken", taken),
    route("POST", "half", half),
)


async def until_closed(stream: trio.abc.ReceiveStream) -> bytes:
    answer = b""
    with trio.fail_after(5):
        async for piece in stream:
            answer += piece
    return answer


async def said_in(stream: trio.abc.ReceiveStream, end: bytes) -> bytes:
    answer = b""
    with trio.fail_after(5):
        while not answer.endswith(end):
            piece = await stream.receive_some(65536)
            assert piece, answer
            answer += piece
    return answer


@pytest.mark.parametrize("path", ["dicom-web/studies", "dicomweb/nothing"])
def test_who_asks_where_nothing_is_served_hears_where_something_is(path: str) -> None:
    async def check(served: Served) -> None:
        answer = await served.client.get(f"http://127.0.0.1:{served.port}/{path}")
        assert answer.status_code == 404 and answer.headers["content-type"] == "application/problem+json"
        for place in (" /,", " /dicomweb,", " /ohif/,", " /api/v1"):
            assert place in answer.json()["detail"]

    serving(check)


@pytest.mark.parametrize("path", [b"/", b"/health/live", b"/health/ready", b"/nothing", b"/x/hello", b"/x/pieces"])
@pytest.mark.parametrize(
    ("head", "is_closing"),
    [
        (b"HTTP/1.1\r\n" + HOST + b"Connection: close\r\n", True),
        (b"HTTP/1.0\r\n", True),
        (b"HTTP/1.1\r\n" + HOST, False),
        (b"HTTP/1.0\r\nConnection: keep-alive\r\nlength: said\r\n", False),
    ],
)  # fmt: skip
def test_who_wants_the_connection_closed_gets_that_whoever_answers(path: bytes, head: bytes, is_closing: bool) -> None:
    if path == b"/x/pieces" and b"1.0" in head:
        is_closing = b"length" not in head

    async def check(served: Served) -> None:
        stream = await served.connect()
        async with stream:
            await stream.send_all(b"GET " + path + b" " + head + b"\r\n")
            if is_closing:
                answer = await until_closed(stream)
                assert b"\r\nConnection: close\r\n" in answer and answer.count(b"HTTP/1.1 ") == 1
            else:
                await stream.send_all(b"GET /x/hello HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n")
                answer = await until_closed(stream)
                assert answer.count(b"HTTP/1.1 ") == 2 and answer.endswith(b"hello")
                assert answer.count(b"Connection: keep-alive") == (b"1.0" in head)

    serving(check, routes=ROUTES)


def test_head_says_what_get_does_and_gives_nothing() -> None:
    async def check(served: Served) -> None:
        for path in (b"/", b"/health/live", b"/x/hello", b"/x/pieces"):
            asked = path + b" HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"
            given = (await served.raw(b"GET " + asked)).partition(b"\r\n\r\n")
            head = (await served.raw(b"HEAD " + asked)).partition(b"\r\n\r\n")
            assert given[2] and not head[2]
            said, said_alone = (
                sorted(line.lower() for line in one[0].split(b"\r\n") if not line.startswith(b"Date"))
                for one in (given, head)
            )
            assert said == said_alone

    serving(check, routes=ROUTES)


@pytest.mark.parametrize("path", [b"/x/echo", b"/x/taken"])
def test_who_waits_for_a_word_before_the_body_gets_it_only_when_it_is_read(path: bytes) -> None:
    async def check(served: Served) -> None:
        stream = await served.connect()
        async with stream:
            asked = b" HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\nContent-Length: 5\r\n"
            await stream.send_all(b"POST " + path + asked + b"\r\n")
            assert await said_in(stream, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            await stream.send_all(b"body!")
            assert (await said_in(stream, b"body!")).startswith(b"HTTP/1.1 200 OK\r\n")
            await stream.send_all(b"POST /x/hello" + asked + b"\r\n")
            answer = await until_closed(stream)
            assert answer.startswith(b"HTTP/1.1 405 ") and b"\r\nConnection: close\r\n" in answer

    serving(check, routes=ROUTES)


def test_a_body_that_is_lent_is_read_by_its_handler_and_the_next_request_is_not_lost() -> None:
    async def check(served: Served) -> None:
        body = bytes(range(256)) * 100
        request = b"POST /x/taken HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n" % len(body) + body
        last = b"GET /x/hello HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"
        answer = await served.raw(request * 3 + last)
        assert answer.count(b"lent: " + body) == 3 and answer.endswith(b"hello")
        answer = await served.raw(request.replace(b"taken", b"half") + last)
        assert answer.endswith(b"half") and b"\r\nConnection: close\r\n" in answer

    serving(check, routes=ROUTES)


def test_requests_of_one_connection_come_one_after_the_other() -> None:
    async def check(served: Served) -> None:
        asked = b"GET /x/hello HTTP/1.1\r\n" + HOST
        answer = await served.raw((asked + b"\r\n") * 3 + asked + b"Connection: close\r\n\r\n")
        assert answer.count(b"hello") == 4 and answer.count(b"HTTP/1.1 200") == 4

    serving(check, routes=ROUTES)


@pytest.mark.parametrize("path", [b"/", b"/nothing", b"/x/hello"])
@pytest.mark.parametrize("body", [b"Content-Length: 9\r\n\r\nfew", b"Transfer-Encoding: chunked\r\n\r\nnone"])
def test_a_body_that_nobody_reads_is_no_reason_to_break_off(
    path: bytes, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async def check(served: Served) -> None:
        stream = await served.connect()
        async with stream:
            await stream.send_all(b"GET " + path + b" HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\n" + body)
            answer = await until_closed(stream)
        assert answer.startswith(b"HTTP/1.1 ") and b"\r\nConnection: close\r\n" in answer
        assert answer.count(b"HTTP/1.1") == 1 and not caplog.records

    serving(check, routes=ROUTES)


def test_who_sends_no_more_still_gets_all_of_an_answer() -> None:
    begun, go_on = trio.Event(), trio.Event()

    async def slow(request: Request, site: Site) -> Reply:
        async def body():  # type: ignore[no-untyped-def]
            yield b"begun"
            begun.set()
            await go_on.wait()
            yield Stretch(iter([b"a" * 300_000, b"end"]))

        return Reply(200, (("Content-Length", "300008"),) if "length" in request.headers else (), body())

    async def check(served: Served) -> None:
        for path, said in (
            (b"/health/live", b""),
            (b"/x/hello", b""),
            (b"/x/slow", b""),
            (b"/x/slow", b"Length: said\r\n"),
        ):
            stream = await served.connect()
            async with stream:
                await stream.send_all(b"GET " + path + b" HTTP/1.1\r\n" + HOST + said + b"\r\n")
                await stream.send_eof()
                if path == b"/x/slow":
                    await begun.wait()
                    await wait_all_tasks_blocked()
                    go_on.set()
                answer = await until_closed(stream)
            assert answer.startswith(b"HTTP/1.1 200 ") and (
                path != b"/x/slow" or (answer.count(b"a") > 300_000 and b"end" in answer)
            )

    serving(check, routes=(*ROUTES, route("GET", "slow", slow)))


def test_who_sends_quicker_than_we_read_does_not_keep_the_loop() -> None:
    async def work() -> None:
        ours, theirs = trio.socket.socketpair()
        with theirs:
            wire = Plain(trio.SocketStream(ours), trio.CapacityLimiter(1))
            incoming = Incoming(1000, 10)
            await theirs.send(b"GET / HTTP/1.1")
            with assert_checkpoints():
                assert await wire.receive(incoming)
            theirs.close()
            with assert_checkpoints():
                assert not await wire.receive(incoming)
            await wire.close()

    trio.run(work)


def test_requests_sent_ahead_wait_while_a_long_answer_is_sent() -> None:
    go_on = trio.Event()

    async def slow(request: Request, site: Site) -> Reply:
        async def body():  # type: ignore[no-untyped-def]
            yield b"begun"
            await go_on.wait()
            yield b"ended"

        return Reply(200, (), body())

    async def check(served: Served) -> None:
        stream = await served.connect()
        async with stream:
            await stream.send_all(b"GET /x/slow HTTP/1.1\r\n" + HOST + b"\r\n")
            await said_in(stream, b"begun\r\n")
            await stream.send_all(b"GET /x/hello HTTP/1.1\r\n" + HOST + b"\r\n")
            assert (await served.client.get(f"http://127.0.0.1:{served.port}/x/hello")).text == "hello"
            go_on.set()
            assert b"ended" in await said_in(stream, b"hello")

    serving(check, routes=(*ROUTES, route("GET", "slow", slow)))


def test_chunks_that_are_none_are_refused_and_the_connection_ends() -> None:
    async def check(served: Served) -> None:
        asked = b"POST /x/echo HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
        assert b"hello" in await served.raw(asked + b"5\r\nhello\r\n0\r\n\r\nGET / HTTP/1.0\r\n\r\n")
        answer = await served.raw(asked + b"5\nhello\n0\n\nGET / HTTP/1.0\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 400 ") and answer.count(b"HTTP/1.1 ") == 1

    serving(check, routes=ROUTES)


def test_the_same_over_tls(tmp_path: Path) -> None:
    """One door: what a bare socket gets, TLS does, but that nothing is lent."""
    authority = Authority(tmp_path)
    certificate, key = authority.issue("server")
    certificates = Certificates(Certificate(str(certificate), str(key)))
    trusted = ssl.create_default_context(cafile=str(authority.ca))

    async def ask(port: int, sent: bytes) -> bytes:
        plain = await trio.open_tcp_stream("127.0.0.1", port)
        stream = trio.SSLStream(plain, trusted, server_hostname="localhost", https_compatible=True)
        await stream.send_all(sent)
        return await until_closed(stream)

    async def work() -> None:
        shutdown = trio.Event()
        (plain,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = plain.socket.getsockname()[1]
        how: dict[str, Any] = {"shutdown": shutdown, "routes": ROUTES}
        async with engine.open("memory://") as archive, trio.open_nursery() as nursery:
            listeners = [SecureListener(plain, certificates)]
            await nursery.start(partial(serve, listeners, Health(), archive, WebSettings(), **how))
            body = bytes(range(256)) * 4000
            post = b"POST /x/taken HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n" % len(body) + body
            line = post + b"GET /x/pieces HTTP/1.1\r\n" + HOST + b"\r\n" + b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"
            answer = await ask(port, line + b"GET /x/hello HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n")
            assert b"in pieces: " + body in answer and b"3\r\n222\r\n0\r\n\r\n" in answer and answer.endswith(b"hello")
            shutdown.set()

    async def bounded() -> None:
        with trio.fail_after(30):
            await work()

    trio.run(bounded)


def test_a_header_cannot_end_its_line() -> None:
    assert head_of(200, (("A", "b"),), (("C", "d"),), "now") == b"HTTP/1.1 200 OK\r\nDate: now\r\nA: b\r\nC: d\r\n\r\n"
    assert head_of(299, (), (), "now").startswith(b"HTTP/1.1 299 \r\n")
    for value in ("a\r\nSet-Cookie: b", "a\nb", "a\rb", "a\0", "\u0142"):
        with pytest.raises(ValueError, match=r"line|latin-1"):
            head_of(200, (("A", value),), (), "now")
        with pytest.raises(ValueError, match=r"line|latin-1"):
            head_of(200, ((value, "a"),), (), "now")


def test_the_date_goes_on_with_the_clock() -> None:
    clock = ManualClock(784_111_777_000_000)
    dates = Dates(clock)
    assert dates.now() == "Sun, 06 Nov 1994 08:49:37 GMT"  # the example of RFC 9110 5.6.7
    clock.advance(0.9)
    assert dates.now() == "Sun, 06 Nov 1994 08:49:37 GMT"
    clock.advance(0.2)
    assert dates.now() == "Sun, 06 Nov 1994 08:49:38 GMT"


@pytest.mark.parametrize("sent", [b"Content-Length: 9\r\n\r\nabc", b"Transfer-Encoding: chunked\r\n\r\n3\nabc"])
def test_a_page_whose_body_does_not_come_is_given_up_quietly(sent: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async def check(served: Served) -> None:
        answer = await served.raw(b"POST /no/such/page HTTP/1.1\r\n" + HOST + sent)
        assert answer == b"" or answer.startswith(b"HTTP/1.1 40")
        assert (await served.client.get(f"http://127.0.0.1:{served.port}/health/live")).status_code == 200

    serving(check, settings=WebSettings(body_idle_seconds_max=0.2))
    assert not [record for record in caplog.records if record.name.startswith("filmroom")]


def test_a_page_in_pieces_is_watched_and_given_to_its_end() -> None:
    ended = trio.Event()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            for _ in range(3 if scope["path"] == "/short" else 1 << 30):
                await send({"type": "http.response.body", "body": b"piece", "more_body": True})
                await trio.lowlevel.checkpoint()
            await send({"type": "http.response.body"})
        finally:
            ended.set()

    async def check(served: Served) -> None:
        stream = await served.connect()
        async with stream:
            await stream.send_all(b"GET /short HTTP/1.1\r\n" + HOST + b"\r\n")
            assert (await said_in(stream, b"0\r\n\r\n")).count(b"piece") == 3
            await stream.send_all(b"GET /endless HTTP/1.1\r\n" + HOST + b"\r\n")
            await stream.receive_some(1000)
        with trio.fail_after(10):
            await ended.wait()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("protocols.web.app.make_app", lambda health: application)
        serving(check)
