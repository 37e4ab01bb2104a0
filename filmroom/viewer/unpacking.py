"""A packed viewer laid down: read as a stream, one file after the other in memory, beside its place, then renamed."""

import gzip
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Final

from engine import Invalid
from filmroom.viewer.altering import INDEX, altered
from protocols.web import ALTERED

BEING_MADE: Final = ".new-"
WITHIN: Final = PurePosixPath("package/dist")
# Fifty megabytes unpacked, a hundred and fifty files; the largest has 17.
FILES_COUNT_MAX: Final = 1000
FILE_BYTES_MAX: Final = 32 << 20
ALL_BYTES_MAX: Final = 256 << 20
# Neural networks that nothing asks for; a worker that would load code from elsewhere, and is never begun; settings.
LEFT_OUT: Final = frozenset({"ort", "sw.js", "app-config.js", "_headers", "_redirects", "serve.json"})
PACKED_SUFFIXES: Final = frozenset({".css", ".html", ".js", ".json", ".svg", ".wasm", ".xml"})
PACKED_BYTES_MIN: Final = 1 << 10
GZIP_LEVEL: Final = 6


def lay_down(packed: IO[bytes], place: Path) -> bool:
    """Unpack a checked package to ``place``; False: something was there by then. Raises Invalid, OSError."""
    place.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=BEING_MADE, dir=place.parent))
    try:
        _unpack(packed, beside)
        beside.chmod(0o755)
        try:
            beside.rename(place)
        except OSError:
            if not place.is_dir():
                raise
            return False
        return True
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _unpack(packed: IO[bytes], folder: Path) -> None:
    changed = []
    for name, content in files_of(packed):
        text = altered(name, content)
        if text != content:
            changed.append(name)
        _write(folder / name, text)
        if PurePosixPath(name).suffix in PACKED_SUFFIXES and len(text) >= PACKED_BYTES_MIN:
            _write(folder / f"{name}.gz", gzip.compress(text, GZIP_LEVEL, mtime=0))
    if INDEX not in changed:
        raise Invalid(f"the package holds no {INDEX}: nothing was installed")
    _write(folder / ALTERED, "".join(f"{name}\n" for name in changed).encode())


def files_of(packed: IO[bytes]) -> Iterator[tuple[str, bytes]]:
    """Name below ``dist`` and content of every file that is served. Raises Invalid for what no package of npm has."""
    count, size = 0, 0
    try:
        with tarfile.open(fileobj=packed, mode="r|gz") as archive:
            for member in archive:
                count, size = count + 1, size + member.size
                if count > FILES_COUNT_MAX or size > ALL_BYTES_MAX:
                    raise Invalid("the package is larger than the viewer: nothing was installed")
                name = _name_of(member)
                if name and (file := archive.extractfile(member)) is not None:
                    yield name, file.read()
    except (tarfile.TarError, EOFError, gzip.BadGzipFile, ValueError) as error:
        raise Invalid(f"the package is damaged: {error}") from error


def _name_of(member: tarfile.TarInfo) -> str:
    """Below ``dist``; empty for what is left out. Raises Invalid."""
    path = PurePosixPath(member.name)
    if not member.isreg() or member.size > FILE_BYTES_MAX or path.is_absolute() or ".." in path.parts:
        raise Invalid("the package holds what a viewer does not: links, folders outside, or too large a file")
    if not path.is_relative_to(WITHIN):
        return ""
    name = path.relative_to(WITHIN)
    return "" if not name.parts or name.parts[0] in LEFT_OUT or name.suffix == ".map" else str(name)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
