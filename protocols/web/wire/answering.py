"""The body of one answer on its way: piece by piece, in chunks or within the length that was said."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing

import trio

from protocols.web.messages import Chunk, Stretch
from protocols.web.patience import Patience
from protocols.web.problems import Disconnected
from protocols.web.reading import ahead, gathered
from protocols.web.wire.answer_head import LAST_CHUNK, chunk_head
from protocols.web.wire.wires import GONE, Plain, Wire


class Answering:
    """Its head waits for the first piece, and goes with it."""

    def __init__(
        self,
        wire: Wire,
        head: bytes,
        length: int | None,
        patience: Patience,
        readers: ThreadPoolExecutor,
        *,
        is_chunked: bool,
    ) -> None:
        """``length``: of the body, if its head says it. ``readers``: threads for a wire that cannot pour."""
        self._wire = wire
        self._head = head
        self._left = length
        self._patience = patience
        self._readers = readers
        self._is_chunked = is_chunked

    async def give(self, piece: Chunk | Stretch) -> None:
        """Send it. Raises Disconnected, ValueError for more than the head says, and what making a stretch does."""
        if isinstance(piece, Stretch):
            await self._give_stretch(piece)
        elif piece:
            self._note(len(piece))
            await self._send([chunk_head(len(piece)), piece, b"\r\n"] if self._is_chunked else [piece])
            await trio.lowlevel.checkpoint()

    async def end(self) -> None:
        """All is given. Raises Disconnected, ValueError when the head says more."""
        if self._left:
            raise ValueError("an answer is shorter than its head says")
        await self._send([LAST_CHUNK] if self._is_chunked else [])

    async def _send(self, parts: list[Chunk]) -> None:
        if self._head:
            parts.insert(0, self._head)
            self._head = b""
        try:
            await self._wire.send(parts, self._patience)
        except GONE as error:
            raise Disconnected from error

    async def _give_stretch(self, stretch: Stretch) -> None:
        if self._left is not None and isinstance(self._wire, Plain):
            head, self._head = self._head, b""
            try:
                self._note(await self._wire.pour(head, stretch.pieces, self._patience))
            except GONE as error:
                raise Disconnected from error
            return
        async with aclosing(ahead(gathered(stretch.pieces), self._readers)) as sent:
            async for one in sent:
                await self.give(one)

    def _note(self, count: int) -> None:
        if self._left is not None:
            self._left -= count
            if self._left < 0:
                raise ValueError("an answer is longer than its head says")
