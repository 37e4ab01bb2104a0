"""Retrieve the objects of a study, a series or an instance (WADO-RS, PS3.18 10.4.1.1.1 to 10.4.1.1.3).

What leaves as it is stored goes from file to socket in pieces of a megabyte, in flat memory. Nothing damaged is ever
closed like a sound answer: a small object is checked before its part begins, of a large one the last piece is held back
until it is, and the connection is cut.
"""

from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from functools import partial
from typing import Final

import trio

from engine.errors import Corrupt
from engine.model import Instance
from native.dataset import canonical_head
from protocols.stored import pieces_of
from protocols.transcode import Sendable, Untranscodable
from protocols.web import named
from protocols.web.forms import syntax_types
from protocols.web.forms.accept import Offer
from protocols.web.forms.multipart import Writer
from protocols.web.messages import Chunk, Reply, Request, Stretch, Whole
from protocols.web.problems import Problem
from protocols.web.reading import ahead, begun, check, checked, gathered, parts_of
from protocols.web.site import Site
from protocols.web.wado import zipped
from protocols.web.wado.known import Known
from protocols.windows import Fetched, Window

GIVES: Final = ('multipart/related; type="application/dicom"', "application/dicom", zipped.MEDIA_TYPE)
# An object up to here is read, checked and answered in one go.
AT_ONCE_BYTES_MAX: Final = 1 << 20


async def retrieve(request: Request, site: Site) -> Reply:
    """The objects that the path names, each in a transfer syntax that the client takes."""
    if zipped.is_asked(request):
        return await zipped.retrieve(request, site)
    found = await named.instances(request, site)
    accepts = request.accepts()
    offers = _offers({one.transfer_syntax_uid for one in found}, accepts, site, is_one=len(found) == 1)
    sending = _Sending(site, found, offers, is_syntax_named=any("transfer-syntax" in one for one in accepts))
    offer = next(iter(offers.values()))
    known = Known(request, found[0], offer) if len(found) == 1 else None
    if known is not None and (unchanged := known.unchanged()) is not None:
        return unchanged
    try:
        reply = await (sending.parts() if offer.is_multipart else sending.alone())
        return reply if known is None else known.on(reply)
    except Untranscodable as error:
        raise Problem(406, str(error)) from error


def _offers(stored: set[str], accepts: list[str], site: Site, *, is_one: bool) -> dict[str, Offer]:
    """What is given of each stored syntax. Raises Problem (406)."""
    codecs = site.transcoder.codecs
    offers: dict[str, Offer] = {}
    for uid in sorted(stored):
        offered = partial(syntax_types.object_syntax, uid, accepts, is_multipart=None if is_one else True)
        if (offer := offered(codecs)) is None:
            otherwise = "objects are given as application/dicom, in the transfer syntax that is stored or Explicit VR"
            raise syntax_types.refusal(offered, codecs, otherwise)
        offers[uid] = offer
    return offers


class _Sending:
    """One answer on its way."""

    def __init__(
        self, site: Site, instances: Sequence[Instance], offers: dict[str, Offer], *, is_syntax_named: bool
    ) -> None:
        self._site = site
        self._instances = instances
        self._offers = offers
        self._may_fall_back = not is_syntax_named
        self._writer = Writer(site.boundary())

    async def alone(self) -> Reply:
        """One object, without parts."""
        instance = self._instances[0]
        headers = (("Content-Type", _content_type(self._target(instance))),)
        if not self._is_stored(instance):
            return Reply(200, headers, await begun(self._turned(self._turned_alone)))
        if instance.size_bytes <= AT_ONCE_BYTES_MAX:
            return Reply(200, headers, await self._small(instance))
        return Reply(200, (*headers, _length(instance.size_bytes)), await begun(self._stored(_alone)))

    async def parts(self) -> Reply:
        """Any number, each a part."""
        headers = (("Content-Type", self._writer.content_type(syntax_types.DICOM)),)
        if not all(map(self._is_stored, self._instances)):
            return Reply(200, headers, await begun(self._turned(self._part)))
        if len(self._instances) == 1 and self._instances[0].size_bytes <= AT_ONCE_BYTES_MAX:
            around = (self._head_of(self._instances[0]), self._writer.end())
            return Reply(200, headers, await self._small(self._instances[0], around))
        return Reply(200, (*headers, _length(self._parts_length())), await begun(self._stored(self._parts)))

    def _parts_length(self) -> int:
        counting = Writer(self._writer.boundary)
        first, *others = self._instances
        heads = len(counting.head(_content_type(first.transfer_syntax_uid), first.size_bytes))
        kinds = Counter((one.transfer_syntax_uid, 10 ** (len(str(one.size_bytes)) - 1)) for one in others)
        heads += sum(count * len(counting.head(_content_type(uid), size)) for (uid, size), count in kinds.items())
        return heads + sum(one.size_bytes for one in self._instances) + len(counting.end())

    def _target(self, instance: Instance) -> str:
        return self._offers[instance.transfer_syntax_uid].transfer_syntax_uid

    def _is_stored(self, instance: Instance) -> bool:
        return self._target(instance) == instance.transfer_syntax_uid

    def _head_of(self, instance: Instance) -> bytes:
        return self._writer.head(_content_type(instance.transfer_syntax_uid), instance.size_bytes)

    # -- as stored ---------------------------------------------------------------------------------------------------

    async def _small(self, instance: Instance, around: tuple[bytes, bytes] = (b"", b"")) -> bytes:
        archive, is_bare = self._site.archive, not instance.preamble
        whole = archive.at_once(instance, (0, instance.size_bytes), around) if is_bare else None
        return whole or around[0] + await archive.opened(instance, _whole) + around[1]

    async def _stored(self, pieces: "Pieces") -> AsyncGenerator[Chunk | Stretch, None]:
        """The first piece by itself: what is wrong with it is known before anything is sent."""
        is_first = True
        async with aclosing(self._opened()) as stretches:
            async for objects in stretches:
                made = pieces(objects)
                if is_first:
                    yield await trio.to_thread.run_sync(_first, made)
                    is_first = False
                yield Stretch(made)
        if pieces != _alone:
            yield self._writer.end()

    async def _opened(self) -> AsyncGenerator[Sequence[Fetched], None]:
        async with self._site.archive.reader(self._instances) as windows:
            async for window in windows:
                if window.lost:
                    raise Corrupt("an object is gone")
                yield window.objects

    def _parts(self, objects: Sequence[Fetched]) -> Iterator[Chunk | Whole]:
        return parts_of(objects, lambda fetched: self._head_of(fetched.instance))

    # -- otherwise ---------------------------------------------------------------------------------------------------

    async def _turned(self, part: "Turned") -> AsyncGenerator[bytes, None]:
        async with aclosing(self._opened()) as stretches:
            async for objects in stretches:
                for fetched in objects:
                    async with aclosing(part(fetched)) as pieces:
                        async for piece in pieces:
                            yield piece
        if part == self._part:
            yield self._writer.end()

    async def _part(self, fetched: Fetched) -> AsyncGenerator[bytes, None]:
        """Behind its head, which says how long it is: what is made anew is made before."""
        if self._is_stored(fetched.instance):
            pieces = self._parts([fetched])
        else:
            await trio.to_thread.run_sync(check, fetched)
            try:
                async with self._made(fetched) as sendable:
                    file = _file_head(fetched.instance, sendable)
                    length = len(file) + _size(sendable)
                    yield self._writer.head(_content_type(sendable.transfer_syntax_uid), length) + file
                    async with aclosing(ahead(_data_set(sendable), self._site.readers)) as sent:
                        async for piece in sent:
                            yield piece
                return
            except Untranscodable:
                if not self._may_fall_back:
                    raise
            pieces = self._parts([fetched])
        async with aclosing(ahead(gathered(pieces), self._site.readers)) as sent:
            async for piece in sent:
                yield piece

    async def _turned_alone(self, fetched: Fetched) -> AsyncGenerator[bytes, None]:
        await trio.to_thread.run_sync(check, fetched)
        async with self._made(fetched) as sendable:
            yield _file_head(fetched.instance, sendable)
            async with aclosing(ahead(_data_set(sendable), self._site.readers)) as sent:
                async for piece in sent:
                    yield piece

    def _made(self, fetched: Fetched) -> AbstractAsyncContextManager[Sendable]:
        instance = fetched.instance
        return self._site.transcoder.open(
            fetched.source, fetched.dataset_offset, instance.transfer_syntax_uid, self._target(instance)
        )


Pieces = Callable[[Sequence[Fetched]], Iterator[Chunk | Whole]]
Turned = Callable[[Fetched], AsyncGenerator[bytes, None]]


def _first(pieces: Iterator[Chunk | Whole]) -> Chunk:
    piece = next(pieces)
    assert not isinstance(piece, Whole)
    return piece


def _whole(window: Window) -> bytes:
    if window.lost:
        raise Corrupt("an object is gone")
    whole = b"".join(checked(window.objects[0]))
    window.close()
    return whole


def _alone(objects: Sequence[Fetched]) -> Iterator[bytes]:
    return checked(objects[0])


def _content_type(transfer_syntax_uid: str) -> str:
    return f"{syntax_types.DICOM}; transfer-syntax={transfer_syntax_uid}"


def _length(size_bytes: int) -> tuple[str, str]:
    return ("Content-Length", str(size_bytes))


def _file_head(instance: Instance, sendable: Sendable) -> bytes:
    """Of another transfer syntax, the bytes are others: no preamble of the old ones is true of them."""
    return canonical_head(instance.sop_class_uid, instance.sop_instance_uid, sendable.transfer_syntax_uid)


def _size(sendable: Sendable) -> int:
    source = sendable.source
    return (len(source) if isinstance(source, bytes) else source.length) - sendable.dataset_offset


def _data_set(sendable: Sendable) -> Iterator[bytes]:
    return pieces_of(sendable.source, sendable.dataset_offset, _size(sendable))
