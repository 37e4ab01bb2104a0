"""Where objects are kept: the contract that every store obeys (``folder.py``, ``bucket.py``).

A store maps keys (``paths.py``) to bytes. ``create`` is exclusive: of all that try one key, one wins; it is the only
primitive that orders anything. Errors: ``Conflict`` (the key exists), ``Missing``, ``Unavailable`` (again later; a
write may or may not have happened: read to know), ``Fenced`` (a sync failed: leave), ``Corrupt`` (cannot be read).
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

from engine.keep.copying import Buffer
from engine.model import FileRange


class Near(Protocol):
    """What readers of objects need of a store, or of a cache in front of it. All calls block; all are thread-safe."""

    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        """Bytes of an object, clipped at its end. Raises ``Missing``."""
        ...

    def open_range(self, key: str) -> FileRange | None:
        """The object as an open file, which the caller closes; None where there are no files. Raises ``Missing``."""
        ...

    def glance(
        self, key: str, address: str, size_bytes: int, span: tuple[int, int], around: tuple[bytes, bytes]
    ) -> bytes | None:
        """A range (offset, length) of a small object between two pieces, when that takes no disk and all of its
        ``size_bytes`` have this address (XXH3-128, hex); None: ask in another way, which may wait, and says why."""
        ...

    def open_ranges(self, keys: Sequence[str]) -> list[FileRange | None]:
        """``open_range`` for many, in one step on a folder; None also for one that it would raise for."""
        ...

    def close(self) -> None: ...


class ObjectStore(Near, Protocol):
    """The contract; ``tests/engine/keep/contract.py`` is its other half. All calls block; all are thread-safe."""

    @property
    def pending_count(self) -> int:
        """Objects written with ``durable=False`` since the last ``sync_pending``."""
        ...

    def create(self, key: str, parts: Sequence[Buffer], *, durable: bool) -> None:
        """A new object of the parts as one. ``durable=False``: on disk after ``sync_pending``. Raises ``Conflict``."""
        ...

    def put(self, key: str, parts: Sequence[Buffer], *, durable: bool) -> None:
        """An object in place of an older one, at once and whole.

        With ``durable=False`` power loss before ``sync_pending`` leaves the one or the other, whole.
        """
        ...

    def copy_in(self, key: str, fd: int, offset: int, length: int, *, durable: bool) -> None:
        """``create`` from a range of an open file. Raises ``Corrupt`` when the file ends before the range does."""
        ...

    def copy_in_many(self, sources: Sequence[tuple[str, FileRange]]) -> list[bool]:
        """``copy_in`` for many, not durable yet; False where the key exists. Raises as it does: some are in then."""
        ...

    def size(self, key: str) -> int:
        """Raises ``Missing``."""
        ...

    def exists(self, key: str) -> bool: ...

    def list(self, prefix: str, after: str = "") -> Iterator[str]:
        """Keys below a prefix (empty, or ending with ``/``), ascending, above ``after``."""
        ...

    def delete(self, key: str) -> None:
        """Removes an object if there is one."""
        ...

    def sync_pending(self) -> None:
        """The checkpoint: all objects written before the call are durable after it. Raises ``Fenced``."""
        ...
