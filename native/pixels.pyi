"""Where the Pixel Data of a data set stands, and what the data set says of it (PS3.3 C.7.6.3, PS3.5 8 and A.4)."""

from typing_extensions import Buffer

class Pixels:
    """Offsets are those of the data set."""

    values: dict[int, bytes]  # top-level elements of group 0028 of up to 256 bytes, as little endian
    native: tuple[int, int, str] | None  # offset, length and representation of native Pixel Data
    fragments: list[tuple[int, int]] | None  # of encapsulated Pixel Data: (offset, length) of values, offset table first
    frames: bytes  # packed frame table (see native.dataset.frame_table), empty when frames cannot be told apart
    has_nested_fragments: bool  # encapsulated Pixel Data stands within a sequence (an icon); fragments say nothing then

def look(dataset: Buffer, transfer_syntax_uid: str) -> Pixels:
    """Walk to the end, values skipped. Raises Malformed."""
