"""The control socket: items, errors by kind, who may connect, what is left after a crash."""

import socket
import stat
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from engine import Invalid
from filmroom import control
from filmroom.exits import Unreachable

closed: list[str] = []


async def answer(do: str, parameters: dict[str, Any], tell: control.Tell) -> None:
    if do in ("forever", "silent"):
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.sleep_forever)
                await tell({"more": ""})
                while do != "silent":
                    await tell({"more": "x" * 10_000})
        finally:
            closed.append(do)
    for number in range(parameters["count"]):
        await tell({"number": number})
    if do == "refuse":
        raise Invalid("not so")
    if do == "break":
        raise RuntimeError("a defect")


def with_socket(folder: Path, body: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        shutdown = trio.Event()
        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:
                await nursery.start(partial(control.serve, folder, answer, shutdown=shutdown))
                await body()
                shutdown.set()

    trio.run(run)


async def items(folder: Path, do: str, **parameters: Any) -> list[Any]:
    return [item async for item in control.ask(folder, do, parameters)]


def test_items_come_in_order_and_nobody_else_may_connect(tmp_path: Path) -> None:
    async def body() -> None:
        assert await items(tmp_path, "count", count=1000) == [{"number": number} for number in range(1000)]
        assert stat.S_IMODE((tmp_path / control.NAME).stat().st_mode) == 0o600

    with_socket(tmp_path, body)
    assert not (tmp_path / control.NAME).exists()


def test_errors_keep_their_kind_and_the_node_lives(tmp_path: Path) -> None:
    async def body() -> None:
        with pytest.raises(Invalid, match="not so"):
            await items(tmp_path, "refuse", count=2)
        with pytest.raises(RuntimeError, match="a defect"):
            await items(tmp_path, "break", count=0)
        stream = await control.connect(tmp_path)
        assert stream is not None
        await stream.send_all(b"no json\n")
        assert b'"error"' in await stream.receive_some()
        await stream.aclose()
        assert await items(tmp_path, "count", count=1) == [{"number": 0}]

    with_socket(tmp_path, body)


def test_a_leftover_socket_is_replaced_and_answers_nobody(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as crashed:
        crashed.bind(str(tmp_path / control.NAME))

    async def leave() -> None:
        assert await control.connect(tmp_path) is None
        with pytest.raises(Unreachable):
            await items(tmp_path, "count", count=1)

    trio.run(leave)

    async def body() -> None:
        assert await items(tmp_path, "count", count=1) == [{"number": 0}]

    with_socket(tmp_path, body)


def test_a_long_path_is_no_hindrance(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 120)
    folder.mkdir()

    async def body() -> None:
        assert await items(folder, "count", count=1) == [{"number": 0}]

    with_socket(folder, body)


@pytest.mark.parametrize("do", ["forever", "silent"])
def test_what_was_asked_ends_with_the_command_that_asked(tmp_path: Path, do: str) -> None:
    """Told to a socket that nobody reads, or at work without a word: both end, nursery and all, and the node lives."""

    async def body() -> None:
        closed.clear()
        async with aclosing(control.ask(tmp_path, do, {})) as answers:
            async for _ in answers:
                break
        with trio.fail_after(10):
            while not closed:
                await trio.lowlevel.checkpoint()
        assert await items(tmp_path, "count", count=1) == [{"number": 0}]

    with_socket(tmp_path, body)
    assert closed == [do]
