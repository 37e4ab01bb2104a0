"""One value of a data set by its path (PS3.5 7)."""

from collections.abc import Sequence

from typing_extensions import Buffer

def seek(dataset: Buffer, transfer_syntax_uid: str, tags: Sequence[int], items: Sequence[int]) -> tuple[str, int, int, int] | None:
    """Representation, offset, length and bytes of the words (of big endian) of the value of the last of ``tags``; the others are
    sequences, in which ``items`` (from 1) choose. None: it is not there, or no plain value. Walks no further. Raises Malformed."""
