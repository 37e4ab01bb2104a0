"""What a folder has written and not yet synced, and the checkpoint that syncs it.

Two ways. ``files``: ``fdatasync`` of each file on the very descriptor that wrote it (another one might not hear of a
failed write-back), held open since; then ``fsync`` of each directory once. ``syncfs``: one call for the file system,
on a descriptor opened before the first write; only where that reports errors (ext4 and xfs, Linux 5.8).

A directory's *name* is durable when its parent has been synced by this process after the directory was there: an
earlier process may have died between the two.
"""

import os
import resource
import threading
from typing import Final

from engine.errors import Fenced, Unavailable
from engine.keep import posix
from engine.limits import Limits
from engine.settings import Checkpoint

PENDING_FILES_MIN: Final = 16


class Pending:
    """Files and directories of one folder that wait for the checkpoint. Thread-safe."""

    def __init__(self, root: str, checkpoint: Checkpoint, limits: Limits) -> None:
        self._root = root
        self._root_fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
        reports = posix.syncfs_reports_errors(self._root_fd)
        self.how: Final = "syncfs" if reports and checkpoint != "files" else "files"
        self.count_max: Final = _descriptors(limits)
        self._lock = threading.Lock()  # guards the collections
        self._sync_lock = threading.Lock()  # one sync at a time, so that each caller's promise is its own
        self._files: list[int] = []
        self._count = 0
        self._directories: set[str] = set()
        self._named: set[str] = {root}
        self._failure = ""
        if checkpoint == "syncfs" and not reports:
            self.close()
            raise Unavailable('checkpoint = "syncfs" needs ext4 or xfs and Linux 5.8: use "auto" or "files"')

    @property
    def count(self) -> int:
        return self._count

    def check(self) -> None:
        """Raises ``Fenced`` after a sync has failed."""
        if self._failure:
            raise Fenced(self._failure)

    def add_file(self, fd: int, directory: str) -> None:
        """Takes over ``fd``, whose file has its name in ``directory``."""
        with self._lock:
            self._count += 1
            self._directories.add(directory)
            if self.how == "files":
                self._files.append(fd)
        if self.how == "syncfs":
            os.close(fd)
        elif self._count >= self.count_max:
            self.sync()

    def add_directory(self, directory: str) -> None:
        """An entry of ``directory`` has changed."""
        with self._lock:
            self._directories.add(directory)

    def sync_file(self, fd: int) -> None:
        """Makes one file's bytes, or one directory's entries, durable now. Raises ``Fenced``."""
        try:
            os.fsync(fd)
        except OSError as error:
            raise self._fence(error) from error

    def open_directory(self, directory: str) -> int:
        """A directory whose own name is durable, made if need be. Raises ``OSError``, ``Fenced``."""
        os.makedirs(directory, posix.DIRECTORY_MODE, exist_ok=True)  # noqa: PTH103
        for parent in self._unsynced_parents({directory}):
            fd = os.open(parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                self.sync_file(fd)
            finally:
                os.close(fd)
        self._mark_named({directory})
        return os.open(directory, os.O_RDONLY | os.O_DIRECTORY)

    def sync(self) -> None:
        """The checkpoint: all that was added before the call is durable after it. Raises ``Fenced``."""
        with self._sync_lock:
            self.check()
            with self._lock:
                files, self._files = self._files, []
                directories, self._directories = self._directories, set()
                counted = self._count
            try:
                if self.how == "syncfs":
                    posix.syncfs(self._root_fd)
                else:
                    self._sync_each(files, directories)
            except OSError as error:
                raise self._fence(error) from error
            with self._lock:
                self._count -= counted

    def close(self) -> None:
        """Gives the descriptors back, without a sync."""
        for fd in self._files:
            os.close(fd)
        self._files = []
        if self._root_fd >= 0:
            os.close(self._root_fd)
            self._root_fd = -1

    def _sync_each(self, files: list[int], directories: set[str]) -> None:
        for fd in files:
            posix.start_write_back(fd)  # the disk works on all of them while each is waited for: a quarter faster
        for fd in files:
            os.fdatasync(fd)
            os.close(
                fd
            )  # at once: the directories below need a descriptor, and a full table must not look like a failed sync
        for directory in sorted(directories | self._unsynced_parents(directories)):
            posix.fsync_directory(directory)
        self._mark_named(directories)

    def _unnamed(self, directories: set[str]) -> set[str]:
        """The directories and their ancestors whose own name may not be durable."""
        found: set[str] = set()
        for directory in directories:
            while directory not in self._named and directory not in found:
                found.add(directory)
                directory = posix.parent(directory)
        return found

    def _unsynced_parents(self, directories: set[str]) -> set[str]:
        return {posix.parent(directory) for directory in self._unnamed(directories)}

    def _mark_named(self, directories: set[str]) -> None:
        with self._lock:
            self._named |= self._unnamed(directories)

    def _fence(self, error: OSError) -> Fenced:
        self._failure = (
            f"a sync of the store's folder failed ({error.strerror}): nothing more is promised, restart the node"
        )
        return Fenced(self._failure)


def _descriptors(limits: Limits) -> int:
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    room = limits.pending_files_max if soft == resource.RLIM_INFINITY else soft - limits.descriptors_reserved
    return max(PENDING_FILES_MIN, min(limits.pending_files_max, room))
