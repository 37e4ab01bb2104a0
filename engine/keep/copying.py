"""Moves bytes between buffers and files, whole or not at all: short reads and writes are continued here only."""

import errno
import mmap
import os
from collections.abc import Sequence
from typing import Final

from engine.errors import Corrupt
from engine.limits import LIMITS

Buffer = bytes | bytearray | memoryview

IOVECS_MAX: Final = 64

# The kernel or the file systems cannot copy between these two files: read and write instead.
_CANNOT_COPY: Final = {errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM, errno.EBADF}


def write_all(fd: int, parts: Sequence[Buffer]) -> int:
    """Writes all parts one after the other; their bytes. Raises ``OSError``."""
    views = [memoryview(part).cast("B") for part in parts]
    total = sum(len(view) for view in views)
    first = 0
    while first < len(views):
        written = os.writev(fd, views[first : first + IOVECS_MAX])
        while first < len(views) and written >= len(views[first]):
            written -= len(views[first])
            first += 1
        if written:
            views[first] = views[first][written:]
    return total


def write_at(fd: int, piece: Buffer, offset: int) -> None:
    """Writes all of the piece from ``offset``. Raises ``OSError``."""
    view = memoryview(piece).cast("B")
    done = 0
    while done < len(view):
        done += os.pwrite(fd, view[done:], offset + done)


def copy_range(source: int, offset: int, length: int, target: int) -> None:
    """Appends ``length`` bytes of ``source`` to the empty file ``target``. Raises ``Corrupt`` when not there."""
    done = 0
    try:
        while done < length:
            copied = os.copy_file_range(source, target, length - done, offset + done, done)
            if not copied:
                break  # some file systems answer 0 instead of an error; a true end shows below
            done += copied
    except OSError as error:
        if error.errno not in _CANNOT_COPY:
            raise
    while done < length:
        piece = os.pread(source, min(length - done, LIMITS.read_bytes), offset + done)
        if not piece:
            raise Corrupt("a file that holds received bytes ends too early")
        done += os.pwrite(target, piece, done)


def read_range(fd: int, offset: int, length: int) -> bytes:
    """Up to ``length`` bytes from ``offset``; fewer only at the end of the file. Raises ``OSError``."""
    piece = os.pread(fd, length, offset)
    if len(piece) == length or not piece:
        return piece
    pieces = [piece]
    done = len(piece)
    while piece and done < length:
        piece = os.pread(fd, length - done, offset + done)
        pieces.append(piece)
        done += len(piece)
    return b"".join(pieces)


def copy_parts(fd: int, offset: int, length: int) -> list[bytes]:
    """A range of a file as buffers, for stores without files. Raises ``Corrupt`` when it is not all there."""
    piece = read_range(fd, offset, length)
    if len(piece) != length:
        raise Corrupt("a file that holds received bytes ends too early")
    return [piece]


def map_range(fd: int, offset: int, length: int) -> memoryview:
    """A range of a file as memory. For files of ours that nobody shortens: a lost page kills the process."""
    if not length:
        return memoryview(b"")
    skip = offset % mmap.ALLOCATIONGRANULARITY
    return memoryview(mmap.mmap(fd, skip + length, prot=mmap.PROT_READ, offset=offset - skip))[skip:]
