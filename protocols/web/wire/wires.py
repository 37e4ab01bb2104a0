"""What a connection sends and receives through: a bare socket, or TLS. Who takes next to nothing is given up."""

import fcntl
import os
import struct
import termios
from collections.abc import Iterator, Sequence
from typing import Final, Protocol

import trio

from native.http1 import Incoming
from protocols.web.messages import Chunk, Whole
from protocols.web.patience import Patience
from protocols.web.wire.pouring import Pouring

RECEIVED_BYTES_MAX: Final = 64 << 10
SENT_BYTES_MAX: Final = 64 << 10  # over TLS: what of an answer is sent before we look at the clock
PARTS_COUNT_MAX: Final = 512  # of one system call; the kernel takes 1,024
# What a wire raises when the client is gone, or takes nothing.
GONE: Final = (OSError, trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError)


class Wire(Protocol):
    """``fileno``: of a socket that may be lent; -1: there is none."""

    fileno: int

    async def receive(self, incoming: Incoming) -> bool:
        """Wait until something came; False at the end."""

    async def send(self, parts: Sequence[Chunk], patience: Patience) -> None:
        """All of them. Raises what is in ``GONE``."""

    async def send_end(self) -> None:
        """Nothing more is sent; the client may still be sending."""

    async def close(self) -> None:
        """In order, if it can be."""


def cut_off(socket: trio.socket.SocketType) -> None:
    """Close it at once when it is closed: who takes nothing would leave megabytes with the kernel, for minutes."""
    socket.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, struct.pack("ii", 1, 0))


class Plain:
    """A socket."""

    def __init__(self, stream: trio.SocketStream, threads: trio.CapacityLimiter) -> None:
        self.fileno = stream.socket.fileno()
        self._stream = stream
        self._threads = threads
        self._given_bytes = self._taken_bytes = 0  # to the kernel; by the client, as far as we have counted

    async def receive(self, incoming: Incoming) -> bool:
        count = incoming.receive(self.fileno)
        if count >= 0:
            await trio.lowlevel.checkpoint()  # who sends quicker than we read must not keep the loop
        while count < 0:
            await trio.lowlevel.wait_readable(self.fileno)
            count = incoming.receive(self.fileno)
        return count > 0

    async def send(self, parts: Sequence[Chunk], patience: Patience) -> None:
        total = sum(map(len, parts))
        if not total:
            return
        sent = self._write(parts)
        if sent < total:
            await self._send_rest([memoryview(part) for part in parts], total, sent, patience)

    async def _send_rest(self, parts: list[memoryview], total: int, sent: int, patience: Patience) -> None:
        now = sent
        while True:
            while parts and now >= len(parts[0]):
                now -= len(parts.pop(0))
            if now:
                parts[0] = parts[0][now:]
            await self._until_writable(patience)
            now = self._write(parts)
            sent += now
            if sent >= total:
                return

    def _write(self, parts: Sequence[Chunk]) -> int:
        try:
            count = os.writev(self.fileno, parts[:PARTS_COUNT_MAX])
        except BlockingIOError:
            return 0
        self._given_bytes += count
        return count

    async def _until_writable(self, patience: Patience) -> None:
        """Until the kernel takes more. It may hold megabytes, and says so only when a good part of them has gone: what
        the client has acknowledged counts, for it and against it."""
        while True:
            try:
                with patience.waiting():
                    await trio.lowlevel.wait_writable(self.fileno)
            except trio.TooSlowError:
                if not patience.is_worth(count := self._taken()):
                    cut_off(self._stream.socket)
                    raise
                patience.came(count)
            else:
                patience.came(self._taken())
                return

    def _taken(self) -> int:
        """What the client has acknowledged since this was asked last."""
        (queued,) = struct.unpack("i", fcntl.ioctl(self.fileno, termios.TIOCOUTQ, bytes(4)))
        before, self._taken_bytes = self._taken_bytes, self._given_bytes - queued
        return self._taken_bytes - before

    async def pour(self, head: bytes, pieces: Iterator[Chunk | Whole], patience: Patience) -> int:
        """Send what a blocking iterator makes, by a thread; how many bytes it made. Raises as ``send``."""
        pouring = Pouring(self.fileno, head, pieces)
        before = self._given_bytes + len(head)
        while not await trio.to_thread.run_sync(pouring.work, limiter=self._threads):
            self._given_bytes = before + pouring.count
            await self._until_writable(patience)
        self._given_bytes = before + pouring.count
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

    async def send(self, parts: Sequence[Chunk], patience: Patience) -> None:
        whole = memoryview(parts[0] if len(parts) == 1 else b"".join(parts))
        for at in range(0, len(whole), SENT_BYTES_MAX):
            piece = whole[at : at + SENT_BYTES_MAX]
            try:
                with patience.waiting(len(piece)):
                    await self._stream.send_all(piece)
            except trio.TooSlowError:
                cut_off(self._stream.transport_stream.socket)
                raise

    async def send_end(self) -> None:
        """TLS has no half of a connection."""

    async def close(self) -> None:
        await self._stream.aclose()
