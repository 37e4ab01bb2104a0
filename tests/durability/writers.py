"""Small writers, one right and the others wrong in one way each: what the harness must let pass, and must catch.

Run as ``python -m tests.durability.writers NAME ROOT LOG [FAULT]`` with the recorder preloaded. Each keeps four files
and marks ``name`` when it claims that one is safe.
"""

import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path

from tests.durability import recorder
from tests.durability.recorder import Call, Fault, When

CONTENT = b"0123456789abcdef" * 400  # 12.5 sectors


def careful(root: Path, name: str) -> None:
    _write(root / "new", sync=True)
    (root / "new").rename(root / name)
    _sync(root)


def forgets_the_file(root: Path, name: str) -> None:
    _write(root / "new", sync=False)
    (root / "new").rename(root / name)
    _sync(root)


def forgets_the_directory(root: Path, name: str) -> None:
    _write(root / "new", sync=True)
    (root / "new").rename(root / name)


def forgets_the_parent(root: Path, name: str) -> None:
    (root / f"d-{name}").mkdir()
    _write(root / f"d-{name}" / name, sync=True)
    _sync(root / f"d-{name}")


def syncs_too_early(root: Path, name: str) -> None:
    fd = os.open(root / name, os.O_WRONLY | os.O_CREAT, 0o600)
    os.pwrite(fd, CONTENT[:3000], 0)
    os.fdatasync(fd)
    os.pwrite(fd, CONTENT[3000:], 3000)
    os.close(fd)
    _sync(root)


def retries_a_failed_sync(root: Path, name: str) -> None:
    """Once ``fsync`` has failed, the next one answers 0 about pages that are gone."""
    fd = os.open(root / name, os.O_WRONLY | os.O_CREAT, 0o600)
    os.pwrite(fd, CONTENT, 0)
    try:
        os.fdatasync(fd)
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        os.fdatasync(fd)
    os.close(fd)
    _sync(root)


def ignores_short_writes(root: Path, name: str) -> None:
    fd = os.open(root / name, os.O_WRONLY | os.O_CREAT, 0o600)
    os.write(fd, CONTENT)
    os.fdatasync(fd)
    os.close(fd)
    _sync(root)


WRITERS: dict[str, Callable[[Path, str], None]] = {
    writer.__name__: writer
    for writer in (
        careful,
        forgets_the_file,
        forgets_the_directory,
        forgets_the_parent,
        syncs_too_early,
        retries_a_failed_sync,
        ignores_short_writes,
    )
}

FAULTS = {
    "retries_a_failed_sync": Fault(call=Call.fdatasync, when=When.fail, error=errno.EIO, first=2, last=2),
    "ignores_short_writes": Fault(call=Call.write, when=When.short, first=3, last=3),
}


def _write(path: Path, *, sync: bool) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    done = 0
    while done < len(CONTENT):
        done += os.write(fd, CONTENT[done : done + 4000])
    if sync:
        os.fdatasync(fd)
    os.close(fd)


def _sync(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(fd)
    os.close(fd)


def main() -> None:
    name, root, log = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    recorder.start(root, log, FAULTS.get(name, recorder.NO_FAULT))
    for number in range(4):
        WRITERS[name](root, f"f{number}")
        recorder.mark(f"f{number}".encode())


if __name__ == "__main__":
    main()
