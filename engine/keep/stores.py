"""Which store a URL names, and where the node's own folder is. The layout of what is opened is checked, or claimed."""

from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from engine.clock import Clock, Identifiers
from engine.errors import Conflict, Invalid
from engine.keep.bucket import SCHEMES, BucketStore, MemoryStore, open_bucket
from engine.keep.cache import Cache
from engine.keep.folder import FolderStore
from engine.keep.formats import decode_layout, encode_layout
from engine.keep.objects import Near, ObjectStore
from engine.keep.paths import FORMAT_KEY
from engine.limits import LIMITS, Limits
from engine.settings import StoreSettings

NODE_FOLDER: Final = Path("filmroom-data/node")  # of a bucket, when none is named


def folder_of(url: str) -> Path | None:
    """The folder that a URL names (it holds ``archive/``); None for a bucket or memory. Raises ``Invalid``."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        if not url:
            raise Invalid("the store has no URL: name a folder, s3://BUCKET, or memory://")
        return Path(url)
    if scheme == "memory":
        if rest:
            raise Invalid("memory:// takes no name: each start begins empty")
        return None
    if scheme == "file":
        if not rest.startswith("/"):
            raise Invalid("a file:// URL of a store needs an absolute path: file:///srv/filmroom")
        return Path(unquote(rest))
    if scheme not in SCHEMES:
        raise Invalid(f"unknown kind of store {scheme[:20]}://: name a folder, s3://, gs://, az:// or memory://")
    if rest.startswith("/") or not rest:
        raise Invalid(f"{scheme}:// needs the name of a bucket: {scheme}://BUCKET or {scheme}://BUCKET/PREFIX")
    return None


def node_folder(settings: StoreSettings) -> Path | None:
    """Where the node keeps what is its own (intake, index, cache); None for ``memory://``, which has no files."""
    if settings.url.startswith("memory:"):
        return None
    if settings.node_dir:
        return Path(settings.node_dir)
    folder = folder_of(settings.url)
    return NODE_FOLDER if folder is None else folder / "node"


def is_archive(settings: StoreSettings) -> bool:
    """Whether there is an archive where ``[store] url`` says; nothing is made. Raises Invalid, Unavailable."""
    folder = folder_of(settings.url)
    if folder is not None:
        return (folder / "archive").is_dir()
    if settings.url.startswith("memory:"):
        return False
    bucket = open_bucket(settings)
    try:
        return bucket.exists(FORMAT_KEY)
    finally:
        bucket.close()


def open_store(
    where: StoreSettings | str,
    *,
    clock: Clock | None = None,
    identifiers: Identifiers | None = None,
    limits: Limits = LIMITS,
) -> ObjectStore:
    """The store that ``[store]``, or a URL alone, names; its layout is checked, or claimed when it is new.

    Raises ``Invalid`` (not a store of ours, or of a newer version), ``Unavailable`` (cannot be opened), ``Corrupt``.
    """
    settings = StoreSettings(url=where) if isinstance(where, str) else where
    folder = folder_of(settings.url)
    store: ObjectStore
    if folder is not None:
        store = FolderStore(folder / "archive", checkpoint=settings.checkpoint, identifiers=identifiers, limits=limits)
    else:
        store = MemoryStore() if settings.url.startswith("memory:") else open_bucket(settings, clock, limits)
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


def near(store: ObjectStore, settings: StoreSettings) -> Near:
    """What readers read of a store: itself, or what is held of a bucket on the node's disk."""
    folder = node_folder(settings)
    return Cache(store, folder / "cache") if isinstance(store, BucketStore) and folder else store
