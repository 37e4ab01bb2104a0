"""Objects in another transfer syntax: whole, for a sender that wants them so, or as a stream."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

import msgspec
import trio

from engine.model import FileRange
from protocols.transcode import rewriting
from protocols.transcode.choice import Way, ways, why_not
from protocols.transcode.holding import Holding
from protocols.transcode.refusal import Untranscodable
from protocols.transcode.settings import TranscodeSettings
from protocols.transcode.syntaxes import Codecs, installed_codecs


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

    async def __aenter__(self) -> "Transcoder":
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

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
        """The data set in ``target_uid`` piece by piece, in flat memory: the source must stay open until the last one.
        Raises Untranscodable; of a frame that cannot be read, also in the middle."""
        self._way(stored_uid, target_uid)
        size = self.settings.piece_bytes
        pieces = rewriting.rewritten(source, dataset_offset, stored_uid, target_uid, size)
        while chunk := await trio.to_thread.run_sync(rewriting.gathered, pieces, size, limiter=self._threads):
            yield chunk

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
