"""Figures of the node over the last minutes: a ring in memory, gone with the node. Counts only, no patient data."""

from collections import deque
from typing import Any, Final

import msgspec
import trio

from engine.clock import Clock
from engine.errors import FilmroomError
from protocols.web.ports import Archive, Household

EVERY_SECONDS: Final = 10.0
KEPT_COUNT_MAX: Final = 180  # half an hour
FRESH_SECONDS: Final = 1.0  # who looks more often sees the same: a look waits for what is acknowledged to be indexed


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One look. Counts of ``stored``, ``queries`` and ``query_times`` are since the start of the process.

    ``query_times[i]``: queries up to ``History.bounds_seconds[i]``, the last one beyond. ``free_bytes``: of the disk;
    None: there is none. ``acknowledged_lsn``: who sees the same one sees the same archive.
    """

    at_us: int
    stored_count: int
    query_times: tuple[int, ...]
    intake_bytes: int
    intake_count: int
    study_count: int = 0
    instance_count: int = 0
    free_bytes: int | None = None
    acknowledged_lsn: int = 0

    @property
    def query_count(self) -> int:
        """All of them."""
        return sum(self.query_times)


class History:
    """Of one process."""

    def __init__(self, archive: Archive, household: Household | None) -> None:
        self.samples: deque[Sample] = deque(maxlen=KEPT_COUNT_MAX)
        self.bounds_seconds: tuple[float, ...] = ()
        self.status: dict[str, Any] = {}  # as of the last look
        self._archive = archive
        self._household = household
        self._clock = Clock()
        self._one_at_a_time = trio.Lock()
        self._last: Sample | None = None
        self._looked_at = 0.0

    async def run(self) -> None:
        """Looks now and then; never ends by itself."""
        while True:
            try:
                self.samples.append(await self.now())
            except FilmroomError:  # the archive says why to those who ask it
                self._last = None
            await trio.sleep(EVERY_SECONDS)

    async def now(self) -> Sample:
        """A look of this second. Raises FilmroomError."""
        async with self._one_at_a_time:
            if self._last is None or trio.current_time() - self._looked_at >= FRESH_SECONDS:
                self._last = await self._look()
                self._looked_at = trio.current_time()
            return self._last

    async def _look(self) -> Sample:
        if self._household is not None:
            self.status = await self._household.status()
        read = await self._archive.measured()
        self.bounds_seconds = read.queries.bounds
        return Sample(
            at_us=self._clock.now_us(),
            stored_count=read.stored_count,
            query_times=read.queries.counts,
            intake_bytes=read.intake_bytes,
            intake_count=read.intake_count,
            study_count=self.status.get("study_count", 0),
            instance_count=self.status.get("instance_count", 0),
            free_bytes=self.status.get("free_bytes"),
            acknowledged_lsn=self.status.get("acknowledged_lsn", 0),
        )
