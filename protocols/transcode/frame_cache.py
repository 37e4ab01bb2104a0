"""Frames that were made, kept for who asks next; one that is being made is waited for, not made twice."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable

import trio

Key = tuple[str, str, int]


class FrameCache:
    """By content, target syntax and frame number; the least recently used go when ``bytes_max`` is reached."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._kept: OrderedDict[Key, bytes] = OrderedDict()
        self._held_bytes = 0
        self._in_work: dict[Key, trio.Event] = {}

    @property
    def held_bytes(self) -> int:
        """Bytes of all frames that are kept."""
        return self._held_bytes

    async def get(self, key: Key, make: Callable[[], Awaitable[bytes]]) -> bytes:
        """The frame, made if need be. When making fails or is cancelled, that is so for who made it; the next who
        waits tries again."""
        while (frame := self._kept.get(key)) is None:
            if (done := self._in_work.get(key)) is None:
                return await self._make(key, make)
            await done.wait()
        self._kept.move_to_end(key)
        return frame

    async def _make(self, key: Key, make: Callable[[], Awaitable[bytes]]) -> bytes:
        done = self._in_work[key] = trio.Event()
        try:
            frame = await make()
            self._keep(key, frame)
            return frame
        finally:
            del self._in_work[key]
            done.set()

    def _keep(self, key: Key, frame: bytes) -> None:
        if len(frame) > self._bytes_max:
            return
        self._kept[key] = frame
        self._held_bytes += len(frame)
        while self._held_bytes > self._bytes_max:
            _, gone = self._kept.popitem(last=False)
            self._held_bytes -= len(gone)
