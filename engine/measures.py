"""What this process did since it was started, counted: figures for operators, without patient data."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import msgspec

from engine.clock import Clock
from engine.errors import FilmroomError

BOUNDS_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Timings(msgspec.Struct, frozen=True):
    """How long something took. ``counts[i]``: up to ``bounds[i]`` seconds, above the one before; the last: beyond."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    total_seconds: float


class Stopwatch:
    """Gathers timings. Any thread may use it: a lost count is no harm."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._counts = [0] * (len(BOUNDS_SECONDS) + 1)
        self._seconds = 0.0

    def note(self, seconds: float) -> None:
        """One more."""
        self._counts[bisect_left(BOUNDS_SECONDS, seconds)] += 1
        self._seconds += seconds

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Time what is within, unless it fails."""
        begun = self._clock.monotonic()
        yield
        self.note(self._clock.monotonic() - begun)

    def timings(self) -> Timings:
        """As it stands."""
        return Timings(BOUNDS_SECONDS, tuple(self._counts), self._seconds)


class Measures:
    """Of one archive: queries, what readers waited for their first object, errors by kind."""

    def __init__(self, clock: Clock) -> None:
        self.queries = Stopwatch(clock)
        self.first_reads = Stopwatch(clock)
        self.errors: Counter[str] = Counter()

    @contextmanager
    def counted_errors(self) -> Iterator[None]:
        """Count what fails within."""
        try:
            yield
        except FilmroomError as error:
            self.errors[type(error).__name__.lower()] += 1
            raise


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """A reading of all of them. ``intake_age_seconds``: of the oldest instance that is not spilled; 0 without one."""

    stored_count: int
    stored_bytes: int
    acknowledgements: Timings
    queries: Timings
    first_reads: Timings
    errors: dict[str, int]
    intake_bytes: int
    intake_count: int
    intake_age_seconds: float
    sync_count: int
    sync_seconds: float
