"""Requests that wait for changes: how many there may be, and what wakes them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import trio

from protocols.web.ports import Archive
from protocols.web.problems import busy

COUNT_MAX: Final = 128  # a quarter of all requests in hand: others must be answered, too


class Watchers:
    """Of one process. Who has a place in it is woken by what the journal has more of, and by the end of the node."""

    def __init__(self, archive: Archive, shutdown: trio.Event) -> None:
        self.shutdown = shutdown
        self._archive = archive
        self._count = 0

    def check(self) -> None:
        """Raises Problem when there are too many."""
        if self._count >= COUNT_MAX:
            raise busy("too many wait for changes")

    @contextmanager
    def place(self) -> Iterator[None]:
        """Within: one more waits. Raises Problem when there are too many."""
        self.check()
        self._count += 1
        try:
            yield
        finally:
            self._count -= 1

    async def wake(self, rings_count: int, seconds: float) -> None:
        """Until the journal has more than when its bell had rung so often, the node ends, or the time is over."""
        with trio.move_on_after(seconds):
            async with trio.open_nursery() as nursery:

                async def ended() -> None:
                    await self.shutdown.wait()
                    nursery.cancel_scope.cancel()

                nursery.start_soon(ended)
                await self._archive.journalled.heard(rings_count)
                nursery.cancel_scope.cancel()
