"""Settled rows that were read of late: who lists a series soon asks for its metadata, or to have it sent.

Places are those of one state of the settled index: the next one begins with none.
"""

from typing import Final

from engine.index.schema import Row

HELD_BYTES_MAX: Final = 12 << 20  # some 5,000 CT instances

Place = tuple[int, int]  # segment, document


class AtHand:
    """Rows by their place; all go when there is no more room. Any thread may ask."""

    def __init__(self) -> None:
        self._rows: dict[Place, Row] = {}
        self.held_bytes = 0
        self._is_closed = False

    def get(self, place: Place) -> Row | None:
        """The row, if it is at hand."""
        return self._rows.get(place)

    def put(self, place: Place, row: Row) -> None:
        """Keep it while there is room."""
        if self._is_closed or row.held_bytes > HELD_BYTES_MAX:
            return
        if self.held_bytes + row.held_bytes > HELD_BYTES_MAX:
            self._clear()
        if self._rows.setdefault(place, row) is row:
            self.held_bytes += row.held_bytes

    def close(self) -> None:
        """Keep nothing any more: views of before may live long."""
        self._is_closed = True
        self._clear()

    def _clear(self) -> None:
        self._rows.clear()
        self.held_bytes = 0
