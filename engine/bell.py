"""A bell that any thread rings, and that tasks of a trio loop wait for."""

import threading
from contextlib import suppress

import trio


class Bell:
    """Rings are counted: who says how many it knows misses none."""

    def __init__(self) -> None:
        self.count = 0
        self._lock = threading.Lock()
        self._waiting: dict[trio.Event, trio.lowlevel.TrioToken] = {}

    def ring(self) -> None:
        """Wake all who wait. Never blocks."""
        with self._lock:
            self.count += 1
            waiting, self._waiting = self._waiting, {}
        for event, token in waiting.items():
            with suppress(trio.RunFinishedError):
                token.run_sync_soon(event.set)

    async def heard(self, known_count: int) -> None:
        """Until it has rung more often than that."""
        event = trio.Event()
        with self._lock:
            if self.count != known_count:
                return
            self._waiting[event] = trio.lowlevel.current_trio_token()
        try:
            await event.wait()
        finally:
            with self._lock:
                self._waiting.pop(event, None)
