"""The frame table, form 1 (frames.pyx draws it). Use it from native.dataset."""

from typing import Final

FRAMES_MAX: Final[int]

def frame_table(frames: bytes) -> tuple[int, list[list[tuple[int, int]]]]:
    """(bits a frame when they fill no whole bytes, else 0; for each frame its spans as (offset in the file, length)).

    A native frame is one span, an encapsulated one the values of its fragments without item headers. An empty table says
    nothing: no frame is told apart.
    """

def frame_count(frames: bytes) -> int:
    """Frames that a table tells apart."""

def frame_at(frames: bytes, number: int) -> tuple[int, int, list[tuple[int, int]]]:
    """One frame of a table, by its number from 0: (bits when they fill no whole bytes, else 0; which bit of its first byte is
    the first; its spans). Raises IndexError, ValueError as ``frame_table``."""
