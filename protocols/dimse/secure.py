"""DICOM over TLS (PS3.15 B.12): a connection with TLS outside, and inside a plain socket that everything else works on.

A pump moves bytes between the two, deciphered and enciphered: a little of them in the event loop, many in a leased
thread. See docs/decisions/0015-tls-by-a-pump.md for why, and what it costs.
"""

import contextlib
import select
import socket
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import trio

# In the event loop at most so much is moved at once: 64 KiB take 0.1 ms.
INLINE_BYTES: Final = 64 << 10
# Gathered before it is handed on: TLS comes in records of 16 KiB.
PIECE_BYTES: Final = 256 << 10
# A thread gives up after so much silence, and after so many bytes in any case.
IDLE_MS: Final = 20
LEASE_BYTES: Final = 64 << 20
# How long a peer may take to take the last that is said to it.
LAST_SECONDS: Final = 2.0
# Threads of all pumps: most of them wait for a socket.
THREADS_MAX: Final = 32


async def shake(outer: ssl.SSLSocket, seconds: float) -> None:
    """The handshake. Raises OSError (ssl.SSLError among them), trio.TooSlowError."""
    with trio.fail_after(seconds):
        while True:
            try:
                return outer.do_handshake()
            except ssl.SSLWantReadError:
                await trio.lowlevel.wait_readable(outer)
            except ssl.SSLWantWriteError:
                await trio.lowlevel.wait_writable(outer)


def wrapped(
    stream: trio.SocketStream, context: ssl.SSLContext, *, server_side: bool, name: str | None = None
) -> ssl.SSLSocket:
    """The stream's socket with TLS; nothing is said yet. The stream is used up."""
    plain = socket.socket(fileno=stream.socket.detach())
    plain.setblocking(False)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(
        plain, server_side=server_side, do_handshake_on_connect=False, server_hostname=name, suppress_ragged_eofs=True
    )


@asynccontextmanager
async def opened(outer: ssl.SSLSocket) -> AsyncIterator[trio.socket.SocketType]:
    """The plain side of a connection whose handshake is done, while it is pumped; who closes it ends both."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    trouble: Exception | None = None
    inner = trio.socket.from_stdlib_socket(theirs)
    async with trio.open_nursery() as nursery:
        pump = Pump(outer, ours)
        nursery.start_soon(pump.run)
        try:
            yield inner
        except Exception as error:  # noqa: BLE001 - raised as it is when the pump has ended, not in a group
            trouble = error
        finally:
            inner.close()
            pump.end_soon()
    if trouble is not None:
        raise trouble


class _Way:
    """Bytes of one direction: what has been taken and not been given yet."""

    def __init__(self) -> None:
        self.buffer = memoryview(b"")
        self.begin = self.end = 0
        self.over = False  # nothing more will come

    @property
    def held(self) -> int:
        return self.end - self.begin

    def make_room(self) -> None:
        """Before anything is taken, when nothing is held."""
        self.begin = self.end = 0
        if not self.buffer:
            self.buffer = memoryview(bytearray(PIECE_BYTES))

    def trim(self) -> None:
        """An idle association holds no buffers."""
        if not self.held:
            self.buffer = memoryview(b"")


class Pump:
    """Moves bytes until the plain side is closed. What the peer has not taken soon after that is dropped (H18)."""

    _threads: trio.CapacityLimiter | None = None

    def __init__(self, outer: ssl.SSLSocket, inner: socket.socket) -> None:
        self._outer = outer
        self._inner = inner
        self._in = _Way()
        self._out = _Way()
        self._waits: dict[socket.socket, int] = {}
        self._is_broken = False
        self._is_ending = False
        self._scope = trio.CancelScope(shield=True)

    def end_soon(self) -> None:
        """The plain side is closed: what was said on it may still be taken, for a while."""
        self._is_ending = True
        self._scope.deadline = trio.current_time() + LAST_SECONDS

    async def run(self) -> None:
        """Shielded: ``end_soon`` is always called."""
        with contextlib.closing(self._outer), contextlib.closing(self._inner):
            with self._scope:
                await self._run()
            self._say_goodbye()

    async def _run(self) -> None:
        while not self._is_over():
            if self._turn(INLINE_BYTES) >= INLINE_BYTES and not self._is_ending:
                await trio.to_thread.run_sync(self._lease, limiter=_limiter())
            elif not self._is_over():
                await self._wait()

    def _is_over(self) -> bool:
        return self._out.over and (self._is_broken or not self._out.held)

    def _lease(self) -> None:
        """In a thread: until nothing moves for a while."""
        left = LEASE_BYTES
        while left > 0 and not self._is_over() and not self._is_ending:
            moved = self._turn(LEASE_BYTES)
            left -= moved
            if not moved:
                poll = select.poll()
                for one, events in self._waits.items():
                    if events:
                        poll.register(one, events)
                if not poll.poll(IDLE_MS):
                    return

    async def _wait(self) -> None:
        """Until one of the sockets is ready for what we want of it."""
        self._in.trim()
        self._out.trim()
        async with trio.open_nursery() as nursery:

            async def until(wait: object, one: socket.socket) -> None:
                await wait(one)  # type: ignore[operator]
                nursery.cancel_scope.cancel()

            for one, events in self._waits.items():
                if events & select.POLLIN:
                    nursery.start_soon(until, trio.lowlevel.wait_readable, one)
                if events & select.POLLOUT:
                    nursery.start_soon(until, trio.lowlevel.wait_writable, one)

    # -- without waiting ---------------------------------------------------------------------------------------------

    def _turn(self, bytes_max: int) -> int:
        """Move what can be moved, in both directions; how many bytes. ``_waits`` is what to wait for then."""
        moved = 0
        while moved < bytes_max:
            self._waits = {self._outer: 0, self._inner: 0}
            now = self._take_outer() + self._give_inner() + self._take_inner() + self._give_outer()
            if not now:
                break
            moved += now
        return moved

    def _take_outer(self) -> int:
        way, taken = self._in, 0
        if way.held or way.over:
            return 0
        way.make_room()
        while way.end < PIECE_BYTES:
            got = self._secure(self._outer.recv_into, way.buffer[way.end :])
            if got is None:
                break
            if not got:
                way.over = True
                break
            way.end += got
            taken += got
        if taken:
            with contextlib.suppress(OSError):
                self._outer.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        return taken

    def _give_outer(self) -> int:
        way, given = self._out, 0
        while way.held and not self._is_broken:
            sent = self._secure(self._outer.send, way.buffer[way.begin : way.end])
            if sent is None:
                break
            way.begin += sent
            given += sent
        return given

    def _secure(self, call: object, view: memoryview) -> int | None:
        """A call of the TLS side; None: not now, or never again."""
        try:
            done: int = call(view)  # type: ignore[operator]
            return done
        except ssl.SSLWantReadError:
            self._waits[self._outer] |= select.POLLIN
        except ssl.SSLWantWriteError:
            self._waits[self._outer] |= select.POLLOUT
        except OSError:
            self._is_broken = self._in.over = True
        return None

    def _take_inner(self) -> int:
        way = self._out
        if way.over or (way.held and not self._is_broken):
            return 0
        way.make_room()
        try:
            got = self._inner.recv_into(way.buffer)
        except BlockingIOError:
            self._waits[self._inner] |= select.POLLIN
            return 0
        except OSError:
            got = 0
        way.over, way.end = got == 0, got
        return got

    def _give_inner(self) -> int:
        way, given = self._in, 0
        try:
            while way.held:
                sent = self._inner.send(way.buffer[way.begin : way.end])
                way.begin += sent
                given += sent
            if way.over:
                self._inner.shutdown(socket.SHUT_WR)
        except BlockingIOError:
            self._waits[self._inner] |= select.POLLOUT
        except OSError:
            way.begin, way.over = way.end, True  # nobody is there to take it
        return given

    def _say_goodbye(self) -> None:
        with contextlib.suppress(OSError):
            if self._is_broken or self._out.held:
                self._outer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            else:
                self._outer.unwrap()


def _limiter() -> trio.CapacityLimiter:
    """One for the process."""
    if Pump._threads is None:
        Pump._threads = trio.CapacityLimiter(THREADS_MAX)
    return Pump._threads
