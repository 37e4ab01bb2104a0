"""The blocking side of one object's transcoding: what is called in a thread, a piece at a time."""

from collections.abc import Iterator
from typing import Literal

import msgspec

from engine.model import FileRange
from protocols.transcode import rewriting
from protocols.transcode.choice import Way
from protocols.transcode.pixels import Plan, planned
from protocols.transcode.settings import TranscodeSettings
from protocols.transcode.source import Source

Behind = Literal["more", "hole", "end"]


class Order(msgspec.Struct, frozen=True):
    """What to make of what: a data set that begins ``dataset_offset`` bytes into ``source``, sent in a way."""

    source: FileRange | bytes
    dataset_offset: int
    stored_uid: str
    way: Way


class Work:
    """The source is opened with the first piece; then ``source`` and ``plan`` (if Pixel Data changes) are there."""

    def __init__(self, order: Order, settings: TranscodeSettings) -> None:
        self._order = order
        self._settings = settings
        self._pieces: Iterator[bytes | None] | None = None
        self._deflating = rewriting.Deflating(order.way.transfer_syntax_uid)
        self.source: Source | None = None
        self.plan: Plan | None = None

    def next(self) -> tuple[bytes, Behind]:
        """Some more of the new data set, and what comes behind it. Raises Untranscodable."""
        if self._pieces is None:
            self._pieces = self._begin()
        data, behind = rewriting.gathered(self._pieces, self._settings.piece_bytes)
        if self._order.way.kind == "stored":
            return data, behind
        data = self._deflating.pass_on(data)
        return (data + self._deflating.end() if behind == "end" else data), behind

    def pass_on(self, pixels: bytes) -> bytes:
        """A part of the new Pixel Data element, deflated if that is asked for."""
        return self._deflating.pass_on(pixels)

    def _begin(self) -> Iterator[bytes | None]:
        order, size = self._order, self._settings.piece_bytes
        target_uid = order.way.transfer_syntax_uid
        if order.way.kind == "stored":
            self.source = Source(order.source, order.dataset_offset, "")
            return rewriting.copied(self.source, 0, len(self.source.view), 1, size)
        self.source = Source(order.source, order.dataset_offset, order.stored_uid)
        edits = None
        if order.way.kind != "rewrite":
            self.plan = planned(self.source, target_uid, self._settings)
            edits = self.plan.edits if self.plan else None
        walk = rewriting.reencoder(self.source, target_uid, edits, hole=self.plan is not None)
        return rewriting.pieces(self.source, walk, size)
