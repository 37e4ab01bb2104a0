"""How long a client may be waited for, so that next to nothing, now and then, holds nothing for ever (H63)."""

from collections.abc import Iterator
from contextlib import contextmanager

import trio


class Patience:
    """Of one client, in one direction. Waiting uses it up; each byte gives some of it back, and never more than there
    was in the beginning: a line that stalls for a while is borne with, one that is too slow in the long run is not.
    Only waiting for the client counts, nothing that we take time for ourselves.
    """

    def __init__(self, seconds_max: float, bytes_a_second_min: int) -> None:
        """``seconds_max``: the longest silence. ``bytes_a_second_min``: what must come, or be taken, on average."""
        self._seconds_max = self._left = seconds_max
        self._bytes_a_second_min = bytes_a_second_min

    @contextmanager
    def waiting(self, count: int = 0) -> Iterator[None]:
        """While the client is waited for, until it has taken ``count`` bytes. Raises trio.TooSlowError when there is no
        patience left."""
        began = trio.current_time()
        try:
            with trio.fail_after(self._left + count / self._bytes_a_second_min):
                yield
            self.came(count)
        finally:
            self.waited(trio.current_time() - began)

    def is_worth(self, count: int) -> bool:
        """Whether so many bytes give back a second or more."""
        return count >= self._bytes_a_second_min

    def waited(self, seconds: float) -> None:
        """So long was waited elsewhere."""
        self._left = max(self._left - seconds, 0.0)

    def came(self, count: int) -> None:
        """So many bytes came, or were taken."""
        self._left = min(self._left + count / self._bytes_a_second_min, self._seconds_max)
