"""A bucket's objects near at hand: files of the node's disk that hold what was read, so that it is read once.

Objects never change and their names are their hashes: what is held needs no asking whether it still holds. It is
appended to a few files without names (a crash leaves nothing behind); the oldest file goes when they take too much.
Who is given a range has a descriptor of his own, so that his bytes stay until he is done. The kernel's page cache is
the tier in memory. Only readers look here: what proves the store (verify, commitment) reads the store.
"""

import os
import tempfile
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import xxhash

from engine.errors import Corrupt, FilmroomError, Unavailable
from engine.keep.bucket import BucketStore
from engine.keep.copying import Buffer, read_range, write_at
from engine.keep.paths import parse_object_key
from engine.keep.posix import DIRECTORY_MODE
from engine.limits import LIMITS, Limits
from engine.model import FileRange


class Cache:
    """Objects of one bucket. All calls block; all are thread-safe. An object that many ask for comes once."""

    def __init__(self, bucket: BucketStore, folder: Path, limits: Limits = LIMITS) -> None:
        """``folder`` is its own. Raises Unavailable when it cannot be used."""
        self._bucket = bucket
        self._held = Held(folder, limits)
        self._lock = threading.Lock()
        self._coming: dict[str, threading.Event] = {}

    @property
    def held_bytes(self) -> int:
        """Disk that it takes."""
        with self._lock:
            return self._held.used_bytes

    def open_range(self, key: str) -> FileRange:
        """The object as a range of an open file, which the caller closes.

        Raises Missing, Unavailable, and Corrupt when it is not what its name says.
        """
        while True:
            with self._lock:
                held = self._held.get(key)
                coming = self._coming.get(key)
                if held is None and coming is None:
                    self._coming[key] = threading.Event()
            if held is not None:
                return held
            if coming is None:
                return self._brought(key)
            coming.wait()

    def open_ranges(self, keys: Sequence[str]) -> list[FileRange | None]:
        """``open_range`` for many at once; None for one that it would raise for."""
        return self._bucket.each(self._opened, keys)

    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        """Bytes of an object, clipped at its end. Raises as ``open_range``."""
        source = self.open_range(key)
        try:
            left = max(0, source.length - offset)
            return read_range(source.fd, source.offset + offset, left if length is None else min(left, length))
        finally:
            os.close(source.fd)

    def glance(
        self, key: str, address: str, size_bytes: int, span: tuple[int, int], around: tuple[bytes, bytes]
    ) -> bytes | None:
        """None: whether it is held, and whether the disk has to be asked, is not known at once."""
        return None

    def close(self) -> None:
        """Lets go of all that is held; ranges that were given stay."""
        with self._lock:
            self._held.close()

    def _opened(self, key: str) -> FileRange | None:
        try:
            return self.open_range(key)
        except FilmroomError:
            return None

    def _brought(self, key: str) -> FileRange:
        try:
            size, pieces = self._bucket.pieces(key)
            with self._lock:
                place = self._held.place(size)
            try:
                self._fill(key, place, pieces)
            except BaseException:
                os.close(place.range.fd)
                raise
            with self._lock:
                self._held.enter(key, place)
            return place.range
        finally:
            with self._lock:
                self._coming.pop(key).set()

    def _fill(self, key: str, place: "Place", pieces: Iterator[Buffer]) -> None:
        seen, at = xxhash.xxh3_128(), 0
        try:
            for piece in pieces:
                if at + len(piece) > place.range.length:
                    break
                write_at(place.range.fd, piece, place.range.offset + at)
                seen.update(piece)
                at += len(piece)
        except OSError as error:
            raise Unavailable(f"the cache cannot be written: {error.strerror}") from error
        if at != place.range.length or seen.hexdigest() != parse_object_key(key)[1].hash:
            raise Corrupt(f"{key} is not what was written")


class HeldFile:
    """One file of the cache: where the next object goes, and what is in it."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.used_bytes = 0
        self.entries: dict[str, tuple[int, int]] = {}


class Place(msgspec.Struct, frozen=True):
    """Room for one object: a range with a descriptor of its own, and the file that it is of."""

    file: HeldFile
    range: FileRange


class Held:
    """The files and what is where in them. The caller has the lock."""

    def __init__(self, folder: Path, limits: Limits) -> None:
        self._folder = folder
        self._limits = limits
        self._files: deque[HeldFile] = deque()
        self._entries: dict[str, HeldFile] = {}
        try:
            folder.mkdir(DIRECTORY_MODE, parents=True, exist_ok=True)
        except OSError as error:
            raise Unavailable(f"the cache cannot be used: {error.strerror}") from error

    @property
    def used_bytes(self) -> int:
        """Of all files."""
        return sum(file.used_bytes for file in self._files)

    def get(self, key: str) -> FileRange | None:
        """What is held of this key, with a descriptor for the caller."""
        file = self._entries.get(key)
        return None if file is None else FileRange(_own(file.fd), *file.entries[key])

    def place(self, length: int) -> Place:
        """Room for an object, older ones gone where need be. A longer one than all may be has a file of its own."""
        last = self._files[-1] if self._files else None
        if last is None or last.used_bytes + length > self._limits.cache_file_bytes:
            self._make_room(length)
            last = HeldFile(_unnamed(self._folder))
            self._files.append(last)
        place = Place(last, FileRange(_own(last.fd), last.used_bytes, length))
        last.used_bytes += length
        return place

    def enter(self, key: str, place: Place) -> None:
        """What was placed is whole; it is found from now on, unless its file is gone again."""
        if place.file in self._files:
            place.file.entries[key] = (place.range.offset, place.range.length)
            self._entries[key] = place.file

    def close(self) -> None:
        """Let go of every file."""
        while self._files:
            self._drop_oldest()

    def _make_room(self, length: int) -> None:
        wanted = max(length, self._limits.cache_file_bytes)
        while self._files and self.used_bytes + wanted > self._limits.cache_bytes_max:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        file = self._files.popleft()
        for key in file.entries:
            del self._entries[key]
        os.close(file.fd)


def _own(fd: int) -> int:
    try:
        return os.dup(fd)
    except OSError as error:
        raise Unavailable(f"no descriptor for a reader: {error.strerror}") from error


def _unnamed(folder: Path) -> int:
    """A file that goes with its last descriptor."""
    try:
        return os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o600)
    except OSError:  # file systems without O_TMPFILE
        pass
    try:
        fd, name = tempfile.mkstemp(dir=folder)
        Path(name).unlink()
    except OSError as error:
        raise Unavailable(f"the cache cannot be written: {error.strerror}") from error
    return fd
