"""Palettes that are kept as segments (PS3.3 C.7.9.2). Pure."""

from array import array
from typing import Final

DISCRETE, LINEAR, INDIRECT = range(3)
OFFSET_BYTES: Final = 4


def expanded(segments: bytes, descriptor: bytes) -> bytes | None:
    """The entries as a table keeps them (bytes, or little endian words); None for segments that lie. ``descriptor``:
    as it is stored, little endian: number of entries, first value, bits."""
    if len(descriptor) != 6:
        return None
    segments_of = _Segments(segments, 2 if descriptor[4] > 8 else 1, int.from_bytes(descriptor[:2], "little") or 65536)
    try:
        return segments_of.entries()
    except (IndexError, ValueError):
        return None


class _Segments:
    """``width``: bytes of an entry, and of what stands before entries; ``count``: of entries that are wanted."""

    def __init__(self, segments: bytes, width: int, count: int) -> None:
        whole = segments[: len(segments) // width * width]
        self._words = memoryview(whole).cast("H") if width == 2 else memoryview(whole)
        self._width = width
        self._count = count
        self._made: list[int] = []

    def entries(self) -> bytes:
        """Raises IndexError, ValueError."""
        at = 0
        while len(self._made) < self._count:
            at = self._indirect(at) if self._words[at] == INDIRECT else self._direct(at)
        return array("H" if self._width == 2 else "B", self._made[: self._count]).tobytes()

    def _indirect(self, at: int) -> int:
        """Segments that stand elsewhere once more; those are direct."""
        behind = at + 2 + OFFSET_BYTES // self._width
        elsewhere = int.from_bytes(self._words[at + 2 : behind].tobytes(), "little") // self._width
        for _ in range(self._words[at + 1]):
            if len(self._made) < self._count:
                elsewhere = self._direct(elsewhere)
        return behind

    def _direct(self, at: int) -> int:
        """Where the next segment begins."""
        kind, length = self._words[at], self._words[at + 1]
        if kind == DISCRETE and 0 < length <= len(self._words) - at - 2:
            self._made += self._words[at + 2 : at + 2 + length]
            return at + 2 + length
        if kind == LINEAR and length and self._made:
            begin, end = self._made[-1], self._words[at + 2]
            self._made += [round(begin + (end - begin) * n / length) for n in range(1, length + 1)]
            return at + 3
        raise ValueError("this is no segment")
