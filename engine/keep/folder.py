"""Our own object store on a POSIX folder. One locked process owns it (the lock is taken by who opens the node).

Writing one object: a temporary file in ``.incoming/`` (same file system), written whole; for ``durable`` ones
``fdatasync``; then ``renameat2(RENAME_NOREPLACE)`` to its key (measured: as cheap as writing under the final name,
and cheaper than O_TMPFILE + linkat or link + unlink); for ``durable`` ones ``fsync`` of the directory, and of every
directory above whose entry this process has not synced yet. So a key never names half a file, and a durable key
survives power loss.

The others (``durable=False``) are on disk after the next ``sync_pending``: see ``pending.py``.

A failed sync is never retried: the kernel may have dropped the dirty pages. The store then raises ``Fenced`` for
every write.
"""

import errno
import itertools
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from engine.clock import Identifiers
from engine.errors import Conflict, Corrupt, FilmroomError, Missing, Unavailable
from engine.keep import posix
from engine.keep.copying import Buffer, copy_range, read_range, write_all
from engine.keep.paths import check_key, check_prefix
from engine.keep.pending import Pending
from engine.limits import LIMITS, Limits
from engine.model import FileRange
from engine.settings import Checkpoint
from native.glance import glance
from native.opening import open_files
from native.place import SHORT_SOURCE, place

INCOMING: Final = ".incoming"
FILE_MODE: Final = 0o640
_NEW_FILE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL

Rename = Callable[[str, str], None]


class FolderStore:
    """An ``ObjectStore`` (see ``objects.py``) below ``root``. Thread-safe."""

    def __init__(
        self,
        root: Path,
        *,
        checkpoint: Checkpoint = "auto",
        identifiers: Identifiers | None = None,
        limits: Limits = LIMITS,
    ) -> None:
        """Makes the folder if need be and removes what an earlier process left half written. Raises ``Unavailable``."""
        self._root = str(root.absolute())
        self._incoming = f"{self._root}/{INCOMING}"
        try:
            _make_root(self._root, self._incoming)
            self._pending = Pending(self._root, checkpoint, limits)
        except OSError as error:
            raise _unavailable(error) from error
        self._prefix = f"{self._incoming}/{(identifiers or Identifiers()).random_id()}-"
        self._numbers = itertools.count()

    @property
    def root(self) -> Path:
        return Path(self._root)

    @property
    def pending_count(self) -> int:
        """Objects that the next ``sync_pending`` makes durable."""
        return self._pending.count

    @property
    def checkpoint(self) -> str:
        """How they are made durable: ``files`` or ``syncfs``."""
        return self._pending.how

    def create(self, key: str, parts: Sequence[Buffer], *, durable: bool) -> None:
        """Writes a new object. Raises ``Conflict`` when the key exists, ``Unavailable`` (not written), ``Fenced``."""
        self._write(key, lambda fd: write_all(fd, parts), durable, replace=False)

    def put(self, key: str, parts: Sequence[Buffer], *, durable: bool) -> None:
        """Writes an object, by rename over an older one of this key. Raises ``Unavailable``, ``Fenced``."""
        self._write(key, lambda fd: write_all(fd, parts), durable, replace=True)

    def copy_in(self, key: str, fd: int, offset: int, length: int, *, durable: bool) -> None:
        """``create`` from a range of an open file. Raises ``Corrupt`` when the file ends before the range does."""
        if durable:
            self._write(key, lambda target: copy_range(fd, offset, length, target), durable, replace=False)
        elif not self.copy_in_many([(key, FileRange(fd, offset, length))])[0]:
            raise Conflict(f"{key} exists")

    def copy_in_many(self, sources: Sequence[tuple[str, FileRange]]) -> list[bool]:
        """``copy_in`` for many, not durable yet; False where the key exists. Raises as it does: some are in then."""
        self._pending.check()
        jobs = [
            (os.fsencode(self._temporary()), os.fsencode(self._path(key)), source.fd, source.offset, source.length)
            for key, source in sources
        ]
        results = place(jobs, FILE_MODE)
        for number, result in enumerate(results):
            if result == -errno.ENOENT:  # the directory's first object
                with suppress(OSError):
                    os.makedirs(posix.parent(self._path(sources[number][0])), posix.DIRECTORY_MODE, exist_ok=True)  # noqa: PTH103
                results[number] = place([jobs[number]], FILE_MODE)[0]
        for (key, _), result in zip(sources, results, strict=True):
            if result >= 0:
                self._pending.add_file(result, posix.parent(self._path(key)))
        failed = next((result for result in results if result < 0 and result != -errno.EEXIST), 0)
        if failed == SHORT_SOURCE:
            raise Corrupt("a file that holds received bytes ends too early")
        if failed:
            raise _unavailable(OSError(-failed, os.strerror(-failed)))
        return [result >= 0 for result in results]

    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        """Bytes of an object, clipped at its end. Raises ``Missing``, ``Corrupt`` (the disk cannot read it)."""
        source = self.open_range(key)
        try:
            rest = max(0, source.length - offset)
            return read_range(source.fd, offset, rest if length is None else min(length, rest))
        except OSError as error:
            raise _read_error(key, error) from error
        finally:
            os.close(source.fd)

    def open_range(self, key: str) -> FileRange:
        """The object as an open file, which the caller closes. Raises ``Missing``."""
        fd = -1
        try:
            fd = os.open(self._path(key), os.O_RDONLY)
            return FileRange(fd, 0, _object_size(os.fstat(fd)))
        except OSError as error:
            if fd >= 0:
                os.close(fd)
            raise _read_error(key, error) from error

    def glance(
        self, key: str, address: str, size_bytes: int, span: tuple[int, int], around: tuple[bytes, bytes]
    ) -> bytes | None:
        """A range of an object between two pieces, when all of it is cached and has this address; else None."""
        return glance(os.fsencode(self._path(key)), bytes.fromhex(address), size_bytes, *span, *around)

    def open_ranges(self, keys: Sequence[str]) -> list[FileRange | None]:
        """``open_range`` for many in one step; None for what cannot be opened."""
        opened = open_files([os.fsencode(self._path(key)) for key in keys])
        return [FileRange(fd, 0, size_bytes) if fd >= 0 else None for fd, size_bytes in opened]

    def size(self, key: str) -> int:
        """Bytes of an object. Raises ``Missing``."""
        try:
            return _object_size(os.stat(self._path(key)))  # noqa: PTH116
        except OSError as error:
            raise _read_error(key, error) from error

    def exists(self, key: str) -> bool:
        try:
            self.size(key)
        except Missing:
            return False
        return True

    def list(self, prefix: str, after: str = "") -> Iterator[str]:
        """Keys below a folder, ascending, above ``after``. What comes meanwhile may be among them or not."""
        start = check_prefix(prefix)
        try:
            yield from _walk(f"{self._root}/{start}", start, after)
        except OSError as error:
            raise _unavailable(error) from error

    def delete(self, key: str) -> None:
        """Removes an object if there is one; for good after the next ``sync_pending``. Raises ``Unavailable``."""
        self._pending.check()
        path = self._path(key)
        try:
            os.unlink(path)  # noqa: PTH108
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise _unavailable(error) from error
        self._pending.add_directory(posix.parent(path))

    def sync_pending(self) -> None:
        """The checkpoint: all objects written so far are durable. Raises ``Fenced``: leave, then recover."""
        self._pending.sync()

    def close(self) -> None:
        """Gives descriptors back. Objects written since the last ``sync_pending`` may be lost by power loss."""
        self._pending.close()

    def _temporary(self) -> str:
        return f"{self._prefix}{next(self._numbers):x}"

    def _path(self, key: str) -> str:
        return f"{self._root}/{check_key(key)}"

    def _write(self, key: str, fill: Callable[[int], object], durable: bool, *, replace: bool) -> None:
        self._pending.check()
        path = self._path(key)
        rename = os.replace if replace else posix.rename_new
        try:
            if durable:
                self._write_durable(path, fill, rename)
            else:
                self._write_pending(path, fill, rename)
        except FileExistsError:
            raise Conflict(f"{key} exists") from None
        except OSError as error:
            raise _unavailable(error) from error

    def _write_durable(self, path: str, fill: Callable[[int], object], rename: Rename) -> None:
        directory = self._pending.open_directory(posix.parent(path))
        try:
            fd = self._fill_and_name(path, fill, rename, durable=True)
            with suppress(OSError):  # its bytes are synced; an error here must not look like "not written"
                os.close(fd)
            self._pending.sync_file(directory)
        finally:
            os.close(directory)

    def _write_pending(self, path: str, fill: Callable[[int], object], rename: Rename) -> None:
        # What a rename takes the name from may be durable, and another record's only bytes: no torn file in its place.
        fd = self._fill_and_name(path, fill, rename, durable=rename is os.replace)
        self._pending.add_file(fd, posix.parent(path))

    def _fill_and_name(self, path: str, fill: Callable[[int], object], rename: Rename, *, durable: bool) -> int:
        temporary = self._temporary()
        fd = os.open(temporary, _NEW_FILE, FILE_MODE)
        try:
            fill(fd)
            if durable:
                self._pending.sync_file(fd)
            try:
                rename(temporary, path)
            except FileNotFoundError:  # the directory's first object
                os.makedirs(posix.parent(path), posix.DIRECTORY_MODE, exist_ok=True)  # noqa: PTH103
                rename(temporary, path)
        except BaseException:
            _discard(fd, temporary)
            raise
        return fd


def _walk(folder: str, prefix: str, after: str) -> Iterator[str]:
    names: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not entry.name.startswith("."):
                    names.append(entry.name + "/" if entry.is_dir(follow_symlinks=False) else entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return
    for name in sorted(names):
        key = prefix + name
        if not name.endswith("/"):
            if key > after:
                yield key
        elif key > after or after.startswith(key):
            yield from _walk(folder + name, key, after)


def _make_root(root: str, incoming: str) -> None:
    """Makes the two folders, their names durable, and empties ``incoming``."""
    missing = [path for path in (root, *map(str, Path(root).parents)) if not os.path.isdir(path)]  # noqa: PTH112
    os.makedirs(root, posix.DIRECTORY_MODE, exist_ok=True)  # noqa: PTH103
    with suppress(FileExistsError):
        os.mkdir(incoming, posix.DIRECTORY_MODE)  # noqa: PTH102
    for path in (incoming, root, *missing):
        with suppress(PermissionError):  # a parent that we may not read was there before us
            posix.fsync_directory(posix.parent(path))
    with os.scandir(incoming) as entries:
        for entry in entries:
            os.unlink(entry.path)  # noqa: PTH108


def _discard(fd: int, temporary: str) -> None:
    with suppress(OSError):
        os.close(fd)
    with suppress(OSError):  # what stays is removed when the folder is opened next
        os.unlink(temporary)  # noqa: PTH108


def _object_size(status: os.stat_result) -> int:
    if not stat.S_ISREG(status.st_mode):
        raise FileNotFoundError
    return status.st_size


def _read_error(key: str, error: OSError) -> FilmroomError:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return Missing(f"no object {key}")
    return Corrupt(f"{key} cannot be read: {error.strerror}") if error.errno == errno.EIO else _unavailable(error)


def _unavailable(error: OSError) -> Unavailable:
    return Unavailable(f"the store's folder cannot be used: {error.strerror or error}")
