"""Where objects are kept: one contract, and the stores that obey it. The only file that imports obstore.

A store maps keys (``paths.py``) to bytes. ``create`` is exclusive: of all that try one key, one wins; it is the only
primitive that orders anything. Errors: ``Conflict`` (the key exists), ``Missing``, ``Unavailable`` (again later; a
write may or may not have happened: read to know), ``Fenced`` (a sync failed: leave), ``Corrupt`` (cannot be read).
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import MemoryStore as ObstoreMemory

from engine.clock import Identifiers
from engine.errors import Conflict, Invalid, Missing, Unavailable
from engine.keep.copying import Buffer, copy_parts
from engine.keep.folder import FolderStore
from engine.keep.paths import check_key, check_prefix
from engine.limits import LIMITS, Limits
from engine.model import FileRange
from engine.settings import Checkpoint


class ObjectStore(Protocol):
    """The contract; ``tests/engine/keep/contract.py`` is its other half. All calls block; all are thread-safe."""

    @property
    def pending_count(self) -> int:
        """Objects written with ``durable=False`` since the last ``sync_pending``."""
        ...

    def create(self, key: str, parts: Sequence[Buffer], *, durable: bool) -> None:
        """A new object of the parts as one. ``durable=False``: on disk after ``sync_pending``. Raises ``Conflict``."""
        ...

    def put(self, key: str, parts: Sequence[Buffer], *, durable: bool) -> None:
        """An object in place of an older one, at once and whole."""
        ...

    def copy_in(self, key: str, fd: int, offset: int, length: int, *, durable: bool) -> None:
        """``create`` from a range of an open file. Raises ``Corrupt`` when the file ends before the range does."""
        ...

    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        """Bytes of an object, clipped at its end. Raises ``Missing``."""
        ...

    def open_range(self, key: str) -> FileRange | None:
        """The object as an open file, which the caller closes; None where there are no files. Raises ``Missing``."""
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

    def close(self) -> None: ...


class MemoryStore:
    """Objects in this process's memory, for tests and trials: gone when it ends."""

    pending_count = 0

    def __init__(self) -> None:
        self._inner = ObstoreMemory()

    def create(self, key: str, parts: Sequence[Buffer], *, durable: bool) -> None:
        try:
            # obstore's memory keeps a reference to what it is given: hand it bytes that nobody changes.
            obstore.put(self._inner, check_key(key), b"".join(parts), mode="create")
        except AlreadyExistsError:
            raise Conflict(f"{key} exists") from None
        except BaseError as error:
            raise _unavailable(key, error) from error

    def put(self, key: str, parts: Sequence[Buffer], *, durable: bool) -> None:
        try:
            obstore.put(self._inner, check_key(key), b"".join(parts))
        except BaseError as error:
            raise _unavailable(key, error) from error

    def copy_in(self, key: str, fd: int, offset: int, length: int, *, durable: bool) -> None:
        self.create(key, copy_parts(fd, offset, length), durable=durable)

    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        try:
            whole = obstore.get(self._inner, check_key(key)).bytes()
        except FileNotFoundError:
            raise Missing(f"no object {key}") from None
        except BaseError as error:
            raise _unavailable(key, error) from error
        end = None if length is None else offset + length
        return bytes(memoryview(whole)[offset:end])

    def open_range(self, key: str) -> FileRange | None:
        self.size(key)
        return None

    def size(self, key: str) -> int:
        try:
            return obstore.head(self._inner, check_key(key))["size"]
        except FileNotFoundError:
            raise Missing(f"no object {key}") from None
        except BaseError as error:
            raise _unavailable(key, error) from error

    def exists(self, key: str) -> bool:
        try:
            self.size(key)
        except Missing:
            return False
        return True

    def list(self, prefix: str, after: str = "") -> Iterator[str]:
        for batch in obstore.list(self._inner, check_prefix(prefix) or None, offset=after or None):
            yield from (entry["path"] for entry in batch if entry["path"] > after)

    def delete(self, key: str) -> None:
        try:
            obstore.delete(self._inner, check_key(key))
        except FileNotFoundError:
            return
        except BaseError as error:
            raise _unavailable(key, error) from error

    def sync_pending(self) -> None:
        """Nothing waits: memory has no disk."""

    def close(self) -> None:
        """Nothing to give back."""


def folder_of(url: str) -> Path | None:
    """The folder that a URL names (it holds ``archive/`` and ``node/``); None for ``memory://``. Raises ``Invalid``."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        if not url:
            raise Invalid("the store has no URL: name a folder, or memory://")
        return Path(url)
    if scheme == "memory":
        if rest:
            raise Invalid("memory:// takes no name: each start begins empty")
        return None
    if scheme == "file":
        if not rest.startswith("/"):
            raise Invalid("a file:// URL of a store needs an absolute path: file:///srv/filmroom")
        return Path(rest)
    if scheme in ("s3", "s3a", "gs", "az", "azure", "abfs", "abfss", "http", "https"):
        raise Invalid(f"{scheme}:// is not there yet: it arrives with version 0.6; name a folder, or memory://")
    raise Invalid(f"unknown kind of store {scheme[:20]}://: name a folder, file:///..., or memory://")


def open_store(
    url: str, *, checkpoint: Checkpoint = "auto", identifiers: Identifiers | None = None, limits: Limits = LIMITS
) -> ObjectStore:
    """The store that a URL names. Raises ``Invalid`` (not a store of ours), ``Unavailable`` (cannot be opened)."""
    folder = folder_of(url)
    if folder is None:
        return MemoryStore()
    return FolderStore(folder / "archive", checkpoint=checkpoint, identifiers=identifiers, limits=limits)


def _unavailable(key: str, error: BaseError) -> Unavailable:
    return Unavailable(f"the store did not take or give {key}: {type(error).__name__}")
