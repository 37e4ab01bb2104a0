"""Bodies that a thread receives from the socket: what follows them, who is slow, silent or gone, how the node ends."""

import re
from collections.abc import Callable

import pytest
import trio
import trio.testing

import engine
from protocols.web import WebSettings
from tests.protocols.web.multiparts import BOUNDARY, body_of
from tests.protocols.web.serving import Served, serving, serving_in
from tests.protocols.web.studies import file_of, instance

ONE, TWO = (file_of(instance(1, 1, number)) for number in (1, 2))
BODY = body_of(ONE, TWO)
SEARCH = b"GET /dicomweb/instances HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
HASTY = WebSettings(body_idle_seconds_max=0.3, shutdown_seconds=0.3)


def head(length: int | None, *more: str) -> bytes:
    """Of a store; None: in chunks."""
    framing = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    lines = ("POST /dicomweb/studies HTTP/1.1", "Host: localhost", framing, *more)
    return "\r\n".join((*lines, f"Content-Type: multipart/related; boundary={BOUNDARY}", "", "")).encode()


def chunked(body: bytes, size: int) -> bytes:
    pieces = (body[at : at + size] for at in range(0, len(body), size))
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def statuses(answer: bytes) -> list[bytes]:
    return re.findall(rb"HTTP/1\.1 (\d+)", answer)


@pytest.mark.parametrize("is_chunked", [False, True])
@pytest.mark.parametrize("cut", [1, 90, 1000, 1 << 20])
def test_requests_behind_a_body_are_answered_in_their_turn(is_chunked: bool, cut: int) -> None:
    store = head(None) + chunked(BODY, 700) if is_chunked else head(len(BODY)) + BODY

    async def check(served: Served) -> None:
        stream = await served.connect()
        answer = b""
        async with stream, trio.open_nursery() as nursery:
            nursery.start_soon(dribble, stream, store + store + SEARCH, cut)
            async for piece in stream:
                answer += piece
        assert statuses(answer) == [b"200", b"200", b"200"]
        assert answer.count(b'"00081155"') == 4 and answer.endswith(b"]")

    serving(check)


async def dribble(stream: trio.SocketStream, sent: bytes, cut: int) -> None:
    """The first bytes in little pieces."""
    for at in range(0, min(len(sent), 300 * cut), cut):
        await stream.send_all(sent[at : at + cut])
    await stream.send_all(sent[300 * cut :])


def test_who_waits_for_leave_is_told_to_go_on() -> None:
    async def check(served: Served) -> None:
        stream = await served.connect()
        async with stream:
            await stream.send_all(head(len(BODY), "Expect: 100-continue", "Connection: close"))
            assert (await stream.receive_some(100)).startswith(b"HTTP/1.1 100 ")
            await stream.send_all(BODY)
            assert statuses(b"".join([piece async for piece in stream])) == [b"200"]

    serving(check)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (head(None) + b"5\nhello", b"400"),
        (head(None) + b"ffffffffffffffffff\r\n", b"400"),
        (head(None) + chunked(BODY[:-12], 700), b"400"),
        (head(len(BODY) - 12) + BODY[:-12], b"400"),
        (head((1 << 42) + 1) + BODY, b"413"),
        (head(None) + chunked(body_of(*[b""] * 17_000), 1 << 16), b"400"),
    ],
    ids=["feed", "size", "cut-chunks", "cut", "large", "parts"],
)
def test_h50_h55_an_unsound_body_is_refused_and_the_connection_ends(sent: bytes, status: bytes) -> None:
    async def check(served: Served) -> None:
        assert statuses(await served.raw(sent + SEARCH)) in ([status], [status, b"200"])
        assert (await served.client.get("/instances")).status_code in (200, 204)

    serving(check)


@pytest.mark.parametrize(
    "sent", [b"", BODY[:40], BODY[:300], BODY[: len(ONE) + 200]], ids=["none", "head", "data", "part"]
)
def test_h49_a_silent_client_is_given_up(sent: bytes) -> None:
    async def check(served: Served) -> None:
        assert statuses(await served.raw(head(len(BODY)) + sent)) == [b"408"]

    serving(check, settings=HASTY)


def test_slow_clients_hold_no_thread() -> None:
    """More of them than there are threads, each in the middle of a file; another's request is answered meanwhile."""

    async def check(served: Served) -> None:
        async with trio.open_nursery() as nursery:
            slow = [await served.connect() for _ in range(40)]
            for stream in slow:
                await stream.send_all(head(len(BODY)) + BODY[:300])
            with trio.fail_after(10):
                answer = await served.raw(head(len(BODY), "Connection: close") + BODY)
            assert statuses(answer) == [b"200"]
            for stream in slow:
                nursery.start_soon(stream.send_all, BODY[300:])
            for stream in slow:
                with trio.fail_after(20):
                    assert statuses(await stream.receive_some(100)) == [b"200"]
                await stream.aclose()

    serving(check)


async def ends_in_time(act: Callable[[trio.SocketStream, Served], object]) -> None:
    async with engine.open("memory://") as archive:

        async def check(served: Served) -> None:
            stream = await served.connect()
            await stream.send_all(head(len(BODY)) + BODY[: len(ONE) + 300])
            await trio.testing.wait_all_tasks_blocked(0.05)
            act(stream, served)

        with trio.fail_after(10):
            await serving_in(check, archive, settings=HASTY)
        assert archive._house.node.spooled() == []


def test_the_node_ends_in_the_middle_of_a_body() -> None:
    trio.run(ends_in_time, lambda stream, served: served.shutdown.set())
