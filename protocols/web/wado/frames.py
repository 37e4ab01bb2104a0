"""Retrieve frames (WADO-RS, PS3.18 10.4.1.1.6): each by one ranged read, never the whole object."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from functools import partial
from typing import Final

import trio

from engine.errors import Missing
from engine.model import Instance
from native.dataset import frame_at, frame_count
from protocols.transcode import Codecs, Untranscodable, shifted
from protocols.web import named
from protocols.web.forms import syntax_types
from protocols.web.forms.accept import Offer
from protocols.web.forms.multipart import Writer
from protocols.web.messages import Headers, Reply, Request
from protocols.web.problems import Problem
from protocols.web.reading import begun
from protocols.web.site import Site
from protocols.web.wado.known import Known
from protocols.web.wado.opened import Frames, Opened, Spans

GIVES: Final = (
    'multipart/related; type="application/octet-stream"',
    *(f'multipart/related; type="image/{name}"' for name in ("jpeg", "jls", "jp2", "jphc", "dicom-rle")),
    "application/octet-stream",
)
FRAMES_COUNT_MAX: Final = 16_384  # of one request
# Answers up to here are made in one go, larger ones frame by frame.
AT_ONCE_BYTES_MAX: Final = 4 << 20
INLINE_BYTES_MAX: Final = 1 << 20
_END_OF_IMAGE: Final = b"\xff\xd9\x00"


async def retrieve(request: Request, site: Site) -> Reply:
    """The frames that the path lists, in that order."""
    numbers = numbers_of(request.parameters["frames"])
    return await _retrieve(request, site, numbers)


async def pixel_data(request: Request, site: Site) -> Reply:
    """All frames, in order."""
    return await _retrieve(request, site, None)


async def _retrieve(request: Request, site: Site, numbers: Sequence[int] | None) -> Reply:
    instance = await named.instance(request, site)
    if numbers is not None and len(numbers) == 1 and (reply := _at_once(request, site, instance, numbers[0])):
        return reply
    stored_uid = instance.transfer_syntax_uid
    async with site.objects.use(instance) as opened:
        frames = opened.frames_at_once()
        if frames is None:
            frames = await trio.to_thread.run_sync(opened.frames)
        if frames.is_of_bytes:  # without an order
            stored_uid = syntax_types.EXPLICIT
        if not frames.count:
            raise Problem(404, "nothing says where the frames begin")
        if numbers is None:
            numbers = range(1, frames.count + 1)
        elif max(numbers) > frames.count:
            raise Problem(404, f"there are {frames.count} frames")
        offer = _offer(stored_uid, request.accepts(), site.transcoder.codecs, len(numbers))
        is_stored = offer.transfer_syntax_uid == syntax_types.frame_syntax(stored_uid)
        known = Known(request, instance, offer, is_exact=is_stored)
        if (unchanged := known.unchanged()) is not None:
            return unchanged
        answer = _Answer(known, site, opened, frames, offer, is_stored=is_stored)
        try:
            return known.on(await answer.reply(numbers))
        except Untranscodable as error:
            raise Problem(406, str(error)) from error
        except Missing:
            raise Problem(404, "there is no such frame") from None


def numbers_of(text: str) -> list[int]:
    """``3,1,2``. Raises Problem."""
    numbers = [int(one) if one.strip().isdecimal() and len(one) < 12 else 0 for one in text.split(",")]
    if len(numbers) > FRAMES_COUNT_MAX:
        raise Problem(400, f"more than {FRAMES_COUNT_MAX} frames")
    if 0 in numbers:
        raise Problem(400, "frames are numbers from 1, parted by commas")
    return numbers


def _offer(stored_uid: str, accepts: list[str], codecs: Codecs, count: int) -> Offer:
    """Raises Problem (406)."""
    offered = partial(syntax_types.frame_syntax_of, stored_uid, accepts, frames_count=count)
    if (offer := offered(codecs)) is None:
        otherwise = "frames are given as they are stored, or in what they can be turned into without loss"
        raise syntax_types.refusal(offered, codecs, otherwise)
    return offer


def _at_once(request: Request, site: Site, instance: Instance, number: int) -> Reply | None:
    """One frame as it is stored, of a small object that is in memory; None: it is none such."""
    stored_uid = instance.transfer_syntax_uid
    if not instance.frames or stored_uid == syntax_types.BIG or number > frame_count(instance.frames):
        return None
    bits, _, spans = frame_at(instance.frames, number - 1)
    offer = syntax_types.frame_syntax_of(stored_uid, request.accepts(), site.transcoder.codecs, 1)
    if bits or len(spans) != 1 or offer is None or offer.transfer_syntax_uid != syntax_types.frame_syntax(stored_uid):
        return None
    known = Known(request, instance, offer, is_exact=True)
    return known.unchanged() or _read_at_once(known, site, instance, offer, spans[0])


def _read_at_once(known: Known, site: Site, instance: Instance, offer: Offer, span: tuple[int, int]) -> Reply | None:
    stored_uid = instance.transfer_syntax_uid
    if not offer.is_multipart or syntax_types.ends_by_marker(stored_uid):
        data = site.archive.at_once(instance, span)
        return None if data is None else known.on(_of_one(known, site, offer, _trimmed(stored_uid, data)))
    writer = Writer(site.boundary())
    around = (writer.head(_part_type(offer), span[1]), writer.end())
    whole = site.archive.at_once(instance, span, around)
    return None if whole is None else known.on(Reply(200, _headers(writer, offer), whole))


def _of_one(known: Known, site: Site, offer: Offer, data: bytes) -> Reply:
    """One frame, alone (a range of it, perhaps) or as the only part."""
    if not offer.is_multipart:
        chosen = known.range_of(len(data))
        headers = (("Content-Type", _part_type(offer)), *chosen.headers)
        return Reply(chosen.status, headers, data if chosen.status == 200 else data[chosen.begin : chosen.end])
    writer = Writer(site.boundary())
    whole = (writer.head(_part_type(offer), len(data)), data, writer.end())
    return Reply(200, _headers(writer, offer), b"".join(whole))


def _headers(writer: Writer, offer: Offer) -> Headers:
    return (("Content-Type", writer.content_type(offer.media_type)),)


def _part_type(offer: Offer) -> str:
    return f"{offer.media_type}; transfer-syntax={offer.transfer_syntax_uid}"


class _Answer:
    """One answer on its way."""

    def __init__(
        self, known: Known, site: Site, opened: Opened, frames: Frames, offer: Offer, *, is_stored: bool
    ) -> None:
        self._known = known
        self._site = site
        self._opened = opened
        self._frames = frames
        self._offer = offer
        self._is_stored = is_stored
        self._stored_uid = opened.instance.transfer_syntax_uid
        self._writer = Writer(site.boundary())
        self._part_type = _part_type(offer)

    async def reply(self, numbers: Sequence[int]) -> Reply:
        """Raises Untranscodable, Missing."""
        if len(numbers) == 1:
            return _of_one(self._known, self._site, self._offer, await self._one(numbers[0]))
        headers = _headers(self._writer, self._offer)
        size = sum(length for number in numbers[:64] for _, length in self._frames.at(number)[2])
        if self._is_stored and len(numbers) <= 64 and size <= AT_ONCE_BYTES_MAX:
            parts = [self._part(data) for data in await trio.to_thread.run_sync(self._read_all, numbers)]
            return Reply(200, headers, b"".join((*parts, self._writer.end())))
        return Reply(200, headers, await begun(self._pieces(numbers)))

    def _part(self, data: bytes) -> bytes:
        return self._writer.head(self._part_type, len(data)) + data

    async def _one(self, number: int) -> bytes:
        if self._is_stored:
            bits, first, spans = self._frames.at(number)
            if not bits and sum(length for _, length in spans) <= INLINE_BYTES_MAX:
                data = self._opened.read_at_once(spans)
                if data is not None:
                    return _trimmed(self._stored_uid, data)
            return await trio.to_thread.run_sync(_read, self._opened, bits, first, spans)
        async with aclosing(self._turned([number])) as turned:
            return await anext(turned)

    def _read_all(self, numbers: Sequence[int]) -> list[bytes]:
        return [_read(self._opened, *self._frames.at(number)) for number in numbers]

    def _turned(self, numbers: Sequence[int]) -> AsyncGenerator[bytes, None]:
        opened = self._opened
        return self._site.transcoder.frames(
            opened.dataset, self._offer.transfer_syntax_uid, numbers, opened.instance.key
        )

    async def _pieces(self, numbers: Sequence[int]) -> AsyncGenerator[bytes, None]:
        """A part at a time; the object is held open until the last."""
        async with self._site.objects.use(self._opened.instance) as opened:
            self._opened = opened
            if self._is_stored:
                for number in numbers:
                    yield self._part(await self._one(number))
            else:
                async with aclosing(self._turned(numbers)) as turned:
                    async for data in turned:
                        yield self._part(data)
        yield self._writer.end()


def _read(opened: Opened, bits: int, first: int, spans: Spans) -> bytes:
    data = opened.read(spans)
    if bits:
        return shifted(data, bits, first)
    return _trimmed(opened.instance.transfer_syntax_uid, data)


def _trimmed(stored_uid: str, data: bytes) -> bytes:
    """A codestream of odd length was padded to fill its fragment (PS3.5 A.4)."""
    return data[:-1] if data.endswith(_END_OF_IMAGE) and syntax_types.ends_by_marker(stored_uid) else data
