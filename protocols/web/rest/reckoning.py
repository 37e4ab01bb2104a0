"""What the archive holds, reckoned by one and kept for all who ask within a minute."""

from typing import Final

import trio

from engine import Holdings
from protocols.web.ports import Archive

KEPT_SECONDS: Final = 60.0  # every series is looked at: some 20 us each


class Reckoning:
    """Of one process."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._one_at_a_time = trio.Lock()
        self._kept: Holdings | None = None
        self._reckoned_at = 0.0

    async def holdings(self) -> Holdings:
        """The last reckoning, or a new one."""
        async with self._one_at_a_time:
            if self._kept is None or trio.current_time() - self._reckoned_at >= KEPT_SECONDS:
                self._kept = await self._archive.holdings()
                self._reckoned_at = trio.current_time()
            return self._kept
