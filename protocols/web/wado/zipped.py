"""The objects of a study, a series or an instance as one ZIP file with a DICOMDIR (PS3.18 8.7.3, PS3.12 V): as they are
stored, nothing compressed, streamed in flat memory.

A small object is checked before its head is sent, which has its CRC-32; of a large one the last piece is held back
until it is, and the CRC-32 stands behind it. What is damaged cuts the answer short.
"""

import zlib
from collections.abc import AsyncGenerator, Iterator, Sequence
from typing import Final

from blake3 import blake3

from engine.errors import Corrupt
from engine.model import Kept
from protocols.web import named
from protocols.web.forms.conditional import etag_of, has_already
from protocols.web.forms.media_types import media_types_of
from protocols.web.messages import Chunk, Headers, Reply, Request, Stretch
from protocols.web.problems import Problem
from protocols.web.reading import begun, checked
from protocols.web.site import Site
from protocols.web.wado import dicomdir
from protocols.web.wado.zip_file import ZipFile
from protocols.windows import Fetched

MEDIA_TYPE: Final = "application/zip"
AT_ONCE_BYTES_MAX: Final = 1 << 20
RANGES_COUNT_MAX: Final = 64
_OBJECTS: Final = ("multipart/related", "application/dicom")


def is_asked(request: Request) -> bool:
    """Whether the client likes a ZIP file better than objects one by one; of what it likes as much, the first."""
    liked, best = "", 0.0
    for one in media_types_of(", ".join(filter(None, request.accepts())), RANGES_COUNT_MAX):
        quality = _quality_of(one.parameters.get("q", "1"))
        if one.name in (MEDIA_TYPE, *_OBJECTS) and quality > best:
            liked, best = one.name, quality
    return liked == MEDIA_TYPE


async def retrieve(request: Request, site: Site) -> Reply:
    """All that the path names, in one file."""
    rows = await site.archive.shaped_below(named.query(request), _entries)
    if not rows:
        raise Problem(404, "there is no such thing here")
    seen = [f"{one.instance.key}{one.instance.stamp}" for one in rows]
    etag = etag_of(MEDIA_TYPE, *seen)
    headers: Headers = (("ETag", etag), ("Vary", "Accept"))
    if has_already(request, etag):
        return Reply(304, headers)
    uid = f"2.25.{int.from_bytes(blake3(''.join(seen).encode()).digest(16), 'big')}"
    zipping = _Zipping(site, rows, dicomdir.directory(rows, uid))
    name = [*request.parameters.values()][-1]
    headers += (
        ("Content-Type", MEDIA_TYPE),
        ("Content-Disposition", f'attachment; filename="{name}.zip"'),
        ("Content-Length", str(zipping.length())),
    )
    return Reply(200, headers, await begun(zipping.pieces()))


def _entries(rows: Sequence[Kept]) -> list[dicomdir.Entry]:
    """Runs in a thread."""
    found = [(instance, row.header) for row in rows if (instance := row.instance()) is not None]
    names = dicomdir.file_names([instance for instance, _ in found])
    return [dicomdir.Entry(name, *one) for name, one in zip(names, found, strict=True)]


def _quality_of(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 1.0


class _Zipping:
    """One answer on its way."""

    def __init__(self, site: Site, entries: Sequence[dicomdir.Entry], directory: bytes) -> None:
        self._site = site
        self._entries = entries
        self._directory = directory
        self._names = iter(entries)
        self._file = ZipFile()

    def length(self) -> int:
        """Of the whole file, by writing it without its members."""
        file = ZipFile()
        file.head("DICOMDIR", len(self._directory), 0)
        for entry in self._entries:
            is_small = entry.instance.size_bytes <= AT_ONCE_BYTES_MAX
            file.head(entry.name, entry.instance.size_bytes, 0 if is_small else None)
            if not is_small:
                file.tail(0)
        file.end()
        return file.length

    async def pieces(self) -> AsyncGenerator[Chunk | Stretch, None]:
        """The file."""
        yield self._file.head("DICOMDIR", len(self._directory), zlib.crc32(self._directory)) + self._directory
        async with self._site.archive.reader([one.instance for one in self._entries]) as windows:
            async for window in windows:
                if window.lost:
                    raise Corrupt("an object is gone")
                yield Stretch(self._members(window.objects))
        yield self._file.end()

    def _members(self, objects: Sequence[Fetched]) -> Iterator[bytes]:
        """Runs in a thread."""
        for fetched in objects:
            entry = next(self._names)
            size = fetched.instance.size_bytes
            if size <= AT_ONCE_BYTES_MAX:
                data = b"".join(checked(fetched))
                yield self._file.head(entry.name, size, zlib.crc32(data))
                yield data
                continue
            yield self._file.head(entry.name, size)
            crc = 0
            for piece in checked(fetched):
                crc = zlib.crc32(piece, crc)
                yield piece
            yield self._file.tail(crc)
