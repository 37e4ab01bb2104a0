"""Worker threads for busy associations: leased, shared fairly, and called back by eventfd."""

import contextlib
import math
import os
from functools import partial
from typing import Protocol

import trio

from engine.threads import in_thread
from protocols.dimse.settings import DimseSettings


class Interrupt:
    """An eventfd that ends a blocking call in a thread. Made by ``Interrupts``."""

    def __init__(self) -> None:
        self.fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def set(self) -> None:
        if self.fd >= 0:
            os.eventfd_write(self.fd, 1)

    def clear(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self.fd)

    def close(self) -> None:
        os.close(self.fd)
        self.fd = -1


class Interrupts:
    """All interrupts of a node, so that none of its threads outlives it."""

    def __init__(self) -> None:
        self._open: set[Interrupt] = set()

    def new(self) -> Interrupt:
        interrupt = Interrupt()
        self._open.add(interrupt)
        return interrupt

    def close(self, interrupt: Interrupt) -> None:
        self._open.discard(interrupt)
        interrupt.close()

    def set_all(self) -> None:
        for interrupt in self._open:
            interrupt.set()


class Leaseholder(Protocol):
    """Something that receives in a thread: ``native.wire.Receiver``."""

    def run(self, fd: int, cancel_fd: int, idle_ms: int, budget_bytes: int) -> int: ...


class Leases:
    """A fixed number of receiving threads. Who waits longer than ``lease_shared_ms`` calls the oldest lease back."""

    def __init__(self, settings: DimseSettings) -> None:
        self._settings = settings
        self._turns = trio.CapacityLimiter(settings.receive_threads_max)
        self._threads = trio.CapacityLimiter(math.inf)
        self._running: dict[object, Interrupt] = {}

    async def run(self, receiver: Leaseholder, fd: int, interrupt: Interrupt) -> int:
        """One lease; what ``receiver.run`` returned."""
        lease = object()
        await self._take_turn(lease)
        self._running[lease] = interrupt
        try:
            settings = self._settings
            work = partial(receiver.run, fd, interrupt.fd, settings.lease_idle_ms, settings.lease_bytes_max)
            return await in_thread(work, self._threads)
        finally:
            self._running.pop(lease, None)
            self._turns.release_on_behalf_of(lease)

    async def _take_turn(self, lease: object) -> None:
        try:
            self._turns.acquire_on_behalf_of_nowait(lease)
        except trio.WouldBlock:
            with trio.move_on_after(self._settings.lease_shared_ms / 1000):
                await self._turns.acquire_on_behalf_of(lease)
                return
            self._call_back_oldest()
            await self._turns.acquire_on_behalf_of(lease)

    def _call_back_oldest(self) -> None:
        for lease in self._running:
            self._running.pop(lease).set()
            return
