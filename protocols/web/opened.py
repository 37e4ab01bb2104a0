"""Objects that viewers ask for piece by piece, held open with what was found out about them by one walk."""

import os
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

import trio

from engine.errors import Corrupt, Missing
from engine.model import Instance
from native.dataset import Malformed, frame_at, frame_count
from native.pixels import look
from protocols.transcode import Source, by_marker
from protocols.web import reading
from protocols.web.ports import Archive, Fetched, Window

Spans = Sequence[tuple[int, int]]
# Objects up to here are checked against their key when they are opened: some milliseconds, once.
CHECKED_BYTES_MAX: Final = 8 << 20
NUMBER_OF_FRAMES: Final = 0x00280008
PIXEL_REPRESENTATION: Final = 0x00280103


class Frames:
    """Where the frames of one object stand in its data set (PS3.5 8.2, A.4)."""

    def __init__(self, source: Source) -> None:
        """Walk the data set, values skipped. Raises Missing when it has no frames, Corrupt."""
        try:
            found = look(source.view, source.transfer_syntax_uid)
        except Malformed as error:
            raise Corrupt("an object cannot be read to its end") from error
        if found.native is None and found.fragments is None and not found.frames:
            raise Missing("there is no pixel data")
        self.fragments: Spans = (found.fragments or [])[1:]
        self.is_of_bytes = found.native is not None and found.native[2] == "OB"
        self.is_signed = found.values.get(PIXEL_REPRESENTATION, b"")[:1] == b"\x01"
        self._table = found.frames
        self._told: list[list[tuple[int, int]]] = []
        self.count = frame_count(self._table) if self._table else 0
        if not self._table and self.fragments:
            self._told = by_marker(source, list(self.fragments))
            if str(len(self._told)) == found.values.get(NUMBER_OF_FRAMES, b"1").strip(b" \0").decode(
                "ascii", "replace"
            ):
                self.count = len(self._told)

    @property
    def held_bytes(self) -> int:
        """What this takes, about."""
        return len(self._table) + 200 * len(self._told)

    def at(self, number: int) -> tuple[int, int, Spans]:
        """A frame by its number from 1: bits and first bit when it fills no whole bytes, else 0; its spans."""
        if self._told:
            return 0, 0, self._told[number - 1]
        return frame_at(self._table, number - 1)


class Opened:
    """One object. ``dataset`` is inflated, if it was deflated."""

    def __init__(self, instance: Instance, window: Window) -> None:
        """Blocking. Raises Corrupt."""
        if window.lost:
            raise Corrupt("an object is gone")
        self.instance = instance
        self.fetched: Fetched = window.objects[0]
        self.users = 0
        self.is_kept = True
        self._window = window
        if instance.size_bytes <= CHECKED_BYTES_MAX:
            reading.check(self.fetched)
        self.dataset = Source(self.fetched.source, self.fetched.dataset_offset, instance.transfer_syntax_uid)
        self._frames: Frames | Missing | None = None

    @property
    def held_bytes(self) -> int:
        """Memory that it takes, about."""
        held = 4096 + (self._frames.held_bytes if isinstance(self._frames, Frames) else 0)
        return held + (len(self.dataset.view) if self.dataset.file is None else 0)

    def frames(self) -> "Frames":
        """Blocking, the first time. Raises Missing, Corrupt."""
        if self._frames is None:
            try:
                self._frames = Frames(self.dataset)
            except Missing as error:
                self._frames = error
        if isinstance(self._frames, Missing):
            raise self._frames
        return self._frames

    def frames_at_once(self) -> Frames | None:
        """The same when somebody has asked before."""
        return self._frames if isinstance(self._frames, Frames) else None

    def read(self, spans: Spans) -> bytes:
        """Bytes of the data set. Blocking. Raises Corrupt."""
        return b"".join([self.dataset.read(offset, length) for offset, length in spans])

    def read_at_once(self, spans: Spans) -> bytes | None:
        """The same when it takes no disk: of memory, or of pages that are cached; None when it would wait."""
        file = self.dataset.file
        if file is None:
            return self.read(spans)
        parts = []
        for offset, length in spans:
            part = bytearray(length)
            try:
                count = os.preadv(file.fd, [part], file.offset + offset, os.RWF_NOWAIT)
            except OSError:
                return None
            if count != length:
                return None
            parts.append(part)
        return bytes(parts[0]) if len(parts) == 1 else b"".join(parts)

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
            opened = await self._archive.opened(instance, lambda window: _looked_at(Opened(instance, window)))
            self._kept[instance.key] = opened
            self._held_bytes += opened.held_bytes
            return opened
        finally:
            del self._coming[instance.key]
            done.set()

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
