"""Files that belong to the program, not to a patient: what a page needs. A folder is read once; only what stood in it
then is ever served, so no path leads out of it.

``NAME.gz`` beside ``NAME`` is the same file packed, for who takes that (RFC 9110 8.4.1).
"""

import os
import re
from collections.abc import AsyncGenerator, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import msgspec
import trio
import xxhash

from protocols.web.forms.conditional import has_already, takes_gzip
from protocols.web.messages import Headers, Reply, Request, Stretch

FILES_COUNT_MAX: Final = 4096  # of one folder; more is not what was meant
AT_ONCE_BYTES_MAX: Final = 64 << 10
PIECE_BYTES: Final = 1 << 20
# A name that holds a hash of the content will never mean anything else.
HASHED: Final = re.compile(r"(?:^|[.-])[0-9a-f]{16,64}\.[a-z0-9.]+$")
FOREVER: Final = "public, max-age=31536000, immutable"
REVALIDATED: Final = "no-cache"
_TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        ".css": "text/css; charset=utf-8",
        ".gif": "image/gif",
        ".html": "text/html; charset=utf-8",
        ".ico": "image/x-icon",
        ".jpg": "image/jpeg",
        ".js": "text/javascript; charset=utf-8",
        ".json": "application/json",
        ".jsonc": "application/json",
        ".png": "image/png",
        ".svg": "image/svg+xml",
        ".txt": "text/plain; charset=utf-8",
        ".wasm": "application/wasm",
        ".webapp": "application/manifest+json",
        ".woff2": "font/woff2",
        ".xml": "application/xml",
    }
)


class StaticFile(msgspec.Struct, frozen=True, kw_only=True):
    """One of them. ``packed``: where it stands packed by gzip, if it does. ``is_constant``: its name will never mean
    other content."""

    path: Path
    content_type: str
    etag: str
    packed: Path | None = None
    is_constant: bool = False


def files_below(folder: Path, *, changing: frozenset[str] = frozenset()) -> dict[str, StaticFile]:
    """Every file of a folder by its path within it, ``assets/a.png``. ``changing``: names whose content may become
    another under the same hash. Links are left out. Blocking. Raises OSError, ValueError for too many."""
    paths = {str(path.relative_to(folder)): path for path in _walk(folder)}
    return {
        name: msgspec.structs.replace(
            file_at(path),
            packed=paths.get(f"{name}.gz"),
            is_constant=name not in changing and HASHED.search(path.name) is not None,
        )
        for name, path in paths.items()
        if not (name.endswith(".gz") and name[:-3] in paths)
    }


def file_at(path: Path) -> StaticFile:
    """One file alone. Blocking. Raises OSError."""
    content_type = _TYPES.get(path.suffix, "application/octet-stream")
    return StaticFile(path=path, content_type=content_type, etag=f'W/"{_hash_of(path)}"')


def _walk(folder: Path) -> list[Path]:
    found: list[Path] = []
    for parent, folders, names in os.walk(folder, onerror=_raise):
        folders.sort()
        found += (path for name in sorted(names) if (path := Path(parent, name)).is_file() and not path.is_symlink())
        if len(found) > FILES_COUNT_MAX:
            raise ValueError(f"more than {FILES_COUNT_MAX} files to serve")
    return found


def _raise(error: OSError) -> None:
    raise error


def _hash_of(path: Path) -> str:
    seen = xxhash.xxh3_64()
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            seen.update(piece)
    return seen.hexdigest()


async def reply(request: Request, file: StaticFile, headers: Headers = ()) -> Reply:
    """The file, or 304 to who has it already. ``headers``: beside those that say what it is. Raises OSError."""
    said = (
        ("ETag", file.etag),
        ("Vary", "Accept-Encoding"),
        ("Cache-Control", FOREVER if file.is_constant else REVALIDATED),
        *headers,
    )
    if has_already(request, file.etag):
        return Reply(304, said)
    said += (("Content-Type", file.content_type),)
    path = file.path
    if file.packed is not None and takes_gzip(request):
        path, said = file.packed, (*said, ("Content-Encoding", "gzip"))
    size = (await trio.Path(path).stat()).st_size
    if size <= AT_ONCE_BYTES_MAX:
        return Reply(200, said, await trio.Path(path).read_bytes())
    return Reply(200, (*said, ("Content-Length", str(size))), _streamed(path))


async def _streamed(path: Path) -> AsyncGenerator[Stretch, None]:
    yield Stretch(_pieces(path))


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            yield piece
