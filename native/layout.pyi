"""Rows of a search put together from stored headers."""

from collections.abc import Collection

from typing_extensions import Buffer

class RowLayout:
    """Which attributes the rows of one search have, whatever each of their headers holds."""

    def __init__(self, tags: Collection[int] | None, blanks: bytes) -> None:
        """``tags``: of a header (None: all; one of a private group stands for all of it). ``blanks``: elements, tags
        ascending, for what neither a header nor its row has."""

    def row(self, header: Buffer, own: Buffer) -> bytes:
        """Each attribute once, tags ascending: from ``own``, else from the header, else from the blanks. All three are
        Explicit VR Little Endian, defined lengths, tags ascending."""
