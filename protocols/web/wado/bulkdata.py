"""Retrieve bulk data (WADO-RS, PS3.18 10.4.1.1.5): the value of any attribute, by the path that metadata links to.

``TAG`` or ``SEQUENCE/ITEM/.../TAG``: 8 hex digits each, item 1 is the first.
"""

import re
from typing import Final

import trio

from engine.errors import Corrupt
from native.dataset import Malformed
from native.seek import seek
from protocols.web import named
from protocols.web.forms import accept, syntax_types
from protocols.web.forms.accept import Offer
from protocols.web.messages import Reply, Request
from protocols.web.problems import Problem
from protocols.web.site import Site
from protocols.web.wado import frames, stretches
from protocols.web.wado.opened import Opened

GIVES: Final = (syntax_types.OCTETS, 'multipart/related; type="application/octet-stream"', "application/pdf")
LEVELS_MAX: Final = 64
_TAG: Final = re.compile(r"[0-9A-Fa-f]{8}")
_PIXEL_DATA: Final = 0x7FE00010
ENCAPSULATED_DOCUMENT: Final = 0x00420011
# Alone first: whoever takes anything gets what they can use at once (C35).
_OFFERS: Final = (
    Offer(syntax_types.OCTETS, syntax_types.EXPLICIT),
    Offer(syntax_types.OCTETS, syntax_types.EXPLICIT, is_multipart=True),
)


async def retrieve(request: Request, site: Site) -> Reply:
    """The value that the path names."""
    tags, items = path_of(request.parameters["path"])
    instance = await named.instance(request, site)
    if tags == [_PIXEL_DATA] and not syntax_types.is_native(instance.transfer_syntax_uid):
        return await frames.pixel_data(request, site)
    offer = accept.choose(_OFFERS, request.accepts())
    if offer is None:
        raise Problem(406, f"bulk data are given as {syntax_types.OCTETS}, alone or as a part")
    async with site.objects.use(instance) as opened:
        span, word = await trio.to_thread.run_sync(value_of, opened, tags, items)
        if word > 1:
            raise Problem(406, "values of big endian objects are given within the object alone")
        return await stretches.reply(request, site, opened, offer, [span])


def value_of(opened: Opened, tags: list[int], items: list[int]) -> tuple[tuple[int, int], int]:
    """Where a value stands, and its words if they are big endian. Blocking. Raises Problem (404), Corrupt."""
    try:
        found = seek(opened.dataset.view, opened.dataset.transfer_syntax_uid, tags, items)
    except Malformed as error:
        raise Corrupt("an object cannot be read to its end") from error
    if found is None:
        raise Problem(404, "there is no such value")
    _, offset, length, word = found
    opened.check_before(offset)
    return (offset, length), word


def path_of(text: str) -> tuple[list[int], list[int]]:
    """Tags and items. Raises Problem (400)."""
    steps = text.split("/")
    tags, items = steps[::2], steps[1::2]
    is_sound = len(items) == len(tags) - 1 < LEVELS_MAX and all(map(_TAG.fullmatch, tags))
    if not is_sound or not all(one.isdecimal() and 0 < len(one) < 9 for one in items):
        raise Problem(400, "bulk data are named by TAG or SEQUENCE/ITEM/TAG")
    return [int(tag, 16) for tag in tags], [int(item) for item in items]
