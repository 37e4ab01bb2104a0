"""Values that a data set gives one of its frames: by functional groups (PS3.3 C.7.6.16), or for the whole image."""

from math import isfinite
from typing import Final

from native.dataset import Malformed
from native.seek import seek
from protocols.transcode.source import Source

_SHARED, _PER_FRAME = 0x52009229, 0x52009230
VALUE_BYTES_MAX: Final = 1 << 17  # a table of 65536 entries of two bytes


class FrameValues:
    """Of one frame (from 1). Blocking: each value is looked for from the beginning."""

    def __init__(self, source: Source, number: int) -> None:
        self._dataset = source
        self._number = number

    def number_at(self, tag: int, group: int) -> float | None:
        """The first number of a decimal string, see ``found``."""
        return _number(text_of(self.found(tag, group)).split("\\")[0])

    def numbers_at(self, tag: int, group: int) -> tuple[float, ...]:
        """All of them; none unless each is one."""
        numbers = [_number(part) for part in text_of(self.found(tag, group)).split("\\")]
        return () if None in numbers else tuple(number for number in numbers if number is not None)

    def found(self, tag: int, group: int) -> bytes | None:
        """A value of a functional group: of the frame, of all frames; or of the image."""
        for above, item in ((_PER_FRAME, self._number), (_SHARED, 1)):
            value = self.value(above, group, tag, items=(item, 1))
            if value is not None:
                return value
        return self.value(tag)

    def value(self, *tags: int, items: tuple[int, ...] = ()) -> bytes | None:
        """As ``native.seek``, little endian; None too when it is longer than ``VALUE_BYTES_MAX``, or damaged."""
        try:
            found = seek(self._dataset.view, self._dataset.transfer_syntax_uid, tags, items)
        except Malformed:
            return None
        if found is None or found[2] > VALUE_BYTES_MAX:
            return None
        _, offset, length, word = found
        data = self._dataset.read(offset, length)
        return b"".join(data[at : at + word][::-1] for at in range(0, length, word)) if word > 1 else data


def text_of(value: bytes | None) -> str:
    """Text of the default repertoire."""
    return (value or b"").decode("latin-1").strip(" \0")


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if isfinite(number) else None
