"""Metadata of a study, a series or an instance (WADO-RS, PS3.18 10.4): every attribute, long values as links.

What the stored header holds is spliced from it, a megabyte of JSON in some milliseconds. Where it leaves out more than
pixels (``not_indexed``), the object itself is walked; pixels are never read.
"""

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from typing import Final

import msgspec
import trio

from engine.errors import Corrupt
from engine.model import Instance, Kept
from native import dataset, dicomjson
from protocols.transcode.refusal import Untranscodable
from protocols.transcode.source import Source
from protocols.web import links, named
from protocols.web.forms import accept, native_xml
from protocols.web.forms.conditional import etag_of, has_already, packer, takes_gzip
from protocols.web.forms.multipart import Writer
from protocols.web.messages import Chunk, Headers, Reply, Request
from protocols.web.problems import Problem
from protocols.web.reading import check
from protocols.web.site import Site
from protocols.windows import Fetched

GIVES: Final = ("application/dicom+json", "application/json", native_xml.MEDIA_TYPE)
OFFERS: Final = (*map(accept.Offer, GIVES), accept.Offer(native_xml.MEDIA_TYPE, is_multipart=True))
EXPLICIT_LITTLE: Final = "1.2.840.10008.1.2.1"
# What a thread makes in one go: some 3 MB, 10 ms; a longer answer begins before its end is made.
AT_ONCE_COUNT_MAX: Final = 640
# An object of which attributes are read is checked whole before, up to here. What is larger is mostly pixels, which
# metadata never read; ``verify`` finds damage in its attributes, and whoever fetches it.
CHECKED_BYTES_MAX: Final = 64 << 20
_PIXELS: Final = {"7FE00008": "OF", "7FE00009": "OD", "7FE00010": "OW"}
_ENCAPSULATED_FROM: Final = "1.2.840.10008.1.2.4"  # and RLE: pixels of bytes, in fragments
_RLE: Final = "1.2.840.10008.1.2.5"


async def metadata(request: Request, site: Site) -> Reply:
    """Metadata of all instances that the path names, in series order."""
    offer = accept.choose(OFFERS, request.accepts())
    if offer is None:
        raise Problem(406, f"metadata are given as {', '.join(GIVES)}")
    writing = _Writing(request, site, offer)
    return await site.archive.shaped_below(named.query(request), writing.reply)


class _Writing:
    """One answer on its way."""

    def __init__(self, request: Request, site: Site, offer: accept.Offer) -> None:
        self._request = request
        self._site = site
        self._root = links.dicomweb_url(request, site.settings)
        self._frame = _Parts() if offer.media_type == native_xml.MEDIA_TYPE else _Array(offer.media_type)

    def reply(self, rows: Sequence[Kept]) -> Reply:
        """Whole, or as a stream when it is long or objects must be opened. Runs in a thread."""
        found = [_Row(row, instance) for row in rows if (instance := row.instance()) is not None]
        if not found:
            raise Problem(404, "there is no such thing here")
        content_type = self._frame.content_type
        etag = etag_of(content_type, self._root, *(f"{one.instance.key}{one.instance.stamp}" for one in found))
        headers: Headers = (("Content-Type", content_type), ("ETag", etag), ("Vary", "Accept, Accept-Encoding"))
        if has_already(self._request, etag):
            return Reply(304, headers[1:])
        if len(found) <= AT_ONCE_COUNT_MAX and all(one.is_whole for one in found):
            return self._packed(headers, b"".join(self._frame.pieces(self._spliced(found))))
        return self._streamed(headers, found)

    def _packed(self, headers: Headers, body: bytes) -> Reply:
        if len(body) < self._site.settings.gzip_bytes_min or not takes_gzip(self._request):
            return Reply(200, headers, body)
        packing = packer()
        return Reply(200, (*headers, ("Content-Encoding", "gzip")), packing.compress(body) + packing.flush())

    def _streamed(self, headers: Headers, rows: "list[_Row]") -> Reply:
        if not takes_gzip(self._request):
            return Reply(200, headers, self._pieces(rows))
        return Reply(200, (*headers, ("Content-Encoding", "gzip")), _packed_pieces(self._pieces(rows)))

    async def _pieces(self, rows: "list[_Row]") -> AsyncIterator[Chunk]:
        for run in _runs(rows):
            if run[0].is_whole:
                yield await trio.to_thread.run_sync(self._spliced_pieces, run)
                continue
            async with self._site.archive.reader([one.instance for one in run]) as windows:
                at = 0
                async for window in windows:
                    if window.lost:
                        raise Corrupt("an object is gone")
                    for fetched in window.objects:
                        model = await trio.to_thread.run_sync(self._walked, run[at], fetched)
                        yield self._framed([model])
                        at += 1
        yield self._frame.end()

    def _spliced_pieces(self, rows: "list[_Row]") -> bytes:
        return self._framed(self._spliced(rows))

    def _framed(self, models: Iterable[bytes]) -> bytes:
        return b"".join(piece for model in models for piece in self._frame.begin(model))

    def _spliced(self, rows: "Iterable[_Row]") -> Iterator[bytes]:
        for row in rows:
            yield dicomjson.metadata_json(
                row.kept.header, EXPLICIT_LITTLE, self._snippets(row.instance, with_pixels=True)
            )

    def _walked(self, row: "_Row", fetched: Fetched) -> bytes:
        """The data set of the object itself, which has what the header leaves out. Raises Corrupt."""
        instance = row.instance
        if instance.size_bytes <= CHECKED_BYTES_MAX:
            check(fetched)
        url = links.bulkdata_url(self._url_of(instance)).encode()
        character_set = dataset.get(row.kept.header, "00080005") or b""
        snippets = self._snippets(instance, with_pixels=False)
        try:
            source = Source(fetched.source, fetched.dataset_offset, instance.transfer_syntax_uid)
            return dicomjson.metadata_json(source.view, source.transfer_syntax_uid, snippets, url, character_set)
        except (Untranscodable, ValueError) as error:
            raise Corrupt("an object cannot be read to its end") from error

    def _snippets(self, instance: Instance, *, with_pixels: bool) -> list[tuple[int, bytes]]:
        url = self._url_of(instance)
        syntax = instance.transfer_syntax_uid
        snippets = [
            (0x00081190, b'"00081190":{"vr":"UR","Value":["%b"]}' % url.encode()),
            (0x00083002, b'"00083002":{"vr":"UI","Value":["%b"]}' % syntax.encode()),
        ]
        if with_pixels:
            in_bytes = syntax.startswith(_ENCAPSULATED_FROM) or syntax == _RLE
            for path in instance.not_indexed:
                vr = "OB" if in_bytes else _PIXELS[path]
                link = f'"{path}":{{"vr":"{vr}","BulkDataURI":"{links.bulkdata_url(url)}/{path}"}}'
                snippets.append((int(path, 16), link.encode()))
        return snippets

    def _url_of(self, instance: Instance) -> str:
        return links.instance_url(self._root, instance.study_uid, instance.series_uid, instance.sop_instance_uid)


class _Row(msgspec.Struct, frozen=True):
    """An instance of the answer."""

    kept: Kept
    instance: Instance

    @property
    def is_whole(self) -> bool:
        """Whether the stored header has everything but pixels."""
        return _PIXELS.keys() >= set(self.instance.not_indexed)


class _Array:
    """One JSON array."""

    def __init__(self, content_type: str) -> None:
        self.content_type = content_type
        self._lead = b"["

    def pieces(self, models: Iterable[bytes]) -> tuple[bytes, ...]:
        """A whole answer."""
        return (b"[", b",".join(models), b"]")

    def begin(self, model: bytes) -> tuple[bytes, bytes]:
        """The next object of the array."""
        lead, self._lead = self._lead, b","
        return (lead, model)

    def end(self) -> bytes:
        """What closes it."""
        return b"]"


class _Parts:
    """A part of XML for each instance."""

    def __init__(self) -> None:
        self._writer = Writer(native_xml.BOUNDARY)
        self.content_type = self._writer.content_type(native_xml.MEDIA_TYPE)

    def pieces(self, models: Iterable[bytes]) -> Iterator[bytes]:
        """A whole answer."""
        for model in models:
            yield from self.begin(model)
        yield self.end()

    def begin(self, model: bytes) -> tuple[bytes, bytes]:
        """The next part."""
        document = native_xml.document(model)
        return (self._writer.head(native_xml.MEDIA_TYPE, len(document)), document)

    def end(self) -> bytes:
        """The last boundary."""
        return self._writer.end()


def _runs(rows: "list[_Row]") -> "Iterator[list[_Row]]":
    """Stretches that are spliced, or walked, together."""
    run: list[_Row] = []
    for row in rows:
        if run and (row.is_whole != run[0].is_whole or len(run) >= AT_ONCE_COUNT_MAX):
            yield run
            run = []
        run.append(row)
    yield run


async def _packed_pieces(pieces: AsyncIterator[Chunk]) -> AsyncIterator[Chunk]:
    packing = packer()
    async for piece in pieces:
        if packed := await trio.to_thread.run_sync(packing.compress, piece):
            yield packed
    yield packing.flush()
