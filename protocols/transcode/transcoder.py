"""Objects in another transfer syntax: whole, for a sender that wants them so, or as a stream."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from functools import partial

import msgspec
import trio

from engine.errors import Missing
from engine.model import FileRange
from protocols.codecs.look import Look
from protocols.codecs.syntaxes import DEFLATED, EXPLICIT_LITTLE, Codecs, installed_codecs
from protocols.transcode.choice import Way, ways, why_not
from protocols.transcode.frame_cache import FrameCache
from protocols.transcode.holding import Holding
from protocols.transcode.pixels import Plan, Turner, planned, planned_to_draw
from protocols.transcode.pool import Pool
from protocols.transcode.refusal import Untranscodable
from protocols.transcode.settings import TranscodeSettings
from protocols.transcode.source import Source
from protocols.transcode.unfolding import Unfolding
from protocols.transcode.unusual import Unusual
from protocols.transcode.work import Order, Work


class Sendable(msgspec.Struct, frozen=True):
    """A data set ready to be sent: it begins ``dataset_offset`` bytes into ``source``."""

    source: FileRange | bytes
    dataset_offset: int
    transfer_syntax_uid: str


class Transcoder:
    """Turns stored objects into other transfer syntaxes: one in a process, ``async with`` around its use."""

    def __init__(self, settings: TranscodeSettings | None = None, codecs: Codecs | None = None) -> None:
        self.settings = settings or TranscodeSettings()
        self.codecs = installed_codecs() if codecs is None else codecs
        self._threads = trio.CapacityLimiter(self.settings.rewrites_max)
        self._pool = Pool(self.settings)
        self._cache = FrameCache(self.settings.cache_bytes_max)
        self._turner = Turner(self._pool, self._threads, self.settings.workers_max)

    async def __aenter__(self) -> "Transcoder":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._pool.close()

    @asynccontextmanager
    async def open(
        self, source: FileRange | bytes, dataset_offset: int, stored_uid: str, target_uid: str
    ) -> AsyncIterator[Sendable]:
        """The whole data set in ``target_uid``: in memory, or when it is large in an unlinked file, open until the end
        of the block. The stored syntax itself is given back as it is. Raises Untranscodable."""
        if stored_uid == target_uid:
            yield Sendable(source, dataset_offset, stored_uid)
            return
        holding = Holding(self.settings)
        try:
            async with aclosing(self.stream(source, dataset_offset, stored_uid, target_uid)) as chunks:
                async for chunk in chunks:
                    await self._hold(holding, chunk)
            yield Sendable(holding.source(), 0, target_uid)
        finally:
            holding.close()

    async def stream(
        self, source: FileRange | bytes, dataset_offset: int, stored_uid: str, target_uid: str
    ) -> AsyncGenerator[bytes, None]:
        """The data set in ``target_uid`` piece by piece, a frame at most: the source must stay open until the last one.
        Raises Untranscodable; of a frame that cannot be read, also in the middle."""
        way = self._way(stored_uid, target_uid)
        work = Work(Order(source, dataset_offset, stored_uid, way), self.settings)
        behind = "more"
        while behind != "end":
            piece, behind = await trio.to_thread.run_sync(work.next, limiter=self._threads)
            if piece:
                yield piece
            if behind == "hole":
                async for part in self._pixels(work):
                    yield part

    async def frames(
        self, source: Source, target_uid: str, numbers: Sequence[int], content: str
    ) -> AsyncGenerator[bytes, None]:
        """Frames by number (from 1) in the order asked, in another syntax, without item headers, padding.
        ``content`` names the object's bytes: by it frames are cached, and each is made once at a time.

        Raises Untranscodable; Missing when there is no such frame, before the first.
        """
        self._way(source.stored_uid, target_uid)
        plan = await trio.to_thread.run_sync(planned, source, target_uid, self.settings, limiter=self._threads)
        if plan is None or not all(0 < number <= len(plan.frames) for number in numbers):
            raise Missing("there is no such frame")
        for number in numbers:
            make = partial(self._turner.frame, plan, source, plan.frames[number - 1])
            yield await self._cache.get((content, target_uid, number), make)

    def unfolding(self, source: Source) -> Unfolding | None:
        """The pictures of a data set, to be had as samples; None: it has none. Blocking. Raises Untranscodable."""
        plan = planned_to_draw(source, self.settings)
        if isinstance(plan, Plan) and plan.is_decoded_apart and plan.stored_uid not in self.codecs.decodes:
            raise Untranscodable(self.codecs.reason)
        return Unfolding(plan, source, self._turner) if plan is not None else None

    async def image(self, source: Source, number: int, look: Look, content: str) -> bytes:
        """A frame as an image. Raises Untranscodable, Missing."""
        if not self.codecs.renders:
            raise Untranscodable(self.codecs.reason)
        plan = await trio.to_thread.run_sync(planned_to_draw, source, self.settings, limiter=self._threads)
        if isinstance(plan, Unusual):
            frame = await trio.to_thread.run_sync(plan.frame, source, number, limiter=self._threads)
            return await self._pool.render(plan.picture, frame, look)
        if plan is None or not 0 < number <= len(plan.frames):
            raise Missing("there is no such frame")
        make = partial(self._turner.frame, plan, source, plan.frames[number - 1])
        frame = await self._cache.get((content, EXPLICIT_LITTLE, number), make)
        return await self._pool.render(plan.native_picture, frame, look)

    async def _pixels(self, work: Work) -> AsyncGenerator[bytes, None]:
        assert work.plan is not None and work.source is not None
        async for part in self._turner.element(work.plan, work.source):
            if work.plan.target_uid == DEFLATED:
                part = await trio.to_thread.run_sync(work.pass_on, part, limiter=self._threads)
            if part:
                yield part

    async def _hold(self, holding: Holding, chunk: bytes) -> None:
        if holding.is_in_memory(len(chunk)):
            holding.write(chunk)
        else:
            await trio.to_thread.run_sync(holding.write, chunk, limiter=self._threads)

    def _way(self, stored_uid: str, target_uid: str) -> Way:
        for way in ways(stored_uid, self.codecs):
            if way.transfer_syntax_uid == target_uid:
                return way
        raise Untranscodable(why_not(stored_uid, self.codecs))
