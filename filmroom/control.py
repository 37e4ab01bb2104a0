"""The control socket of a running node, ``node/control.sock`` (0600): one request a connection, JSON line by line.

Request ``{"do": NAME, "with": {...}}``; answers ``{"item": ...}`` any number of times, then ``{"end": true}`` or
``{"error": KIND, "text": SENTENCE}``. A command that hangs up ends what it had asked for.
"""

import logging
import os
import pwd
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any

import msgspec
import trio

import engine
from filmroom.exits import Unreachable, leaf_of

NAME = "control.sock"
LINE_BYTES_MAX = 4 << 20  # ten thousand paths to import
REQUEST_SECONDS_MAX = 10.0
KINDS: dict[str, type[Exception]] = {
    kind.__name__: kind
    for kind in (engine.Unavailable, engine.Invalid, engine.Missing, engine.Conflict, engine.Corrupt, engine.Fenced)
}
KINDS["Unreachable"] = Unreachable
# What the node meets when a command has gone, or never asked.
HUNG_UP = (trio.BrokenResourceError, trio.TooSlowError, StopAsyncIteration)
Tell = Callable[[Any], Awaitable[None]]
Answer = Callable[[str, dict[str, Any], Tell], Awaitable[None]]
log = logging.getLogger("filmroom.control")


async def serve(
    folder: Path,
    answer: Answer,
    *,
    shutdown: trio.Event,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Answer commands until shutdown. The caller holds the folder's lock: a socket that is there is a leftover."""
    with suppress(FileNotFoundError):
        (folder / NAME).unlink()
    listener = trio.SocketListener(_bound(folder))
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.serve_listeners, lambda stream: _converse(stream, answer), [listener])
            task_status.started()
            await shutdown.wait()
            nursery.cancel_scope.cancel()
    finally:
        with suppress(FileNotFoundError):
            (folder / NAME).unlink()


async def ask(folder: Path, do: str, parameters: dict[str, Any]) -> AsyncGenerator[Any, None]:
    """Items of one command's answer. Raises what the node raised; Unreachable when it went away."""
    stream = await connect(folder)
    if stream is None:
        raise Unreachable(f"no node listens in {folder}")
    async with stream:
        await stream.send_all(msgspec.json.encode({"do": do, "with": parameters}) + b"\n")
        async with aclosing(_lines(stream)) as lines:
            async for line in lines:
                message = msgspec.json.decode(line)
                if "item" in message:
                    yield message["item"]
                elif "error" in message:
                    raise KINDS.get(message["error"], RuntimeError)(message["text"])
                else:
                    return
    raise Unreachable("the node went away before it had answered")


async def connect(folder: Path) -> trio.SocketStream | None:
    """A connection to the node that serves this folder, or None when none does."""
    try:
        if not (folder / NAME).exists():
            return None
    except PermissionError:
        raise PermissionError(_not_ours(folder.parent)) from None
    endpoint = trio.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    directory = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        await endpoint.connect(f"/proc/self/fd/{directory}/{NAME}")  # a socket's path may have 107 bytes only
    except (ConnectionRefusedError, FileNotFoundError):
        endpoint.close()
        return None
    except PermissionError:
        endpoint.close()
        raise PermissionError(_not_ours(folder.parent)) from None
    finally:
        os.close(directory)
    return trio.SocketStream(endpoint)


def _not_ours(place: Path) -> str:
    owner = place.stat().st_uid
    try:
        name = pwd.getpwuid(owner).pw_name
    except KeyError:  # of another container, say
        name = f"user {owner}"
    return f"{place} belongs to {name}: run this command as {name} (sudo -u, say)"


def _bound(folder: Path) -> trio.socket.SocketType:
    endpoint = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    directory = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    mask = os.umask(0o177)  # nobody else may connect, not even for a moment
    try:
        endpoint.bind(f"/proc/self/fd/{directory}/{NAME}")
    finally:
        os.umask(mask)
        os.close(directory)
    endpoint.listen(16)
    return trio.socket.from_stdlib_socket(endpoint)


async def _converse(stream: trio.SocketStream, answer: Answer) -> None:
    sending = trio.Lock()  # an operation may tell how far it is while it tells what it found

    async def tell(item: Any) -> None:
        async with sending:
            await stream.send_all(msgspec.json.encode({"item": item}) + b"\n")

    async with stream:
        try:
            with trio.fail_after(REQUEST_SECONDS_MAX):
                async with aclosing(_lines(stream)) as lines:
                    request = msgspec.json.decode(await anext(lines))
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_until_hung_up, stream, nursery.cancel_scope)
                await answer(request["do"], request["with"], tell)
                await stream.send_all(b'{"end":true}\n')
                nursery.cancel_scope.cancel()
        except* Exception as group:  # noqa: BLE001 - a defect in one command must not end the node
            await _refuse(stream, leaf_of(group))


async def _until_hung_up(stream: trio.SocketStream, scope: trio.CancelScope) -> None:
    with suppress(trio.BrokenResourceError):
        while await stream.receive_some():
            pass
    scope.cancel()


async def _refuse(stream: trio.SocketStream, error: BaseException) -> None:
    if isinstance(error, HUNG_UP):
        return
    kind = type(error).__name__
    if kind not in KINDS:
        log.error("command failed", exc_info=error)
    with suppress(trio.BrokenResourceError):
        await stream.send_all(msgspec.json.encode({"error": kind, "text": str(error)}) + b"\n")


async def _lines(stream: trio.SocketStream) -> AsyncGenerator[bytes, None]:
    pending = bytearray()
    async for chunk in stream:
        searched = len(pending)
        pending += chunk
        while (end := pending.find(b"\n", searched)) >= 0:
            yield bytes(pending[:end])
            del pending[: end + 1]
            searched = 0
        if len(pending) > LINE_BYTES_MAX:
            raise engine.Invalid("a line of the control socket is too long")
