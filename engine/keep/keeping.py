"""Objects under the name that is their hash: kept once, compared when the name is taken, read back in pieces."""

import os
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import suppress
from typing import Literal

from engine.errors import Conflict, Corrupt, Missing, Unavailable
from engine.keep.content_digest import address as content_address
from engine.keep.copying import Buffer, copy_parts, map_range, read_range
from engine.keep.objects import ObjectStore
from engine.keep.paths import ObjectName, object_key, parse_object_name
from engine.limits import LIMITS, Limits
from engine.model import FileRange

Address = Callable[[Iterable[Buffer]], str]


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
