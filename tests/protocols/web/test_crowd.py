"""More connections than there are places, and long heads on many of them (H54, H63)."""

import re

import trio

from protocols.web import WebSettings
from tests.protocols.web.serving import Served, serving
from tests.protocols.web.test_stow_sockets import SEARCH, statuses

LONG_BYTES = 90_000
FEW = WebSettings(connections_count_max=3)
TIGHT = WebSettings(long_heads_bytes_max=150_000)


async def until_served(served: Served) -> None:
    """A place is free again, however soon the last one is given back."""
    while statuses(await served.raw(SEARCH)) != [b"200"]:
        pass


def test_h63_who_comes_when_all_places_are_taken_is_told_to_come_again() -> None:
    async def check(served: Served) -> None:
        held = [await served.connect() for _ in range(3)]
        for stream in held:
            await stream.send_all(b"GET /dicomweb/instances HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert statuses(await stream.receive_some(4096)) == [b"200"]
        for _ in range(100):
            answer = await served.raw(SEARCH)
            assert answer.startswith(b"HTTP/1.1 503 ") and b"\r\nConnection: close\r\n" in answer
            assert int(re.findall(rb"Retry-After: (\d+)", answer)[0]) >= 1
        await held.pop().aclose()
        await until_served(served)
        for stream in held:
            await stream.aclose()

    serving(check, settings=FEW)


def test_h63_turning_away_has_a_bound_too() -> None:
    """Who is turned away and does not go, takes no place from those who come next, nor from each other for long."""

    async def check(served: Served) -> None:
        held = [await served.connect() for _ in range(3 + 200)]
        await held[0].send_all(b"GET /dicomweb/instances HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert statuses(await held[0].receive_some(4096)) == [b"200"]
        with trio.fail_after(5):
            for stream in held[3:]:
                assert (await stream.receive_some(4096)).startswith(b"HTTP/1.1 503 ")
        for stream in held:
            await stream.aclose()
        await until_served(served)

    serving(check, settings=FEW)


async def long_head(served: Served) -> trio.SocketStream:
    """All of it but its end."""
    stream = await served.connect()
    await stream.send_all(b"GET /dicomweb/instances HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * LONG_BYTES)
    return stream


def test_h54_long_heads_share_one_room() -> None:
    async def check(served: Served) -> None:
        first = await long_head(served)
        await served.client.get("/instances")  # by now the first head has come
        second = await long_head(served)
        answer = await second.receive_some(4096)
        assert statuses(answer) == [b"503"] and b"Retry-After: 1" in answer
        assert (await served.client.get("/instances")).status_code == 200, "short heads are read as ever"
        for _ in range(3):  # what is done with is given back, and the connection stays
            await first.send_all(b"\r\n\r\n")
            assert statuses(await first.receive_some(4096)) == [b"200"]
            await first.send_all(b"GET /dicomweb/instances HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * LONG_BYTES)
        await first.aclose()
        for _ in range(3):  # and so is that of who goes in the middle
            answer = b""
            while statuses(answer) != [b"200"]:
                third = await long_head(served)
                try:
                    await third.send_all(b"\r\n\r\n")
                    answer = await third.receive_some(4096)
                except trio.BrokenResourceError:
                    continue
                finally:
                    await third.aclose()
            await (await long_head(served)).aclose()

    serving(check, settings=TIGHT)
