"""What a data set says of how its frames are to look: rescaling, windows, tables, palettes (PS3.3 C.11, C.7.6.3)."""

from typing import Final

from protocols.transcode import FrameValues, Table, Window, text_of
from protocols.web.wado.opened import Opened
from protocols.web.wado.segmented import expanded

_VOI_GROUP, _MODALITY_GROUP = 0x00289132, 0x00289145
_MODALITY_TABLE, _VOI_TABLE, _DESCRIPTOR, _DATA = 0x00283000, 0x00283010, 0x00283002, 0x00283006
# Of red, green and blue: descriptor, data, segmented data.
_PALETTE: Final = tuple((0x00281101 + n, 0x00281201 + n, 0x00281221 + n) for n in range(3))
_FUNCTIONS: Final = {"LINEAR": "LINEAR", "LINEAR_EXACT": "LINEAR_EXACT", "SIGMOID": "SIGMOID"}
_PADDING: Final = (0x00280120, 0x00280121)  # value, limit of its range


class Said(FrameValues):
    """What one data set says of one frame (from 1). Blocking."""

    def __init__(self, opened: Opened, number: int) -> None:
        super().__init__(opened.dataset, number)

    def slope_and_intercept(self) -> tuple[float, float]:
        """Of the modality (PS3.3 C.11.1)."""
        slope = self.number_at(0x00281053, _MODALITY_GROUP)
        intercept = self.number_at(0x00281052, _MODALITY_GROUP)
        return (1.0 if slope is None else slope), (0.0 if intercept is None else intercept)

    def padding(self, *, is_signed: bool) -> tuple[int, int] | None:
        """Stored values that are no part of the picture, the first and the last (PS3.3 C.7.5.1.1.2)."""
        limits = [self.value(tag) for tag in _PADDING]
        ends = [int.from_bytes(one, "little", signed=is_signed) for one in limits if one is not None and len(one) == 2]
        return (min(ends), max(ends)) if limits[0] is not None and ends else None

    def modality(self, *, is_signed: bool) -> Table | None:
        """A table instead of a line."""
        return self._table((_MODALITY_TABLE,), (1,), is_signed=is_signed)

    def window(self) -> Window | None:
        """The first window (PS3.3 C.11.2)."""
        center, width = self.number_at(0x00281050, _VOI_GROUP), self.number_at(0x00281051, _VOI_GROUP)
        if center is None or width is None or width <= 0:
            return None
        name = text_of(self.found(0x00281056, _VOI_GROUP)).upper()
        return Window(center, width, _FUNCTIONS.get(name, "LINEAR"))  # type: ignore[arg-type]

    def voi(self, *, is_signed: bool) -> Table | None:
        """A table instead of a window."""
        return self._table((_VOI_TABLE,), (1,), is_signed=is_signed)

    def palette(self) -> tuple[Table, Table, Table] | None:
        """Red, green, blue (PS3.3 C.7.6.3.1.5)."""
        red, green, blue = [self._colour(*tags) for tags in _PALETTE]
        return None if red is None or green is None or blue is None else (red, green, blue)

    def _colour(self, descriptor: int, data: int, segmented: int) -> Table | None:
        said, entries = self.value(descriptor), self.value(data)
        if entries is None and said is not None and (segments := self.value(segmented)) is not None:
            entries = expanded(segments, said)
        return self._table_of(said, entries, is_signed=False)

    def representative(self) -> int:
        """The frame that stands for all (0028,6010); the first when none is named."""
        value = self.value(0x00286010)
        return max(1, int.from_bytes(value, "little")) if value is not None and len(value) == 2 else 1

    def _table(self, tags: tuple[int, ...], items: tuple[int, ...], *, is_signed: bool) -> Table | None:
        descriptor = self.value(*tags, _DESCRIPTOR, items=items)
        return self._table_of(descriptor, self.value(*tags, _DATA, items=items), is_signed=is_signed)

    def _table_of(self, descriptor: bytes | None, data: bytes | None, *, is_signed: bool) -> Table | None:
        if descriptor is None or data is None or len(descriptor) != 6:
            return None
        count = int.from_bytes(descriptor[:2], "little") or 65536
        first = int.from_bytes(descriptor[2:4], "little", signed=is_signed)
        bits = int.from_bytes(descriptor[4:], "little")
        if len(data) >= 2 * count and bits > 8:
            return Table(count, first, min(bits, 16), data[: 2 * count])
        if len(data) >= 2 * count:
            data = data[::2]  # a byte in each word
        return Table(count, first, 8, data[:count]) if len(data) >= count else None
