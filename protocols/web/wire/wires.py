"""What a connection sends and receives through: a bare socket, or TLS. Who takes next to nothing is given up."""

import os
from collections.abc import Iterator, Sequence
from typing import Final, Protocol

import trio

from native.http1 import Incoming
from protocols.web.messages import Chunk, Whole
from protocols.web.wire.pouring import Pouring

RECEIVED_BYTES_MAX: Final = 64 << 10
SENT_BYTES_MAX: Final = 256 << 10  # what a reader must take in ``idle_seconds``
PARTS_COUNT_MAX: Final = 512  # of one system call; the kernel takes 1,024
# What a wire raises when the client is gone, or takes nothing.
GONE: Final = (OSError, trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError)


class Wire(Protocol):
    """``fileno``: of a socket that may be lent; -1: there is none."""

    fileno: int

    async def receive(self, incoming: Incoming) -> bool:
        """Wait until something came; False at the end."""

    async def send(self, parts: Sequence[Chunk], idle_seconds: float) -> None:
        """All of them. Raises what is in ``GONE``."""

    async def send_end(self) -> None:
        """Nothing more is sent; the client may still be sending."""

    async def close(self) -> None:
        """In order, if it can be."""


class Plain:
    """A socket."""

    def __init__(self, stream: trio.SocketStream, threads: trio.CapacityLimiter) -> None:
        self.fileno = stream.socket.fileno()
        self._stream = stream
        self._threads = threads

    async def receive(self, incoming: Incoming) -> bool:
        count = incoming.receive(self.fileno)
        if count >= 0:
            await trio.lowlevel.checkpoint()  # who sends quicker than we read must not keep the loop
        while count < 0:
            await trio.lowlevel.wait_readable(self.fileno)
            count = incoming.receive(self.fileno)
        return count > 0

    async def send(self, parts: Sequence[Chunk], idle_seconds: float) -> None:
        total = sum(map(len, parts))
        if not total:
            return
        sent = self._write(parts)
        if sent < total:
            await self._send_rest([memoryview(part) for part in parts], total, sent, idle_seconds)

    async def _send_rest(self, parts: list[memoryview], total: int, sent: int, idle_seconds: float) -> None:
        deadline, due = trio.current_time() + idle_seconds, sent + SENT_BYTES_MAX
        now = sent
        while True:
            while parts and now >= len(parts[0]):
                now -= len(parts.pop(0))
            if now:
                parts[0] = parts[0][now:]
            with trio.fail_at(deadline):
                await trio.lowlevel.wait_writable(self.fileno)
            now = self._write(parts)
            sent += now
            if sent >= total:
                return
            if sent >= due:
                deadline, due = trio.current_time() + idle_seconds, sent + SENT_BYTES_MAX

    def _write(self, parts: Sequence[Chunk]) -> int:
        try:
            return os.writev(self.fileno, parts[:PARTS_COUNT_MAX])
        except BlockingIOError:
            return 0

    async def pour(self, head: bytes, pieces: Iterator[Chunk | Whole], idle_seconds: float) -> int:
        """Send what a blocking iterator makes, by a thread; how many bytes it made. Raises as ``send``."""
        pouring = Pouring(self.fileno, head, pieces)
        while not await trio.to_thread.run_sync(pouring.work, limiter=self._threads):
            with trio.fail_after(idle_seconds):
                await trio.lowlevel.wait_writable(self.fileno)
        return pouring.count

    async def send_end(self) -> None:
        await self._stream.send_eof()

    async def close(self) -> None:
        await self._stream.aclose()


class Secure:
    """TLS."""

    fileno = -1

    def __init__(self, stream: trio.SSLStream[trio.SocketStream]) -> None:
        self._stream = stream

    async def receive(self, incoming: Incoming) -> bool:
        data = await self._stream.receive_some(RECEIVED_BYTES_MAX)
        incoming.feed(data)
        return bool(data)

    async def send(self, parts: Sequence[Chunk], idle_seconds: float) -> None:
        whole = memoryview(parts[0] if len(parts) == 1 else b"".join(parts))
        for at in range(0, len(whole), SENT_BYTES_MAX):
            with trio.fail_after(idle_seconds):
                await self._stream.send_all(whole[at : at + SENT_BYTES_MAX])

    async def send_end(self) -> None:
        """TLS has no half of a connection."""

    async def close(self) -> None:
        await self._stream.aclose()
