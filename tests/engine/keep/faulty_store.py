"""An object store that fails as stores do: before the work, after it, with the answer lost, or with the work done late.

It obeys the contract: an error leaves the caller in doubt, never in the wrong. Seeded, so that a failing run repeats.
"""

import random
from collections.abc import Callable, Iterator, Sequence

from engine.errors import Conflict, Unavailable
from engine.keep.bucket import MemoryStore
from engine.keep.copying import Buffer
from engine.keep.objects import ObjectStore
from engine.model import FileRange


class FaultyStore:
    """Wraps a store. ``rate`` of the creates fail, in one of four ways:

    *refused*: nothing was done. *lost*: it was done, the answer is an error. *late*: the answer is an error, and the
    work is done some calls later, if it still can be. *twice*: done, and the library's own retry says "exists".
    Reads fail by being refused, and less often: a store's own retries make them whole.
    """

    pending_count = 0

    def __init__(self, seed: int, rate: float = 0.3, inner: ObjectStore | None = None) -> None:
        self.inner = inner or MemoryStore()
        self.rate = rate
        self._chance = random.Random(seed)
        self._late: list[tuple[int, Callable[[], None]]] = []
        self._calls = 0

    def create(self, key: str, parts: Sequence[Buffer], *, durable: bool) -> None:
        content = b"".join(parts)
        self._write(lambda: self.inner.create(key, [content], durable=durable), key)

    def put(self, key: str, parts: Sequence[Buffer], *, durable: bool) -> None:
        self._read()
        self.inner.put(key, parts, durable=durable)

    def copy_in(self, key: str, fd: int, offset: int, length: int, *, durable: bool) -> None:
        self._read()
        self.inner.copy_in(key, fd, offset, length, durable=durable)

    def copy_in_many(self, sources: Sequence[tuple[str, FileRange]]) -> list[bool]:
        self._read()
        return self.inner.copy_in_many(sources)

    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        self._read()
        return self.inner.get(key, offset, length)

    def open_range(self, key: str) -> FileRange | None:
        self._read()
        return self.inner.open_range(key)

    def open_ranges(self, keys: Sequence[str]) -> list[FileRange | None]:
        self._read()
        return self.inner.open_ranges(keys)

    def glance(
        self, key: str, address: str, size_bytes: int, span: tuple[int, int], around: tuple[bytes, bytes]
    ) -> bytes | None:
        return self.inner.glance(key, address, size_bytes, span, around)

    def size(self, key: str) -> int:
        self._read()
        return self.inner.size(key)

    def exists(self, key: str) -> bool:
        self._read()
        return self.inner.exists(key)

    def list(self, prefix: str, after: str = "") -> Iterator[str]:
        self._read()
        return self.inner.list(prefix, after)

    def delete(self, key: str) -> None:
        self._read()
        self.inner.delete(key)

    def sync_pending(self) -> None:
        self._read()
        self.inner.sync_pending()

    def close(self) -> None:
        """Nothing to give back."""

    def settle(self) -> None:
        """All late work is done now; nothing fails any more."""
        self.rate = 0.0
        self._calls += 1000
        self._do_late_work()

    def _read(self) -> None:
        self._do_late_work()
        if self._chance.random() < self.rate / 5:
            raise Unavailable("the store does not answer")

    def _write(self, work: Callable[[], None], key: str) -> None:
        self._do_late_work()
        if self._chance.random() >= self.rate:
            work()
            return
        how = self._chance.choice(("refused", "lost", "late", "twice"))
        if how in ("lost", "twice"):
            work()
        if how == "late":
            self._late.append((self._calls + self._chance.randrange(1, 8), work))
        if how == "twice":
            raise Conflict(f"{key} exists")
        raise Unavailable("the store does not answer")

    def _do_late_work(self) -> None:
        self._calls += 1
        due = [work for when, work in self._late if when <= self._calls]
        self._late = [(when, work) for when, work in self._late if when > self._calls]
        for work in due:
            try:
                work()
            except Conflict:
                continue
