"""RLE Lossless (PS3.5 annex G): frames folded and unfolded within bounds that the caller knows, without the GIL."""

from typing_extensions import Buffer

def unfold(frame: Buffer, pixels: int, samples: int, sample_bytes: int) -> bytes:
    """Native samples of a frame: little endian, interleaved. Raises ValueError when the segments are not what they should be."""

def fold(frame: Buffer, rows: int, columns: int, samples: int, sample_bytes: int, is_planar: bool) -> bytes:
    """The RLE of a native frame, one run at most a row. Raises ValueError when the frame has another size."""
