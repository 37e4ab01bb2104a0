"""The few Linux calls that Python's ``os`` lacks: renameat2, syncfs, sync_file_range, the type of a file system."""

import ctypes
import errno
import os
from typing import Final

DIRECTORY_MODE: Final = 0o750

_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_AT_FDCWD: Final = -100
_RENAME_NOREPLACE: Final = 1
_STATFS_BYTES: Final = 256
_SYNC_FILE_RANGE_WRITE: Final = 2

# Where syncfs is known to sync data, wait for it, and report what failed since the descriptor was opened.
_SYNCFS_FILE_SYSTEMS: Final = {0xEF53: "ext4", 0x58465342: "xfs"}
_SYNCFS_LINUX_MIN: Final = (5, 8)


def rename_new(source: str, target: str) -> None:
    """Gives ``source`` the name ``target``; raises ``FileExistsError`` when there is one already. Atomic."""
    if _LIBC.renameat2(_AT_FDCWD, os.fsencode(source), _AT_FDCWD, os.fsencode(target), _RENAME_NOREPLACE) == 0:
        return
    number = ctypes.get_errno()
    if number not in (errno.EINVAL, errno.ENOSYS):
        raise OSError(number, os.strerror(number), target)
    os.link(source, target)  # file systems without RENAME_NOREPLACE (NFS)
    os.unlink(source)  # noqa: PTH108


def syncfs(fd: int) -> None:
    """Writes back everything of the file system that holds ``fd``. Raises ``OSError``."""
    if _LIBC.syncfs(fd) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def syncfs_reports_errors(fd: int) -> bool:
    """True where a successful ``syncfs`` proves that nothing was lost since ``fd`` was opened."""
    buffer = ctypes.create_string_buffer(_STATFS_BYTES)
    if _LIBC.fstatfs(fd, buffer) != 0:
        return False
    kind = ctypes.c_long.from_buffer(buffer).value & 0xFFFFFFFF
    return kind in _SYNCFS_FILE_SYSTEMS and _linux_version() >= _SYNCFS_LINUX_MIN


def _linux_version() -> tuple[int, int]:
    major, minor = os.uname().release.split(".")[:2]
    digits = "".join(c for c in minor if c.isdigit())
    return int(major), int(digits or 0)


def start_write_back(fd: int) -> None:
    """Starts writing a file's dirty pages; errors show at its ``fdatasync``."""
    _LIBC.sync_file_range(fd, ctypes.c_int64(0), ctypes.c_int64(0), ctypes.c_uint(_SYNC_FILE_RANGE_WRITE))


def fsync_directory(path: str) -> None:
    """Makes a directory's entries durable. Raises ``OSError``."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def parent(path: str) -> str:
    """The directory that holds an absolute path."""
    return path.rpartition("/")[0] or "/"
