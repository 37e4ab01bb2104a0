"""A data set written again in another of the plain transfer syntaxes (PS3.5 A.1-A.3), values untouched, in flat memory."""

from collections.abc import Iterator, Mapping
from typing import Final

from typing_extensions import Buffer

SPAN_BYTES_MIN: Final[int]  # values from here on are not copied but named as spans of the source
PIXELS: Final[tuple[int, int, int]]  # the piece that says: here stands the new Pixel Data element

class Reencoder:
    """Pieces of the data set in its new syntax, in order: bytes, or (offset, length, word) of the source, to be copied with the
    bytes of each word (1, 2, 4, 8) turned round.

    Defined lengths stay defined (and are right), undefined ones undefined; group lengths (retired) are left out. ``edits`` puts
    whole elements, ready in the new syntax, in the place of top-level tags (None takes the element out). With ``hole`` the
    top-level Pixel Data is not written: the piece PIXELS stands in its place. The two syntaxes are Implicit LE, Explicit BE or,
    whatever else is said, Explicit LE. The source must not change while this is used. Raises Malformed, before any piece.
    """

    length: int  # bytes of all pieces together
    def __init__(
        self, dataset: Buffer, source_uid: str, target_uid: str, edits: Mapping[int, bytes | None] | None = None, hole: bool = False
    ) -> None: ...
    def __iter__(self) -> Iterator[bytes | tuple[int, int, int]]: ...
    def __next__(self) -> bytes | tuple[int, int, int]: ...
