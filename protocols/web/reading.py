"""Stored objects read for sending: checked against their keys, some at a time, while what was read before is sent."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Final

import trio
import xxhash

from engine.errors import Corrupt
from engine.model import FileRange
from protocols.stored import NOT_WRITTEN, PIECE_BYTES, all_of, is_sound, key_of
from protocols.web.messages import Chunk, Stretch, Whole
from protocols.windows import Fetched

FIRST_PIECE_BYTES: Final = 128 << 10  # small, so that the answer begins at once


def checked(fetched: Fetched) -> Iterator[bytes]:
    """The object piece by piece, a preamble given back; the last piece only when all are sound. Raises Corrupt."""
    return _checked(fetched.source, key_of(fetched.instance), fetched.instance.preamble)


def _checked(source: FileRange | bytes, key: bytes, preamble: bytes) -> Iterator[bytes]:
    seen, held = xxhash.xxh3_128(), b""
    for piece in all_of(source):
        seen.update(piece)
        if held:
            yield held
        if preamble:
            piece, preamble = preamble + piece[len(preamble) :], b""
        held = piece
    if seen.digest() != key:
        raise Corrupt(NOT_WRITTEN)
    yield held


def check(fetched: Fetched) -> None:
    """Read the object for its hash alone. Raises Corrupt."""
    if not is_sound(fetched):
        raise Corrupt(NOT_WRITTEN)


def gathered(pieces: Iterator[Chunk | Whole]) -> Iterator[bytes]:
    """Fewer, larger ones: the first soon, then of about ``PIECE_BYTES``. Raises Corrupt."""
    parts: list[Chunk] = []
    size, enough = 0, FIRST_PIECE_BYTES
    for piece in _read_out(pieces):
        parts.append(piece)
        size += len(piece)
        if size >= enough:
            yield b"".join(parts)
            parts, size, enough = [], 0, PIECE_BYTES
    if parts:
        yield b"".join(parts)


def _read_out(pieces: Iterator[Chunk | Whole]) -> Iterator[Chunk]:
    for piece in pieces:
        if isinstance(piece, Whole):
            yield from _checked(piece.source, piece.key, piece.preamble)
        else:
            yield piece


async def ahead(pieces: Iterator[bytes], threads: ThreadPoolExecutor) -> AsyncGenerator[bytes, None]:
    """What a blocking iterator gives, the next piece made by a thread while one is used. When this is closed, no thread
    uses any more what the pieces are made of."""
    token = trio.lowlevel.current_trio_token()

    def begin() -> "tuple[Future[bytes | None], trio.Event]":
        done = trio.Event()
        coming: Future[bytes | None] = threads.submit(next, pieces, None)
        coming.add_done_callback(lambda _: _tell(token, done))
        return coming, done

    coming, done = begin()
    try:
        while True:
            await done.wait()
            piece = coming.result()
            if piece is None:
                return
            coming, done = begin()
            yield piece
    finally:
        if not coming.cancel():
            with trio.CancelScope(shield=True):
                await done.wait()


def _tell(token: trio.lowlevel.TrioToken, done: trio.Event) -> None:
    with suppress(trio.RunFinishedError):
        token.run_sync_soon(done.set)


class _Begun:
    def __init__(self, first: Chunk | Stretch, rest: "Pieces") -> None:
        self._first = first
        self._rest = rest

    def __aiter__(self) -> AsyncIterator[Chunk | Stretch]:
        return self

    async def __anext__(self) -> Chunk | Stretch:
        first, self._first = self._first, b""
        return first or await anext(self._rest)

    async def aclose(self) -> None:
        await self._rest.aclose()


async def begun(pieces: "Pieces") -> AsyncIterator[Chunk | Stretch]:
    """The same with its first piece made: what is wrong with it is raised here, where it can still be said."""
    try:
        return _Begun(await anext(pieces), pieces)
    except BaseException:
        await pieces.aclose()
        raise


Heads = Callable[[Fetched], bytes]
Pieces = AsyncGenerator[bytes, None] | AsyncGenerator[Chunk | Stretch, None]


def parts_of(objects: Sequence[Fetched], head: Heads) -> Iterator[Chunk | Whole]:
    """Each object behind its head, which comes first. The first object, if it is small, is checked before that, the
    others by who sends them."""
    for number, fetched in enumerate(objects):
        pieces = checked(fetched)
        first = next(pieces) if not number or isinstance(fetched.source, bytes) else b""
        yield head(fetched)
        if isinstance(fetched.source, bytes):
            yield first
            yield from pieces
        else:
            yield Whole(fetched.source, key_of(fetched.instance), fetched.instance.preamble)
