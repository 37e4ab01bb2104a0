"""One stretch of bytes of an object as an answer: whole or a range of it, alone or as the only part, in flat memory."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

import trio

from protocols.web.forms.accept import Offer
from protocols.web.forms.multipart import Writer
from protocols.web.messages import Headers, Reply, Request
from protocols.web.reading import ahead, begun, gathered
from protocols.web.site import Site
from protocols.web.wado.known import Known
from protocols.web.wado.opened import Opened, Spans

AT_ONCE_BYTES_MAX: Final = 1 << 20


async def reply(request: Request, site: Site, opened: Opened, offer: Offer, spans: Spans) -> Reply:
    """``spans`` are of the data set. A range only of what comes alone (C35)."""
    length = sum(size for _, size in spans)
    known = Known(request, opened.instance, offer, is_exact=True)
    if (unchanged := known.unchanged()) is not None:
        return unchanged
    if offer.is_multipart:
        writer = Writer(site.boundary())
        said = (("Content-Type", writer.content_type(offer.media_type)),)
        head, end = writer.head(_content_type(offer), length), writer.end()
        return await _reply(200, said + known.headers, site, opened, (head, spans, end))
    chosen = known.range_of(length)
    headers = (("Content-Type", _content_type(offer)), *chosen.headers, *known.headers)
    part = list(_clipped(spans, chosen.begin, chosen.end))
    return await _reply(chosen.status, headers, site, opened, (b"", part, b""))


async def _reply(status: int, headers: Headers, site: Site, opened: Opened, body: tuple[bytes, Spans, bytes]) -> Reply:
    head, spans, end = body
    length = sum(size for _, size in spans)
    if length <= AT_ONCE_BYTES_MAX:
        data = opened.read_at_once(spans)
        if data is None:
            data = await trio.to_thread.run_sync(opened.read, spans)
        return Reply(status, headers, head + data + end)
    headers = (*headers, ("Content-Length", str(len(head) + length + len(end))))
    return Reply(status, headers, await begun(_pieces(site, opened, head, spans, end)))


async def _pieces(site: Site, opened: Opened, head: bytes, spans: Spans, end: bytes) -> AsyncGenerator[bytes, None]:
    async with site.objects.use(opened.instance) as held:
        if head:
            yield head
        pieces = (held.read([span]) for span in held.chunked(spans))
        async with aclosing(ahead(gathered(pieces), site.readers)) as sent:
            async for piece in sent:
                yield piece
        if end:
            yield end


def _clipped(spans: Spans, begin: int, end: int) -> Spans:
    """The bytes from ``begin`` to ``end`` of all spans as one."""
    chosen, at = [], 0
    for offset, size in spans:
        first, last = max(begin - at, 0), min(end - at, size)
        if first < last:
            chosen.append((offset + first, last - first))
        at += size
    return chosen


def _content_type(offer: Offer) -> str:
    if not offer.transfer_syntax_uid:
        return offer.media_type
    return f"{offer.media_type}; transfer-syntax={offer.transfer_syntax_uid}"
