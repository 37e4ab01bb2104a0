"""Puts ranges of open files under new names, many in one call without the GIL.

Each system call that Python makes gives the GIL away, and a thread that computes keeps it for 5 ms: beside one, an
object cost 14 ms by system calls from Python, 5 ms by one call each, and next to nothing by one call for many. Opens
descriptors, which the caller closes; never syncs: see engine/keep/pending.py.
"""

from collections.abc import Sequence
from typing import Final

SHORT_SOURCE: Final[int]  # the source ends before the range does

def place(jobs: Sequence[tuple[bytes, bytes, int, int, int]], mode: int) -> list[int]:
    """For each (temporary name, target name, source descriptor, offset, length): writes the range to the new file
    ``temporary``, renames it to ``target`` if there is none yet.

    The descriptor that wrote it, or a negative errno (-EEXIST: ``target`` exists), or SHORT_SOURCE; then
    ``temporary`` is removed. All jobs are tried, each for itself. Raises ``ValueError`` for what is no range or no
    name; nothing is done then.
    """
