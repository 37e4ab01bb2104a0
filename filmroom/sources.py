"""Where imported files come from: folders, zips, a DICOMDIR, single files. Nothing outside them is ever read."""

import threading
import zipfile
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import msgspec
import trio

CHUNK_BYTES = 1 << 20
HEAD_BYTES = 1 << 10
MEDIA_DIRECTORY = b"1.2.840.10008.1.3.10"
# A member that unfolds to more than 200 times its size is a bomb, not an image (deflated CT: below 10).
RATIO_MAX = 200
MEMBERS_MAX = 1_000_000


class Zip:
    """A zip whose entries several threads read. Opened once, as its directory takes the longer the more there are;
    closed with the last source of it."""

    def __init__(self, path: Path) -> None:
        """Raises BadZipFile, OSError, ValueError."""
        self._file = zipfile.ZipFile(path)
        self._lock = threading.Lock()  # zipfile counts its readers, and not for threads

    def entries(self) -> list[zipfile.ZipInfo]:
        """Every file in it."""
        return [entry for entry in self._file.infolist() if not entry.is_dir()]

    @contextmanager
    def open(self, entry: zipfile.ZipInfo) -> Iterator[IO[bytes]]:
        """One of them, unfolded."""
        with self._lock:
            member = self._file.open(entry)
        try:
            yield member
        finally:
            with self._lock:
                member.close()


class Source(msgspec.Struct, frozen=True):
    """One file to import. ``member`` names an entry of the zip ``path``, which ``within`` gives; ``named``: the user
    named this very file."""

    path: Path
    member: str = ""
    named: bool = False
    problem: str = ""
    within: tuple[Zip, zipfile.ZipInfo] | None = None

    def __str__(self) -> str:
        return f"{self.path}!{self.member}" if self.member else str(self.path)


def sources(paths: list[Path]) -> Iterator[Source]:
    """Every file below the paths, in a fixed order. What cannot be read is a source with a ``problem``."""
    for path in paths:
        if path.is_dir():
            yield from _folder(path)
        elif not path.exists():
            yield Source(path, named=True, problem="there is no such file or folder")
        elif not path.is_file():  # a pipe or a device would never end
            yield Source(path, named=True, problem="not a regular file")
        elif path.name.upper().startswith("DICOMDIR"):
            yield from _directory_records(path)
        else:
            yield from _file(path, named=True)


def _folder(folder: Path) -> Iterator[Source]:
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:  # the others are read
        yield Source(folder, named=True, problem=f"it cannot be read: {error.strerror}")
        return
    for entry in entries:
        try:
            is_folder, is_file = entry.is_dir() and not entry.is_symlink(), entry.is_file()
        except OSError as error:
            yield Source(entry, named=True, problem=f"it cannot be read: {error.strerror}")
            continue
        if is_folder:
            yield from _folder(entry)
        elif is_file and entry.name.upper() != "DICOMDIR":
            yield from _file(entry, named=False)


def _file(path: Path, *, named: bool) -> Iterator[Source]:
    if path.suffix.lower() != ".zip" or is_dicom(path):
        yield Source(path, named=named)
        return
    try:
        archive = Zip(path)
        members = archive.entries()
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        yield Source(path, named=True, problem=f"damaged zip: {error}")
        return
    if len(members) > MEMBERS_MAX:
        yield Source(path, named=True, problem=f"the zip has more than {MEMBERS_MAX} files")
        return
    for entry in members:
        if entry.filename.rpartition("/")[2].upper() == "DICOMDIR":
            continue
        bomb = entry.file_size > CHUNK_BYTES and entry.file_size > RATIO_MAX * max(entry.compress_size, 1)
        problem = "it unfolds to far more than its size" if bomb else ""
        yield Source(path, entry.filename, problem=problem, within=(archive, entry))


def _directory_records(path: Path) -> Iterator[Source]:
    """The files that a DICOMDIR names (PS3.3 F.3.2.2), as far as they stand in its own folder."""
    import pydicom

    try:
        records = pydicom.dcmread(path, specific_tags=["DirectoryRecordSequence"]).get("DirectoryRecordSequence", [])
    except Exception as error:  # noqa: BLE001 - pydicom raises anything on a damaged file
        yield Source(path, named=True, problem=f"the DICOMDIR cannot be read ({type(error).__name__})")
        return
    root = path.resolve().parent
    for record in records:
        parts = record.get("ReferencedFileID")
        if not parts:
            continue
        parts = [parts] if isinstance(parts, str) else [str(part) for part in parts]
        file = root.joinpath(*parts)
        if any(part in ("", ".", "..") or "/" in part or "\\" in part for part in parts) or (
            not file.resolve().is_relative_to(root)
        ):
            yield Source(path, named=True, problem="a record names a file outside the DICOMDIR's folder")
        elif not file.is_file():
            yield Source(file, named=True, problem="the DICOMDIR names it, but it is not there")
        else:
            yield Source(file, named=True)


def is_dicom(path: Path) -> bool:
    """Whether the file says it is of PS3.10."""
    try:
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return False


def holds_no_image(source: Source) -> bool:
    """Whether it is no DICOM file, or one that only lists others: a media directory (PS3.10 8.6). Unreadable: False."""
    try:
        if source.within is not None:
            archive, entry = source.within
            with archive.open(entry) as member:
                head = member.read(HEAD_BYTES)
        else:
            with source.path.open("rb") as file:
                head = file.read(HEAD_BYTES)
    except (OSError, zipfile.BadZipFile, zlib.error):
        return False
    return head[128:132] != b"DICM" or MEDIA_DIRECTORY in head


async def chunks(source: Source) -> AsyncIterator[bytes]:
    """The bytes of a zip's member, unfolded piece by piece; never more than its entry declares."""
    assert source.within is not None, "of no zip"
    archive, entry = source.within
    with archive.open(entry) as member:
        while piece := await trio.to_thread.run_sync(member.read, CHUNK_BYTES):
            yield piece
