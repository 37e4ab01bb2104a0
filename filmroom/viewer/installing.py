"""The viewer installed, looked at, and taken away."""

import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import trio

from engine import Invalid
from engine.clock import Clock
from filmroom.viewer import package
from filmroom.viewer.fetching import fetch
from filmroom.viewer.unpacking import BEING_MADE, lay_down

FETCH_SECONDS_MAX: Final = 600.0
OLD_SECONDS: Final = 3600.0


async def install(source: Path | None, say: Callable[[str], None], seconds: float = FETCH_SECONDS_MAX) -> Path:
    """Where it is then; nothing is done where it is already. ``source``: the packed file instead of npm's.

    Raises Invalid for another package than the one meant, Unreachable when it cannot be fetched, OSError.
    """
    place = package.place()
    if package.is_installed():
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    sweep(place.parent)
    with tempfile.TemporaryDirectory(prefix=BEING_MADE, dir=place.parent) as scratch:
        packed = source or await fetch(Path(scratch), seconds, say)
        await trio.to_thread.run_sync(_install, packed, place, "the file" if source else "what came")
    return place


def sweep(folder: Path) -> None:
    """Remove what installations left that were killed."""
    for left in folder.glob(f"{BEING_MADE}*"):
        with suppress(OSError):
            if Clock().now_us() / 1e6 - left.stat().st_mtime > OLD_SECONDS:
                shutil.rmtree(left, ignore_errors=True)


def _install(packed: Path, place: Path, what: str) -> None:
    with packed.open("rb") as file:
        package.check(file, what)
        if not lay_down(file, place) and not package.is_installed():
            raise Invalid(f"{place} is not empty, and no viewer: filmroom viewer rm")


def remove() -> bool:
    """Take every viewer away; whether there was one. Raises OSError."""
    folder = package.folder()
    if not folder.is_dir():
        return False
    shutil.rmtree(folder)
    return True


def size_bytes(place: Path) -> int:
    """Of all its files."""
    return sum(path.stat().st_size for path in place.rglob("*") if path.is_file())
