"""How much all requests that bring something may hold at once."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar, TypeVarTuple

import msgspec
import trio

from protocols.web.problems import busy

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

KIB: Final = 1 << 10
# While few requests bring something, each gathers so much before a thread takes it, and its files as the intake does.
BATCH_BYTES: Final = 1024 * KIB
FEW_COUNT: Final = 16
# Of many, each holds no more than this, so that all that are let in stay within a quarter of a gigabyte.
PRESSED_BYTES: Final = 128 * KIB
# Those that wait for the disk together share its syncs; more threads gain nothing.
THREADS_COUNT_MAX: Final = 16
# A full or hanging intake holds a thread for 20 s: who is not next then, is told to come again.
WAIT_SECONDS_MAX: Final = 30.0


class Bounds(msgspec.Struct, frozen=True):
    """Of one request. ``gather_bytes_max`` 0: as the intake does."""

    batch_bytes: int
    gather_bytes_max: int


class Uploads:
    """One for the process."""

    def __init__(self, wait_seconds_max: float = WAIT_SECONDS_MAX) -> None:
        self._wait_seconds_max = wait_seconds_max
        self._limiter = trio.CapacityLimiter(THREADS_COUNT_MAX)
        self._let_in = trio.CapacityLimiter(THREADS_COUNT_MAX)  # never waited for
        self._count = 0

    @contextmanager
    def one(self) -> Iterator[Bounds]:
        """While a request brings something."""
        self._count += 1
        try:
            is_pressed = self._count > FEW_COUNT
            yield Bounds(PRESSED_BYTES, PRESSED_BYTES) if is_pressed else Bounds(BATCH_BYTES, 0)
        finally:
            self._count -= 1

    async def run(self, work: Callable[[*Ts], T], *arguments: *Ts) -> T:
        """In a thread; not given up half-way when the client goes. Raises Problem (503) when none is free in time."""
        ticket = object()
        with trio.move_on_after(self._wait_seconds_max) as waiting:
            await self._limiter.acquire_on_behalf_of(ticket)
        if waiting.cancelled_caught:
            raise busy("too much is being stored at once")
        try:
            return await trio.to_thread.run_sync(work, *arguments, limiter=self._let_in)
        finally:
            self._limiter.release_on_behalf_of(ticket)
