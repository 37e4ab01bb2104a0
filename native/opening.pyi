"""Opens and closes many files in one call without the GIL: each call that Python makes gives the GIL away."""

from collections.abc import Sequence

def open_files(names: Sequence[bytes]) -> list[tuple[int, int]]:
    """For each name: a descriptor to read from and the size of the file; or a negative errno and 0 (-ENOENT also for
    what is no regular file). Raises ``ValueError`` for what is no name; nothing is open then.
    """

def close_files(descriptors: Sequence[int]) -> None:
    """Closes each, whatever becomes of the others."""
