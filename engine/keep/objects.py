"""Where objects are kept: one contract, and the stores that obey it. The only file that imports obstore.

A store maps keys (``paths.py``) to bytes. ``create`` is exclusive: of all that try one key, one wins; it is the only
primitive that orders anything. Errors: ``Conflict`` (the key exists), ``Missing``, ``Unavailable`` (again later; a
write may or may not have happened: read to know), ``Fenced`` (a sync failed: leave), ``Corrupt`` (cannot be read).
"""

import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal, Protocol

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import MemoryStore as ObstoreMemory

from engine.clock import Identifiers
from engine.errors import Conflict, Corrupt, Invalid, Missing, Unavailable
from engine.keep.content_digest import address as content_address
from engine.keep.copying import Buffer, copy_parts, map_range, read_range
from engine.keep.folder import FolderStore
from engine.keep.formats import decode_layout, encode_layout
from engine.keep.paths import FORMAT_KEY, ObjectName, check_key, check_prefix, object_key, parse_object_name
from engine.limits import LIMITS, Limits
from engine.model import FileRange
from engine.settings import StoreSettings

Address = Callable[[Iterable[Buffer]], str]


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

    def copy_in_many(self, sources: Sequence[tuple[str, FileRange]]) -> list[bool]:
        created = [False] * len(sources)
        for number, (key, source) in enumerate(sources):
            with suppress(Conflict):
                self.copy_in(key, source.fd, source.offset, source.length, durable=False)
                created[number] = True
        return created

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

    def open_ranges(self, keys: Sequence[str]) -> list[FileRange | None]:
        return [None] * len(keys)

    def glance(
        self, key: str, address: str, size_bytes: int, span: tuple[int, int], around: tuple[bytes, bytes]
    ) -> bytes | None:
        try:
            whole = self.get(key)
        except Missing:
            return None
        if len(whole) != size_bytes or content_address([whole]) != address:
            return None
        return around[0] + whole[span[0] : span[0] + span[1]] + around[1]

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
    where: StoreSettings | str, *, identifiers: Identifiers | None = None, limits: Limits = LIMITS
) -> ObjectStore:
    """The store that ``[store]``, or a URL alone, names; its layout is checked, or claimed when it is new.

    Raises ``Invalid`` (not a store of ours, or of a newer version), ``Unavailable`` (cannot be opened), ``Corrupt``.
    """
    settings = StoreSettings(url=where) if isinstance(where, str) else where
    folder = folder_of(settings.url)
    store: ObjectStore = MemoryStore()
    if folder is not None:
        store = FolderStore(folder / "archive", checkpoint=settings.checkpoint, identifiers=identifiers, limits=limits)
    try:
        claim_layout(store)
    except BaseException:
        store.close()
        raise
    return store


def claim_layout(store: ObjectStore) -> None:
    """Checks ``format.json``, or makes it. Raises ``Invalid`` when the archive is of a newer version, ``Corrupt``."""
    if not store.exists(FORMAT_KEY):
        with suppress(Conflict):
            store.create(FORMAT_KEY, [encode_layout()], durable=True)
    decode_layout(store.get(FORMAT_KEY))


def keep_object(
    store: ObjectStore,
    tenant: str,
    name: str,
    source: FileRange | Buffer,
    *,
    rewrite: bool = False,
    address: Address = content_address,
    limits: Limits = LIMITS,
) -> str:
    """Keeps bytes under the object name that is their hash; the name they got: ``name``, or ``name.1`` and so on.

    When the name is taken, what lies there is hashed again. Wrong hash: torn, it is replaced. The same bytes: they
    are kept already. Other bytes of the same hash: the next suffix. ``rewrite`` (recovery): the same bytes are
    written again, since an earlier process may have left them in the page cache only. Not durable before
    ``sync_pending``. Raises ``Unavailable``, ``Fenced``, ``Corrupt`` (the source ends too early).
    """
    hashed = parse_object_name(name)
    for collision in range(limits.collisions_max):
        candidate = str(ObjectName(hashed.hash, collision, hashed.version))
        key = object_key(tenant, candidate)
        with suppress(Conflict):
            _create(store, key, source)
            return candidate
        verdict = _compare(store, key, source, hashed.hash, address)
        if verdict == "other":
            continue
        if verdict == "torn" or rewrite:
            store.put(key, [_whole(source)], durable=False)
        return candidate
    raise Unavailable(f"{limits.collisions_max} different objects have one hash: somebody makes them on purpose")


def keep_objects(
    store: ObjectStore, tenant: str, sources: Sequence[tuple[str, FileRange]], *, rewrite: bool = False
) -> list[str]:
    """``keep_object`` for many, in one step on a folder: the names they got. Raises as it does; some are kept then."""
    created = store.copy_in_many([(object_key(tenant, name), source) for name, source in sources])
    return [
        name if new else keep_object(store, tenant, name, source, rewrite=rewrite)
        for (name, source), new in zip(sources, created, strict=True)
    ]


def read_pieces(store: ObjectStore, key: str) -> Generator[bytes, None, None]:
    """An object in pieces of ``read_bytes``, from one open file where the store has files. Raises as ``get``."""
    opened = store.open_range(key)
    size = store.size(key) if opened is None else opened.length
    try:
        for offset in range(0, size, LIMITS.read_bytes):
            if opened is None:
                yield store.get(key, offset, LIMITS.read_bytes)
            else:
                yield read_range(opened.fd, offset, min(LIMITS.read_bytes, size - offset))
    except OSError as error:
        raise Corrupt(f"{key} cannot be read: {error.strerror}") from error
    finally:
        if opened is not None:
            os.close(opened.fd)


def _create(store: ObjectStore, key: str, source: FileRange | Buffer) -> None:
    if isinstance(source, FileRange):
        store.copy_in(key, source.fd, source.offset, source.length, durable=False)
    else:
        store.create(key, [source], durable=False)


def _whole(source: FileRange | Buffer) -> memoryview:
    if not isinstance(source, FileRange):
        return memoryview(source)
    if source.length <= LIMITS.gather_bytes_max:  # a fresh mapping costs up to 0.5 ms of page faults for 200 kB
        return memoryview(b"".join(copy_parts(source.fd, source.offset, source.length)))
    return map_range(source.fd, source.offset, source.length)


def _compare(
    store: ObjectStore, key: str, source: FileRange | Buffer, hashed: str, address: Address
) -> Literal["same", "torn", "other"]:
    content, offset = _whole(source), 0
    try:
        if store.size(key) == len(content):
            for piece in read_pieces(store, key):
                if content[offset : offset + len(piece)] != piece:
                    break
                offset += len(piece)
            if offset == len(content):
                return "same"
        return "other" if address(read_pieces(store, key)) == hashed else "torn"
    except (Missing, Corrupt):  # gone meanwhile, or the disk cannot read it: written anew
        return "torn"


def _unavailable(key: str, error: BaseError) -> Unavailable:
    return Unavailable(f"the store did not take or give {key}: {type(error).__name__}")
