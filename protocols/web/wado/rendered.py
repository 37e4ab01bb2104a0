"""Retrieve images to look at (WADO-RS rendered, thumbnails, PS3.18 10.4.1.2): drawn in worker processes within limits.

Documents and videos are given as they are, whatever is asked for (O11): nothing else can be made of them.
"""

from collections.abc import AsyncGenerator, Sequence
from functools import partial
from typing import Final

import msgspec
import trio

from engine.errors import Missing
from engine.model import Instance
from protocols.transcode import Look, Untranscodable, Viewport
from protocols.web import named
from protocols.web.forms import accept, syntax_types
from protocols.web.forms.accept import Offer
from protocols.web.forms.multipart import Writer
from protocols.web.messages import Reply, Request
from protocols.web.problems import Problem
from protocols.web.reading import begun
from protocols.web.site import Site
from protocols.web.wado import frames, stretches
from protocols.web.wado.bulkdata import ENCAPSULATED_DOCUMENT, value_of
from protocols.web.wado.known import Known
from protocols.web.wado.looks import Said
from protocols.web.wado.opened import Opened
from protocols.web.wado.rendering import PARAMETERS, Asked, asked_by

GIVES: Final = ("image/jpeg", "image/png", "application/pdf", "video/mp4")
QUERY: Final = PARAMETERS
_OFFERS: Final = tuple(Offer(name, is_multipart=form) for form in (False, True) for name in GIVES[:2])
_DOCUMENTS: Final = {
    "1.2.840.10008.5.1.4.1.1.104.1": "application/pdf",
    "1.2.840.10008.5.1.4.1.1.104.2": "text/xml",
    "1.2.840.10008.5.1.4.1.1.104.3": "model/stl",
    "1.2.840.10008.5.1.4.1.1.104.4": "model/obj",
    "1.2.840.10008.5.1.4.1.1.104.5": "model/mtl",
}
_DOCUMENT_LENGTH: Final = 0x00420015
THUMBNAIL: Final = Viewport(128, 128)
# Instances of a series or study that are tried for one that shows something.
TRIED_COUNT_MAX: Final = 8


async def retrieve(request: Request, site: Site) -> Reply:
    """A study, series or instance, or listed frames of it, to look at: one image, or one a part."""
    return await _retrieve(request, site, asked_by(request))


async def thumbnail(request: Request, site: Site) -> Reply:
    """One small image of a study, series, instance or frame; of a document or a video there is none."""
    asked = asked_by(request, THUMBNAIL)
    found = await named.instances(request, site)
    offer = _offer(request, one=True)
    numbers = _numbers(request)
    return await _first_image(request, site, found, offer, asked, numbers[:1])


async def _retrieve(request: Request, site: Site, asked: Asked) -> Reply:
    found = await named.instances(request, site)
    if len(found) == 1 and (given := await _as_it_is(request, site, found[0])) is not None:
        return given
    offer = _offer(request)
    numbers = _numbers(request)
    if not offer.is_multipart:
        if len(numbers) > 1:
            raise Problem(406, "several frames are given as parts")
        return await _first_image(request, site, found, offer, asked, numbers)
    writer = Writer(site.boundary())
    body = await begun(_parts(site, found, offer, asked, numbers, writer))
    return Reply(200, (("Content-Type", writer.content_type(offer.media_type)),), body)


def _offer(request: Request, *, one: bool = False) -> Offer:
    offer = accept.choose(_OFFERS[:2] if one else _OFFERS, request.accepts())
    if offer is None:
        raise Problem(406, "images are given as image/jpeg and image/png")
    return offer


def _numbers(request: Request) -> list[int]:
    return frames.numbers_of(request.parameters["frames"]) if "frames" in request.parameters else []


async def _first_image(
    request: Request, site: Site, instances: Sequence[Instance], offer: Offer, asked: Asked, numbers: Sequence[int]
) -> Reply:
    """Of several instances the one in the middle, or one behind it, that shows something."""
    middle = len(instances) // 2
    refusal: Exception = Problem(404, "nothing here can be shown")
    for instance in (*instances[middle:], *instances[:middle])[:TRIED_COUNT_MAX]:
        known = Known(request, instance, offer)
        if (unchanged := known.unchanged()) is not None:
            return unchanged
        try:
            image = await _image(site, instance, offer, asked, numbers[0] if numbers else 0)
        except (Missing, Untranscodable) as error:
            refusal = _refusal(error)
            continue
        return known.on(Reply(200, (("Content-Type", offer.media_type),), image))
    raise refusal


def _refusal(error: Exception) -> Problem:
    if isinstance(error, Missing):
        return Problem(404, "there is no such frame, or nothing to be shown")
    return Problem(406, str(error))


async def _parts(
    site: Site, instances: Sequence[Instance], offer: Offer, asked: Asked, numbers: Sequence[int], writer: Writer
) -> AsyncGenerator[bytes, None]:
    """What shows nothing is left out, unless it alone was asked for."""
    is_empty = True
    for instance in instances:
        for number in numbers or (0,):
            try:
                image = await _image(site, instance, offer, asked, number)
            except (Missing, Untranscodable) as error:
                if len(instances) == 1:
                    raise _refusal(error) from None
                continue
            is_empty = False
            yield writer.head(offer.media_type, len(image)) + image
    if is_empty:
        raise Problem(404, "nothing here can be shown")
    yield writer.end()


async def _image(site: Site, instance: Instance, offer: Offer, asked: Asked, number: int) -> bytes:
    """``number`` 0: the frame that stands for all. Raises Missing, Untranscodable."""
    name = (instance.key, f"{offer.media_type} {asked}", number)
    return await site.images.get(name, partial(_drawn, site, instance, offer, asked, number))


async def _drawn(site: Site, instance: Instance, offer: Offer, asked: Asked, number: int) -> bytes:
    async with site.objects.use(instance) as opened:
        number, look = await trio.to_thread.run_sync(_look, opened, number, asked, offer.media_type)
        return await site.transcoder.image(opened.dataset, number, look, instance.key)


def _look(opened: Opened, number: int, asked: Asked, media_type: str) -> tuple[int, Look]:
    """Blocking. Raises Missing."""
    of_frames = opened.frames()
    number = number or min(Said(opened, 1).representative(), max(1, of_frames.count))
    said = Said(opened, number)
    slope, intercept = said.slope_and_intercept()
    modality = said.modality(is_signed=of_frames.is_signed)
    look = Look(
        slope=slope,
        intercept=intercept,
        modality=modality,
        window=asked.window or said.window(),
        padding=said.padding(is_signed=of_frames.is_signed),
        voi=None if asked.window else said.voi(is_signed=of_frames.is_signed or intercept < 0),
        palette=said.palette(),
        viewport=asked.viewport,
        media_type="image/png" if media_type == "image/png" else "image/jpeg",
        quality=asked.quality,
    )
    return number, look


async def _as_it_is(request: Request, site: Site, instance: Instance) -> Reply | None:
    """A document or a video; None for what is drawn."""
    media_type = _DOCUMENTS.get(instance.sop_class_uid, "")
    is_video = instance.transfer_syntax_uid in syntax_types.VIDEO
    if not media_type and not is_video:
        return None
    async with site.objects.use(instance) as opened:
        if media_type:
            spans = [await trio.to_thread.run_sync(_document, opened)]
            offer = Offer(media_type)
        else:
            spans = list((await trio.to_thread.run_sync(opened.frames)).fragments)
            offer = Offer(syntax_types.type_of(instance.transfer_syntax_uid))
        reply = await stretches.reply(request, site, opened, offer, spans)
    return msgspec.structs.replace(reply, headers=(*reply.headers, ("Content-Disposition", "inline")))


def _document(opened: Opened) -> tuple[int, int]:
    (offset, length), _ = value_of(opened, [ENCAPSULATED_DOCUMENT], [])
    try:
        (at, size), word = value_of(opened, [_DOCUMENT_LENGTH], [])
    except Problem:
        return offset, length
    said = int.from_bytes(opened.read([(at, size)]), "big" if word > 1 else "little")
    return offset, said if length - 1 <= said <= length else length
