"""The frames of one object as samples, for who reckons with them."""

from typing import TYPE_CHECKING

from protocols.codecs.picture import Picture
from protocols.transcode.frame_values import FrameValues
from protocols.transcode.pixels import Plan, Turner, unfolded_here
from protocols.transcode.source import Source
from protocols.transcode.unusual import Unusual

if TYPE_CHECKING:
    from protocols.codecs.samples import Array


class Unfolding:
    """Of a source that stays open meanwhile. ``picture``: what each frame is, once it is unfolded."""

    def __init__(self, plan: Plan | Unusual, source: Source, turner: Turner) -> None:
        self._plan = plan
        self._source = source
        self._turner = turner
        self.picture: Picture = plan.native_picture if isinstance(plan, Plan) else plan.picture

    @property
    def is_decoded_apart(self) -> bool:
        """Whether it takes a decoder: then ``decoded`` gives the frames, else ``frame``."""
        return isinstance(self._plan, Plan) and self._plan.is_decoded_apart

    def values(self, number: int) -> FrameValues:
        """What the data set says of a frame."""
        return FrameValues(self._source, number)

    def frame(self, number: int) -> bytes:
        """A native frame by its number, from 1. Blocking. Raises Untranscodable."""
        if isinstance(self._plan, Plan):
            return unfolded_here(self._plan, self._source, self._plan.frames[number - 1])
        return self._plan.frame(self._source, number)

    async def decoded(self, number: int) -> bytes:
        """The same by a decoder, in a process of its own. Raises Untranscodable."""
        assert isinstance(self._plan, Plan)
        return await self._turner.frame(self._plan, self._source, self._plan.frames[number - 1])

    def samples(self, frame: bytes) -> "Array":
        """(rows, columns[, samples]) of a native frame: bits as 0 and 1, chroma for every pixel, nothing in the bits
        above Bits Stored. Raises ImportError without numpy."""
        from protocols.codecs.samples import masked, native

        return masked(self.picture, native(self.picture, frame))
