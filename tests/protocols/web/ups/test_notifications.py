"""C49: notifications over WebSockets with a real client: what is told, in what order, to whom; and what is refused."""

import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
from trio.testing import wait_all_tasks_blocked
from trio_websocket import ConnectionClosed, HandshakeError, WebSocketConnection, open_websocket_url

import engine
from protocols.security import Certificate, Certificates, SecureListener
from protocols.web import Health, Holder, Lock, WebSettings
from protocols.web.app import serve
from protocols.web.ups.listeners import Listener, Notifications
from tests.certificates import Authority
from tests.protocols.web.serving import Served, serving

from .workitems import ALL, JSON, Client, code, new, performed, progress, said

MINE = "2.25.1"
TYPE = {"Content-Type": JSON}
KEY = "dGhlIHNhbXBsZSBub25jZQ=="


@asynccontextmanager
async def listening(served: Served, ae_title: str = "WS1", **headers: str) -> AsyncIterator[WebSocketConnection]:
    url = f"ws://127.0.0.1:{served.port}/dicomweb/subscribers/{ae_title}"
    extra = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    async with open_websocket_url(url, extra_headers=extra) as connection:
        yield connection


async def told(connection: WebSocketConnection) -> dict[str, Any]:
    """The next report: tag to value."""
    with trio.fail_after(10):
        model = json.loads(await connection.get_message())
    return {tag: value.get("Value", [None])[0] for tag, value in model.items()}


async def subscribe(served: Served, uid: str = ALL, ae_title: str = "WS1", query: str = "") -> None:
    assert (await Client(served).send("POST", f"/{uid}/subscribers/{ae_title}{query}")).status_code == 201


def test_a_workitem_is_followed_from_its_birth_to_its_end() -> None:
    async def check(served: Served) -> None:
        client = Client(served)
        async with listening(served) as line:
            await subscribe(served)
            await client.create(_00404025=said("SQ", code("WS1", "One")))
            assert await told(line) == {
                "00000002": "1.2.840.10008.5.1.4.34.6.1",
                "00000110": 1,
                "00001000": "1.2.3",
                "00001002": 1,
                "00404041": "READY",
                "00741000": "SCHEDULED",
            }
            assigned = await told(line)
            assert (assigned["00001002"], assigned["00404025"]["00080100"]["Value"]) == (5, ["WS1"])
            await client.state("IN PROGRESS", MINE)
            await client.update(progress("50"), MINE)
            await client.update(performed(), MINE)
            await client.state("COMPLETED", MINE)
            reports = [await told(line) for _ in range(3)]
            assert [one["00001002"] for one in reports] == [1, 3, 1]
            assert [one.get("00741000") for one in reports] == ["IN PROGRESS", None, "COMPLETED"]
            assert reports[1]["00741002"]["00741004"]["Value"] == [50]
            assert [one["00000110"] for one in reports] == [3, 4, 5]

    serving(check)


def test_each_is_told_of_his_own() -> None:
    async def check(served: Served) -> None:
        client = Client(served)
        await client.create("1.1")
        await client.create("1.2")
        async with listening(served, "A") as a, listening(served, "B") as b, listening(served, "A") as again:
            await subscribe(served, "1.1", "A")
            await subscribe(served, "1.2", "B", "?deletionlock=true")
            for uid in ("1.1", "1.2"):
                await client.cancel({"00741238": said("LT", "stop")}, uid)
            for line, uid in ((a, "1.1"), (again, "1.1"), (b, "1.2")):
                reports = [await told(line) for _ in range(4)]
                assert {one["00001000"] for one in reports} == {uid}
                assert [one["00001002"] for one in reports] == [1, 2, 1, 1]
                assert reports[1]["00741238"] == "stop"
                assert reports[3]["00741238"] == "stop"

    serving(check)


def test_who_performs_hears_that_he_is_asked_to_stop() -> None:
    async def check(served: Served) -> None:
        client = Client(served)
        await client.create()
        await client.state("IN PROGRESS", MINE)
        async with listening(served) as line:
            await subscribe(served, "1.2.3")
            await told(line)
            why = {"0074100C": said("LO", "Ed")}
            assert (await client.send("POST", "/1.2.3/cancelrequest?requester=RIS", why)).status_code == 202
            report = await told(line)
            assert (report["00001002"], report["00741236"], report["0074100C"]) == (2, "RIS", "Ed")

    serving(check)


def test_who_comes_as_the_node_ends_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    async def check(served: Served) -> None:
        whole = Notifications.open

        async def late(notifications: Notifications, ae_title: str) -> Listener:
            listener = await whole(notifications, ae_title)
            served.shutdown.set()
            await wait_all_tasks_blocked()
            return listener

        monkeypatch.setattr(Notifications, "open", late)
        async with listening(served) as line:
            assert (await told(line))["00741242"] == "GOING DOWN"
            with pytest.raises(ConnectionClosed), trio.fail_after(10):
                await line.get_message()
        assert line.closed.code == 1001

    serving(check)


def test_who_subscribed_before_is_told_that_the_node_restarted_and_that_it_ends() -> None:
    async def check(served: Served) -> None:
        await subscribe(served)
        async with listening(served) as line:
            first = await told(line)
            assert (first["00001000"], first["00001002"]) == (ALL, 4)
            assert (first["00741242"], first["00741244"], first["00741246"]) == ("RESTARTED", *["WARM START"] * 2)
            served.shutdown.set()
            assert (await told(line))["00741242"] == "GOING DOWN"
            with trio.fail_after(10), pytest.raises(ConnectionClosed):
                await line.get_message()
            assert line.closed.code == 1001

    serving(check)


def test_h63_who_is_too_slow_is_let_go_and_finds_everything() -> None:
    async def check(served: Served) -> None:
        client = Client(served)
        stream = await served.connect()
        async with stream:
            await stream.send_all(handshake())
            assert (await stream.receive_some(12)).startswith(b"HTTP/1.1 101")
            for number in range(6):
                await client.create(f"1.{number}")
            await subscribe(served, query="?deletionlock=true")  # is told of each at once
            with trio.fail_after(10):
                rest = b"".join([piece async for piece in stream])
        assert rest.count(b'"00001000"') < 6
        assert rest.endswith(b"\x03\xf5too much waits: look, and connect again")
        assert len(await client.find()) == 6
        async with listening(served) as line:
            assert (await told(line))["00741242"] == "RESTARTED"

    serving(check, settings=WebSettings(notifications_bytes_max=600))


def handshake(path: str = "/dicomweb/subscribers/WS1", **changed: str) -> bytes:
    fields = {
        "Host": "127.0.0.1",
        "Upgrade": "websocket",
        "Connection": "keep-alive, Upgrade",
        "Sec-WebSocket-Key": KEY,
        "Sec-WebSocket-Version": "13",
    } | {name.replace("_", "-"): value for name, value in changed.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value)
    return f"GET {path} HTTP/1.1\r\n{head}\r\n".encode()


REFUSED = [
    (handshake(Upgrade=""), 426),
    (handshake(Upgrade="h2c"), 426),
    (handshake(Connection="close"), 400),
    (handshake(Sec_WebSocket_Version="8"), 426),
    (handshake(Sec_WebSocket_Key=""), 400),
    (handshake(Sec_WebSocket_Key="c2hvcnQ="), 400),
    (handshake(Sec_WebSocket_Key="=not=base64="), 400),
    (handshake(Origin="http://evil.example"), 403),
    (handshake(Origin="null"), 403),
    (handshake(Content_Length="3") + b"abc", 413),
    (handshake(Transfer_Encoding="chunked") + b"0\r\n\r\n", 400),
    (handshake("/dicomweb/subscribers/" + "A" * 17), 400),
    (handshake(Host="evil.example"), 421),
    (handshake().replace(b"GET ", b"HEAD ", 1), 426),
    (handshake().replace(b"GET ", b"POST ", 1), 405),
]


def test_handshakes_that_are_none_are_refused() -> None:
    async def check(served: Served) -> None:
        for sent, status in REFUSED:
            stream = await served.connect()
            async with stream:
                await stream.send_all(sent)
                answer = await stream.receive_some(4096)
            assert int(answer[9:12]) == status, sent.decode().replace("\r\n", " ")
        assert b"Upgrade: websocket" in await one_answer(served, handshake(Upgrade=""))
        assert b"Sec-WebSocket-Version: 13" in await one_answer(served, handshake(Sec_WebSocket_Version="8"))

    serving(check)


async def one_answer(served: Served, sent: bytes) -> bytes:
    stream = await served.connect()
    async with stream:
        await stream.send_all(sent)
        return bytes(await stream.receive_some(4096))


def test_the_accept_token_is_that_of_the_key() -> None:
    async def check(served: Served) -> None:
        answer = await one_answer(served, handshake(Origin=f"http://127.0.0.1:{served.port}"))
        assert answer.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
        assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in answer  # of RFC 6455 1.3
        assert b"Content-Length" not in answer

    serving(check)


def test_a_page_of_another_origin_listens_only_when_it_may() -> None:
    async def check(served: Served) -> None:
        assert (await one_answer(served, handshake(Origin="http://viewer.example"))).startswith(b"HTTP/1.1 101")
        assert (await one_answer(served, handshake(Origin="http://evil.example"))).startswith(b"HTTP/1.1 403")

    serving(check, settings=WebSettings(cors_origins=("http://viewer.example",)))


def test_a_token_is_wanted_where_tokens_are() -> None:
    lock = Lock({"good": Holder("reader", frozenset({"read"})), "other": Holder("x", frozenset({"write"}))}.get)

    async def check(served: Served) -> None:
        for headers, status in (({}, 401), ({"Authorization": "Bearer other"}, 403)):
            with pytest.raises(HandshakeError) as refused:
                async with listening(served, **headers):
                    pass
            assert refused.value.status_code == status  # type: ignore[attr-defined]
        async with listening(served, Authorization="Bearer good") as line:
            await line.ping()

    serving(check, guard=lock)


def test_there_is_room_for_so_many() -> None:
    async def check(served: Served) -> None:
        async with listening(served, "A"), listening(served, "B"):
            answer = await one_answer(served, handshake())
            assert answer.startswith(b"HTTP/1.1 503 ")
            assert b"Retry-After:" in answer
        await wait_all_tasks_blocked(0.05)
        assert (await one_answer(served, handshake())).startswith(b"HTTP/1.1 101")

    serving(check, settings=WebSettings(notifications_count_max=2))


FRAMES = [
    (b"\x81\x05hello", 1002),  # without a mask
    (b"\x83\x80\0\0\0\0", 1002),  # an opcode that is none
    (b"\xf1\x80\0\0\0\0", 1002),  # reserved bits
    (b"\x89\xfe\x00\x7e\0\0\0\0" + bytes(126), 1002),  # too long a ping
    (b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0", 1002),  # a length without end
    (b"\x81\x82\0\0\0\0\xff\xfe", 1007),  # no UTF-8
    (b"\x82\xff\0\0\0\0\0\x01\0\x01\0\0\0\0" + bytes(65537), 1009),  # more than is heard
    (b"\x02\xfe\x80\0\0\0\0\0" + bytes(32768) + (b"\x00\xfe\x80\0\0\0\0\0" + bytes(32768)) * 2, 1009),  # in pieces
    (b"\x88\x82\0\0\0\0\x03\xe8", 1000),  # the client ends it
]


@pytest.mark.parametrize(("sent", "code"), FRAMES)
def test_who_breaks_the_protocol_is_told_and_let_go(sent: bytes, code: int) -> None:
    async def check(served: Served) -> None:
        stream = await served.connect()
        async with stream:
            await stream.send_all(handshake() + sent)
            with trio.fail_after(10):
                answer = b"".join([piece async for piece in stream])
        frames = answer.partition(b"\r\n\r\n")[2]
        assert b"\x88" in frames
        assert int.from_bytes(frames[frames.rindex(b"\x88") + 2 :][:2], "big") == code

    serving(check)


def test_who_says_nothing_is_asked_and_let_go() -> None:
    async def check(served: Served) -> None:
        stream = await served.connect()
        async with stream:
            await stream.send_all(handshake())
            with trio.fail_after(10):
                answer = b"".join([piece async for piece in stream])
        assert answer.partition(b"\r\n\r\n")[2].count(b"\x89\x00") >= 1

    serving(check, settings=WebSettings(websocket_ping_seconds=0.05))


def test_who_answers_pings_stays_and_is_answered() -> None:
    async def check(served: Served) -> None:
        async with listening(served) as line:
            with trio.move_on_after(1.5):  # more than twice what a silent client is given
                await line.get_message()
            await line.ping()
            await line.send_message("x" * 60_000)  # nobody reads it
            await line.send_message(b"y" * 60_000)
            await subscribe(served)
            await Client(served).create()
            assert (await told(line))["00001002"] == 1
        assert line.closed.code == 1000

    serving(check, settings=WebSettings(websocket_ping_seconds=0.3))


def test_over_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue("server")
    certificates = Certificates(Certificate(str(certificate), str(key)))
    trusted = ssl.create_default_context(cafile=str(authority.ca))

    async def work() -> None:
        shutdown = trio.Event()
        (plain,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        place = f"localhost:{plain.socket.getsockname()[1]}/dicomweb"
        listeners = [SecureListener(plain, certificates)]
        async with engine.open("memory://") as archive, trio.open_nursery() as nursery:
            await nursery.start(partial(serve, listeners, Health(), archive, WebSettings(), shutdown=shutdown))
            async with (
                httpx.AsyncClient(verify=trusted, trust_env=False, base_url=f"https://{place}") as client,
                open_websocket_url(f"wss://{place}/subscribers/WS1", ssl_context=trusted) as line,
            ):
                answer = await client.post(f"/workitems/{ALL}/subscribers/WS1")
                assert answer.headers["content-location"] == f"wss://{place}/subscribers/WS1"
                assert (await client.post("/workitems?1.2.3", json=[new()], headers=TYPE)).status_code == 201
                assert (await told(line))["00741000"] == "SCHEDULED"
            shutdown.set()

    async def bounded() -> None:
        with trio.fail_after(30):
            await work()

    trio.run(bounded)
