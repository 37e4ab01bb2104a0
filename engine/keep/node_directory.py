"""``FOLDER/node``, or ``[store] node_dir``: what belongs to this machine. On disk, or (for ``memory://``) in memory,
gone with the process."""

import errno
import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from engine.clock import Identifiers
from engine.errors import Conflict, Fenced, Unavailable
from engine.keep.copying import write_all
from engine.keep.posix import DIRECTORY_MODE, fsync_directory
from engine.keep.sealed import seal, unseal
from engine.keep.stores import node_folder
from engine.settings import StoreSettings

ZEROS_BYTES = 1 << 20
NEW = ".new"  # what is not yet in place
RESERVE = "reserve"
MEMORY_PREFIX = "filmroom-memory-"  # of the temporary folders of nodes without files
FOLDERS = ("spool", "intake", "aside", "commitment", "index")
FULL = (errno.ENOSPC, errno.EDQUOT)
PASSING = (*FULL, errno.EMFILE, errno.ENFILE, errno.ENOMEM)


class NodeDirectory(Protocol):
    """The contract of both kinds. What is written through it is durable when the call returns; not by ``overwrite``."""

    spool_fd: int

    def lock(self) -> None:
        """Raises Conflict when another process holds this node."""

    def writer_id(self, identifiers: Identifiers) -> str:
        """The name under which this node writes; made once."""

    def read(self, name: str) -> bytes | None: ...
    def replace(self, name: str, data: bytes) -> None:
        """Raises Unavailable (the disk is full, the old bytes stand), Fenced (a write or sync failed)."""

    def overwrite(self, name: str, data: bytes) -> None:
        """In place, not synced: kept through a kill, mostly through more. Quietly not at all when that fails."""

    def names(self, folder: str) -> list[str]:
        """Files that ``replace`` has put in a folder, ascending."""

    def remove(self, name: str) -> None:
        """Take away a file; after power loss it may be back."""

    def segments(self) -> list[int]:
        """Numbers of the segments there are."""

    def open_segment(self, number: int) -> int:
        """Descriptor of a segment that is there."""

    def make_segment(self, number: int, length: int) -> int:
        """Descriptor of a new segment full of zeros, synced with its directory. Raises Unavailable (full), Fenced."""

    def remove_segment(self, number: int) -> None: ...
    def open_spooled(self, name: str) -> int: ...
    def spooled(self) -> list[str]: ...
    def remove_spooled(self, name: str) -> None: ...
    def index_path(self) -> Path | None:
        """Where the settled index of this node stands; None = in memory."""

    def past_path(self) -> Path | None:
        """Where an index of a moment in the past may be built; None = in memory."""

    def space(self) -> tuple[int, int] | None:
        """Bytes of the file system, and those that may still be written; None where that has no meaning.

        Raises Fenced when the folder is gone.
        """

    def make_reserve(self, length: int) -> None:
        """Hold so many bytes of the disk, if they are not held; quietly less when they are not there."""

    def release_reserve(self) -> None:
        """Let others write where the reserve was."""

    def close(self) -> None: ...


def open_node_directory(settings: StoreSettings) -> NodeDirectory:
    """The node directory beside the archive that ``[store]`` names. Raises Invalid, Unavailable."""
    folder = node_folder(settings)
    return MemoryNode() if folder is None else DiskNode(folder)


class DiskNode:
    """``FOLDER/node`` on a file system."""

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()
        self._lock_fd = -1
        self._reserved = 0
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.mkdir(DIRECTORY_MODE, exist_ok=True)
            for name in FOLDERS:
                (self._path / name).mkdir(DIRECTORY_MODE, exist_ok=True)
                # Who put a file there may have died before it synced its name, and this process will rely on the file.
                fsync_directory(str(self._path / name))
            self._path.chmod(self._path.stat().st_mode & ~0o007)  # names of patients are in the index
            for parent in (self._path, *self._path.parents):
                with suppress(PermissionError):  # a parent that we may not read was there before us
                    fsync_directory(
                        str(parent)
                    )  # also where a folder is there: who made it may have died before its sync
            self.spool_fd = os.open(self._path / "spool", os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            is_file = isinstance(error, (FileExistsError, NotADirectoryError))
            reason = f"{self._path.parent} is not a folder" if is_file else error.strerror
            raise Unavailable(f"{self._path} cannot be used: {reason}") from error

    def lock(self) -> None:
        self._lock_fd = os.open(self._path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(f"another process serves {self._path.parent}") from None

    def writer_id(self, identifiers: Identifiers) -> str:
        known = self.read("writer")
        if known is None:
            known = seal(identifiers.random_id().encode())
            self.replace("writer", known)
        return unseal(known, "the file that names this node's writer").decode()

    def read(self, name: str) -> bytes | None:
        try:
            return (self._path / name).read_bytes()
        except FileNotFoundError:
            return None

    def replace(self, name: str, data: bytes) -> None:
        target = self._path / name
        temporary = target.with_name(target.name + NEW)
        try:
            _write_synced(temporary, data)
            temporary.replace(target)
        except OSError as error:  # the old file stands as it stood
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise _refused(f"node/{name}", error) from error
        try:
            fsync_directory(str(target.parent))
        except OSError as error:  # nobody knows which of the two a power loss would leave
            raise Fenced(f"the folder of node/{name} could not be synced: {error.strerror}") from error

    def overwrite(self, name: str, data: bytes) -> None:
        with suppress(OSError):  # nobody relies on it
            fd = os.open(self._path / name, os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                os.pwrite(fd, data, 0)
            finally:
                os.close(fd)

    def names(self, folder: str) -> list[str]:
        return sorted(path.name for path in (self._path / folder).iterdir() if path.suffix != NEW)

    def remove(self, name: str) -> None:
        (self._path / name).unlink(missing_ok=True)

    def segments(self) -> list[int]:
        return sorted(int(path.name) for path in (self._path / "intake").iterdir() if path.name.isdigit())

    def open_segment(self, number: int) -> int:
        return os.open(self._path / "intake" / f"{number:06d}", os.O_RDWR)

    def make_segment(self, number: int, length: int) -> int:
        folder = self._path / "intake"
        temporary = folder / "making"
        fd = -1
        try:
            fd = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
            _fill_with_zeros(fd, length)
            os.fdatasync(fd)
            temporary.rename(folder / f"{number:06d}")
            fsync_directory(str(folder))
        except OSError as error:
            if fd >= 0:
                os.close(fd)
            with suppress(OSError):  # half of it would keep the disk full
                temporary.unlink(missing_ok=True)
            raise _refused("another segment of the intake", error) from error
        return fd

    def remove_segment(self, number: int) -> None:
        (self._path / "intake" / f"{number:06d}").unlink(missing_ok=True)

    def open_spooled(self, name: str) -> int:
        return os.open(self._path / "spool" / name, os.O_RDONLY)

    def spooled(self) -> list[str]:
        return [path.name for path in (self._path / "spool").iterdir()]

    def remove_spooled(self, name: str) -> None:
        (self._path / "spool" / name).unlink(missing_ok=True)

    def index_path(self) -> Path | None:
        return self._path / "index"

    def past_path(self) -> Path | None:
        return self._path / "past"

    def space(self) -> tuple[int, int] | None:
        try:
            found = os.statvfs(self._path)
        except OSError as error:
            raise Fenced(f"the node's folder cannot be looked at: {error.strerror}") from error
        return found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize

    def make_reserve(self, length: int) -> None:
        if self._reserved == length:
            return
        fd = os.open(self._path / RESERVE, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.posix_fallocate(fd, 0, length)
            os.ftruncate(fd, length)
            self._reserved = length
        except OSError:
            os.ftruncate(fd, 0)
        finally:
            os.close(fd)

    def release_reserve(self) -> None:
        self._reserved = 0
        (self._path / RESERVE).unlink(missing_ok=True)

    def close(self) -> None:
        if self._lock_fd >= 0:  # by itself: a forked child may hold the descriptor still
            fcntl.flock(self._lock_fd, fcntl.LOCK_UN)
        for fd in (self.spool_fd, self._lock_fd):
            if fd >= 0:
                os.close(fd)


class MemoryNode:
    """A node without files: segments are memory, large instances pass through a temporary folder."""

    def __init__(self) -> None:
        shared = Path("/dev/shm")
        place = shared if shared.is_dir() else Path(tempfile.gettempdir())
        _sweep(place)
        self._spool, self.spool_fd = _spool_folder(place)
        self._files: dict[str, bytes] = {}

    def lock(self) -> None:
        """Nobody else can see this node."""

    def writer_id(self, identifiers: Identifiers) -> str:
        return identifiers.random_id()

    def read(self, name: str) -> bytes | None:
        return self._files.get(name)

    def replace(self, name: str, data: bytes) -> None:
        self._files[name] = data

    def overwrite(self, name: str, data: bytes) -> None:
        """Nothing outlives this process."""

    def names(self, folder: str) -> list[str]:
        return sorted(name.removeprefix(f"{folder}/") for name in self._files if name.startswith(f"{folder}/"))

    def remove(self, name: str) -> None:
        self._files.pop(name, None)

    def segments(self) -> list[int]:
        return []

    def open_segment(self, number: int) -> int:
        raise Unavailable("there are no segments in memory before they are made")

    def make_segment(self, number: int, length: int) -> int:
        fd = os.memfd_create(f"filmroom-intake-{number}")
        os.ftruncate(fd, length)
        return fd

    def remove_segment(self, number: int) -> None:
        """It was its descriptor."""

    def open_spooled(self, name: str) -> int:
        return os.open(self._spool / name, os.O_RDONLY)

    def spooled(self) -> list[str]:
        return [path.name for path in self._spool.iterdir()]

    def remove_spooled(self, name: str) -> None:
        (self._spool / name).unlink(missing_ok=True)

    def index_path(self) -> Path | None:
        return None

    def past_path(self) -> Path | None:
        return None

    def space(self) -> tuple[int, int] | None:
        return None

    def make_reserve(self, length: int) -> None:
        """There is no disk."""

    def release_reserve(self) -> None:
        """There is no disk."""

    def close(self) -> None:
        os.close(self.spool_fd)
        shutil.rmtree(self._spool, ignore_errors=True)


def _spool_folder(place: Path) -> tuple[Path, int]:
    """A new temporary folder, locked as long as its descriptor is open."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=MEMORY_PREFIX, dir=place))
        with suppress(FileNotFoundError):  # another process swept it before it was locked: the next one
            fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(fd, fcntl.LOCK_EX)
            if os.fstat(fd).st_nlink:
                return folder, fd
            os.close(fd)


def _sweep(place: Path) -> None:
    """Remove what processes left that were killed: our folders that nobody holds locked."""
    for folder in place.glob(f"{MEMORY_PREFIX}*"):
        try:
            fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:
            continue  # somebody else's, or just gone
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:
            continue
        finally:
            os.close(fd)


def _write_synced(path: Path, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        write_all(fd, [data])
        os.fdatasync(fd)
    finally:
        os.close(fd)


def _refused(what: str, error: OSError) -> Unavailable | Fenced:
    """What is full may have room again; after any other error nothing is asked twice."""
    fix = ": make room" if error.errno in FULL else ""
    sentence = f"{what} could not be written: {error.strerror}{fix}"
    return Unavailable(sentence) if error.errno in PASSING else Fenced(sentence)


def _fill_with_zeros(fd: int, length: int) -> None:
    zeros = bytes(min(ZEROS_BYTES, length))
    at = 0
    while at < length:
        at += os.pwrite(fd, zeros[: length - at], at)
