"""When the spill may take the processor and the disk: not while senders need both, and not for long."""

from engine.clock import Clock
from engine.limits import LIMITS


class Pace:
    """Says whether what waits behind the acknowledgement is due. Guarded by its owner's lock.

    It is due once senders pause, or much or old work waits, or somebody waits for it; then until none is left. So a
    burst is answered at the speed of the intake, and a sustained load goes on at that of the spill.
    """

    def __init__(self, clock: Clock, bytes_max: int) -> None:
        """``bytes_max``: of waiting instances, above which senders no longer come first; 0: they never do."""
        self._clock = clock
        self._bytes_max = bytes_max
        self._count = 0
        self._bytes = 0
        self._oldest_at = 0.0
        self._moved_at = 0.0
        self._written_lsn = 0
        self._due = False

    def came(self, count: int, size_bytes: int) -> None:
        """More waits."""
        if self._count == 0:
            self._oldest_at = self._clock.monotonic()
        self._count += count
        self._bytes += size_bytes

    def went(self, count: int, size_bytes: int) -> None:
        """That much is done."""
        self._count -= count
        self._bytes -= size_bytes
        self._due = self._due and self._count > 0

    def hurry(self) -> None:
        """Somebody waits for what is there."""
        self._due = self._count > 0

    def seconds_left(self, written_lsn: int) -> float:
        """How long to rest before asking again, with what senders have written by now; 0: it is due."""
        now = self._clock.monotonic()
        if written_lsn != self._written_lsn:
            self._written_lsn, self._moved_at = written_lsn, now
        paused = self._moved_at + LIMITS.spill_pause_seconds - now
        left = min(paused, self._oldest_at + LIMITS.spill_rest_seconds_max - now)
        much = self._count >= LIMITS.spill_rest_count_max or self._bytes >= self._bytes_max
        self._due = self._due or much or left <= 0
        return 0.0 if self._due else left
