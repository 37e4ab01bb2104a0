"""From a blocking iterator into a socket, by one thread: what it has just read is still in its processor's cache when
it is sent. It never waits long; for a slow reader the event loop waits.
"""

import os
import select
from collections.abc import Iterator
from typing import Final

from protocols.web.messages import Chunk

GATHERED_BYTES: Final = 128 << 10  # small pieces are sent together
BUFFERS_COUNT_MAX: Final = 64
LEASE_BYTES_MAX: Final = 32 << 20  # then others may have the thread
WAIT_MS_MAX: Final = 5


class Pouring:
    """What one iterator makes, on its way into a non-blocking socket. ``count``: bytes of it that were sent."""

    def __init__(self, fileno: int, head: bytes, pieces: Iterator[Chunk]) -> None:
        """``head`` goes first and is not counted."""
        self._fileno = fileno
        self._pieces = pieces
        self._buffers = [memoryview(head)] if head else []
        self._waiting_bytes = len(head)
        self._has_ended = False
        self._poll = select.poll()
        self._poll.register(fileno, select.POLLOUT)
        self.count = -len(head)

    def work(self) -> bool:
        """True: all is sent. False: the reader takes no more for now, or the lease is over. Raises what the iterator
        does, and OSError."""
        left = LEASE_BYTES_MAX
        while self._fill():
            try:
                sent = os.writev(self._fileno, self._buffers)
            except BlockingIOError:
                if not self._poll.poll(WAIT_MS_MAX):
                    return False
                continue
            self._drop(sent)
            left -= sent
            if left <= 0:
                return False
        return True

    def _fill(self) -> bool:
        """Whether there is anything to send."""
        while not self._has_ended and self._waiting_bytes < GATHERED_BYTES and len(self._buffers) < BUFFERS_COUNT_MAX:
            piece = next(self._pieces, None)
            if piece is None:
                self._has_ended = True
            elif piece:
                self._buffers.append(memoryview(piece))
                self._waiting_bytes += len(piece)
        return bool(self._buffers)

    def _drop(self, sent: int) -> None:
        self.count += sent
        self._waiting_bytes -= sent
        while self._buffers and sent >= len(self._buffers[0]):
            sent -= len(self._buffers.pop(0))
        if sent:
            self._buffers[0] = self._buffers[0][sent:]
