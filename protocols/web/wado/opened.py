"""Objects that viewers ask for piece by piece, held open with what was found out about them by one walk."""

from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

import trio

from engine import CHUNK_BYTES
from engine.errors import Corrupt, Missing
from engine.model import Instance
from native.dataset import Malformed, frame_at, frame_count
from native.pixels import Pixels, look
from protocols.transcode import Source, by_marker
from protocols.web.forms.syntax_types import BIG
from protocols.web.ports import Archive, Ranged
from protocols.windows import Fetched, Window

Spans = Sequence[tuple[int, int]]
NUMBER_OF_FRAMES: Final = 0x00280008
PIXEL_REPRESENTATION: Final = 0x00280103
# Element headers before a value are checked up to here: more is other values, which are skipped by their lengths.
CHECKED_BYTES_MAX: Final = 16 << 20


class Frames:
    """Where the frames of one object stand in its data set (PS3.5 8.2, A.4)."""

    def __init__(self, source: Source, table: bytes, dataset_offset: int) -> None:
        """``table``: as it was found when the object came, or empty: then the data set is walked, values skipped.
        Raises Missing when it has no frames, Corrupt."""
        self._source = source
        self._base = dataset_offset if table else 0
        self._walked: Pixels | None = None
        self._told: list[list[tuple[int, int]]] = []
        self._table = table or self.walked.frames
        self.is_of_bytes = False
        if not table:
            found = self.walked
            if found.native is None and found.fragments is None and not found.frames:
                raise Missing("there is no pixel data")
            self.is_of_bytes = found.native is not None and found.native[2] == "OB"
        self.count = frame_count(self._table) if self._table else 0
        if not self._table and self.fragments:
            self._told = by_marker(source, list(self.fragments))
            if str(len(self._told)) == self._value(NUMBER_OF_FRAMES, b"1").strip(b" \0").decode("ascii", "replace"):
                self.count = len(self._told)

    @property
    def walked(self) -> Pixels:
        """What a walk of the data set says. Blocking, the first time. Raises Corrupt."""
        if self._walked is None:
            try:
                self._walked = look(self._source.view, self._source.transfer_syntax_uid)
            except Malformed as error:
                raise Corrupt("an object cannot be read to its end") from error
        return self._walked

    @property
    def fragments(self) -> Spans:
        """Of encapsulated pixels, without the offset table. Blocking, the first time."""
        return (self.walked.fragments or [])[1:]

    @property
    def is_signed(self) -> bool:
        """Blocking, the first time."""
        return self._value(PIXEL_REPRESENTATION)[:1] == b"\x01"

    def _value(self, tag: int, otherwise: bytes = b"") -> bytes:
        return self.walked.values.get(tag, otherwise)

    @property
    def held_bytes(self) -> int:
        """What this takes, about."""
        return len(self._table) + 200 * len(self._told)

    def at(self, number: int) -> tuple[int, int, Spans]:
        """A frame by its number from 1: bits and first bit when it fills no whole bytes, else 0; its spans."""
        if self._told:
            return 0, 0, self._told[number - 1]
        bits, first, spans = frame_at(self._table, number - 1)
        return bits, first, [(offset - self._base, length) for offset, length in spans] if self._base else spans


class Opened:
    """One object. ``dataset`` is inflated, if it was deflated; what is read of it is checked."""

    def __init__(self, instance: Instance, window: Window, ranged: Ranged) -> None:
        """Blocking. Raises Corrupt."""
        self.instance = instance
        self.fetched: Fetched = window.objects[0]
        self.users = 0
        self.is_kept = True
        self._window = window
        self._ranged = ranged
        self.dataset = Source(
            self.fetched.source, self.fetched.dataset_offset, instance.transfer_syntax_uid, ranged.read
        )
        self._frames: Frames | Missing | None = None

    @property
    def held_bytes(self) -> int:
        """Memory that it takes, about."""
        held = 4096 + (self._frames.held_bytes if isinstance(self._frames, Frames) else 0)
        return held + self._ranged.held_bytes + (len(self.dataset.view) if self._is_inflated else 0)

    @property
    def _is_inflated(self) -> bool:
        return self.dataset.transfer_syntax_uid != self.dataset.stored_uid

    def frames(self) -> "Frames":
        """Blocking, the first time. Raises Missing, Corrupt."""
        if self._frames is None:
            try:
                self._frames = self._found_frames()
            except Missing as error:
                self._frames = error
        if isinstance(self._frames, Missing):
            raise self._frames
        return self._frames

    def _found_frames(self) -> "Frames":
        table = self._ranged.frames if self.instance.transfer_syntax_uid != BIG else b""
        frames = Frames(self.dataset, table, self.fetched.dataset_offset)
        spans = frames.at(1)[2] if frames.count else frames.fragments
        self.check_before(spans[0][0] if spans else 0)
        return frames

    def frames_at_once(self) -> Frames | None:
        """The same when somebody has asked before."""
        return self._frames if isinstance(self._frames, Frames) else None

    def check_before(self, offset: int) -> None:
        """The headers of what stands before a value of the data set. Blocking. Raises Corrupt."""
        if not self._is_inflated:
            end = self.fetched.dataset_offset + offset
            self._ranged.check(0, min(end, CHECKED_BYTES_MAX))
            self._ranged.check(max(0, end - 12), min(end, 12))

    def read(self, spans: Spans) -> bytes:
        """Bytes of the data set. Blocking. Raises Corrupt."""
        return b"".join([self.dataset.read(offset, length) for offset, length in spans])

    def read_at_once(self, spans: Spans) -> bytes | None:
        """The same when it takes no disk; None when it would wait."""
        if self._is_inflated:
            return self.read(spans)
        parts = []
        for offset, length in spans:
            part = self._ranged.read_at_once(self.fetched.dataset_offset + offset, length)
            if part is None:
                return None
            parts.append(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def chunked(self, spans: Spans) -> Iterator[tuple[int, int]]:
        """The spans cut where chunks end, so that each is read once."""
        base = self.fetched.dataset_offset
        for offset, length in spans:
            end = offset + length
            while offset < end:
                piece = min(end - offset, CHUNK_BYTES - (base + offset) % CHUNK_BYTES)
                yield offset, piece
                offset += piece

    def close(self) -> None:
        """Nobody uses it any more."""
        self._window.close()


def _looked_at(opened: Opened) -> Opened:
    """The same when it knows where its frames are, or that it has none: what it holds does not grow any more."""
    with suppress(Missing, Corrupt):
        opened.frames()
    return opened


class OpenObjects:
    """The objects asked for lately; the least recently used go when they are too many or take too much memory."""

    def __init__(self, archive: Archive, count_max: int, bytes_max: int) -> None:
        self._archive = archive
        self._count_max = count_max
        self._bytes_max = bytes_max
        self._kept: OrderedDict[str, Opened] = OrderedDict()
        self._held_bytes = 0
        self._coming: dict[str, trio.Event] = {}

    @asynccontextmanager
    async def use(self, instance: Instance) -> AsyncIterator[Opened]:
        """Open until the end of the block. Raises Corrupt."""
        opened = await self._get(instance)
        opened.users += 1
        try:
            yield opened
        finally:
            opened.users -= 1
            if not opened.users and (opened.fetched.is_pinned or not opened.is_kept):
                if opened.is_kept:
                    del self._kept[instance.key]  # else another one of this key may stand there
                    self._held_bytes -= opened.held_bytes
                opened.close()
            self._trim()

    async def _get(self, instance: Instance) -> Opened:
        key = instance.key
        while (opened := self._kept.get(key)) is None:
            if (coming := self._coming.get(key)) is None:
                return await self._open(instance)
            await coming.wait()
        self._kept.move_to_end(key)
        return opened

    async def _open(self, instance: Instance) -> Opened:
        done = self._coming[instance.key] = trio.Event()
        try:
            opened = await self._archive.opened(instance, self._opened)
            self._kept[instance.key] = opened
            self._held_bytes += opened.held_bytes
            return opened
        finally:
            del self._coming[instance.key]
            done.set()

    def _opened(self, window: Window) -> Opened:
        if window.lost:
            raise Corrupt("an object is gone")
        fetched = window.objects[0]
        return _looked_at(Opened(fetched.instance, window, self._archive.ranged(fetched)))

    def _trim(self) -> None:
        while self._kept and (len(self._kept) > self._count_max or self._held_bytes > self._bytes_max):
            _, opened = self._kept.popitem(last=False)
            self._held_bytes -= opened.held_bytes
            opened.is_kept = False
            if not opened.users:
                opened.close()

    def close(self) -> None:
        """Give all back that nobody uses."""
        self._count_max = 0
        self._trim()
