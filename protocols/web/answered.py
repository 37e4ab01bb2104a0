"""Answers of the web's door, counted by route and status, and timed."""

from collections import Counter

from engine import Stopwatch
from engine.clock import Clock


class Answered:
    """Of one process. ``counts``: by method, path of the route (never of the request) and status. ``stopwatch``: from
    the head of a request to that of its answer."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str, int]] = Counter()
        self.stopwatch = Stopwatch(Clock())

    def note(self, method: str, path: str, status: int, seconds: float) -> None:
        """One answer."""
        self.counts[method, path, status] += 1
        self.stopwatch.note(seconds)
