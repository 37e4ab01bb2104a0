"""From a blocking iterator into a socket, by one thread: what it has just read is still in its processor's cache when
it is sent. It never waits long; for a slow reader the event loop waits.
"""

from collections.abc import Iterator
from typing import Final

from engine.errors import Corrupt
from native.pour import GONE, POURED, SHORT, UNSOUND, Pour
from protocols.stored import NOT_WRITTEN, TOO_SHORT
from protocols.web.messages import Chunk, Whole

GATHERED_BYTES: Final = 128 << 10  # small pieces are sent together
LEASE_BYTES_MAX: Final = 32 << 20  # then others may have the thread
WAIT_MS_MAX: Final = 5


class Pouring:
    """What one iterator makes, on its way into a socket that does not block."""

    def __init__(self, fileno: int, head: bytes, pieces: Iterator[Chunk | Whole]) -> None:
        """``head`` goes first and is not counted."""
        self._pieces = pieces
        self._pour = Pour(fileno)
        self._head_bytes = len(head)
        self._pour.put(head)

    @property
    def count(self) -> int:
        """Bytes of the pieces that were sent."""
        return self._pour.count - self._head_bytes

    def work(self) -> bool:
        """True: all is sent. False: the reader takes no more for now, or the lease is over. Raises what the iterator
        does, Corrupt, BrokenPipeError."""
        end = self._pour.count + LEASE_BYTES_MAX
        while True:
            state = self._pour.work(end - self._pour.count, WAIT_MS_MAX)
            if state == UNSOUND:
                raise Corrupt(NOT_WRITTEN)
            if state == SHORT:
                raise Corrupt(TOO_SHORT)
            if state == GONE:
                raise BrokenPipeError
            if state != POURED:
                return False
            if not self._put_next():
                return True

    def _put_next(self) -> bool:
        """Whether there is anything to send. Small pieces go together, and with the object behind them."""
        small: list[Chunk] = []
        size = 0
        for piece in self._pieces:
            if isinstance(piece, Whole):
                source = piece.source
                self._pour.put_object(
                    b"".join(small), source.fd, source.offset, source.length, piece.key, piece.preamble
                )
                return True
            if len(piece) >= GATHERED_BYTES:
                self._pour.put(b"".join(small), piece)
                return True
            small.append(piece)
            size += len(piece)
            if size >= GATHERED_BYTES:
                break
        self._pour.put(b"".join(small))
        return bool(small)
