"""Sets of 64-bit numbers in 16 to 32 bytes each, twice that with a mark each: what a walk over millions of objects can
afford to remember."""

from array import array
from collections.abc import Iterator
from typing import Final

_FIRST_SLOTS: Final = 1 << 12
_SPREAD: Final = 0x9E3779B97F4A7C15
_MASK: Final = (1 << 64) - 1


class Seen:
    """Open addressing; 0 marks a free slot (the number 0 is remembered as 1: for digests, no matter)."""

    def __init__(self) -> None:
        self._slots = array("Q", bytes(8 * _FIRST_SLOTS))
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __contains__(self, number: int) -> bool:
        return self._slots[self._place(number or 1)] != 0

    def add(self, number: int) -> bool:
        """Remembers a number; False when it was there."""
        place = self._place(number or 1)
        if self._slots[place]:
            return False
        self._slots[place] = number or 1
        self._count += 1
        if 2 * self._count > len(self._slots):
            self._grow()
        return True

    def _place(self, number: int) -> int:
        slots = self._slots
        last = len(slots) - 1
        place = (number * _SPREAD & _MASK) >> 20 & last
        while slots[place] and slots[place] != number:
            place = (place + 1) & last
        return place

    def _grow(self) -> None:
        old = self._slots
        self._slots = array("Q", bytes(16 * len(old)))
        for number in old:
            if number:
                self._slots[self._place(number)] = number


class Marks(Seen):
    """Beside each number a second one, its mark, which can be taken once."""

    def __init__(self) -> None:
        super().__init__()
        self._marks = array("Q", bytes(8 * _FIRST_SLOTS))

    def put(self, number: int, mark: int) -> bool:
        """Remembers a number with its mark; False, and nothing is changed, when the number was there."""
        if not self.add(number):
            return False
        self._marks[self._place(number or 1)] = mark or 1
        return True

    def take(self, number: int) -> int:
        """The mark of a number; 0 when there is none, or when it was taken before."""
        place = self._place(number or 1)
        mark, self._marks[place] = self._marks[place], 0
        return mark

    def left(self) -> Iterator[int]:
        """The numbers whose marks were not taken."""
        return (number for number, mark in zip(self._slots, self._marks, strict=True) if mark)

    def _grow(self) -> None:
        slots, marks = self._slots, self._marks
        super()._grow()
        self._marks = array("Q", bytes(8 * len(self._slots)))
        for number, mark in zip(slots, marks, strict=True):
            if number:
                self._marks[self._place(number)] = mark
