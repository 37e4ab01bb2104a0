"""Index folders of one tenant: one is current; another can be built beside it and take its place in one step."""

import os
import shutil
from contextlib import suppress
from pathlib import Path

from engine.clock import Identifiers

POINTER = "current"


class Generations:
    """``FOLDER/current`` names the folder in use. Whatever is lost of it is folded again: the index is derived."""

    def __init__(self, directory: Path | None, identifiers: Identifiers) -> None:
        """``directory`` None: in memory. Folders that are not current are leftovers, and go."""
        self._directory = directory
        self._identifiers = identifiers
        self.current: Path | None = None
        if directory is not None:
            directory.mkdir(parents=True, exist_ok=True)
            with suppress(OSError, UnicodeDecodeError):
                name = (directory / POINTER).read_text("ascii")
                self.current = directory / name if name.isalnum() and (directory / name).is_dir() else None
            self._sweep()
            if self.current is None:
                self.use(self.begin())

    def begin(self) -> Path | None:
        """A new, empty place beside the current one."""
        if self._directory is None:
            return None
        place = self._directory / self._identifiers.random_id()
        place.mkdir()
        return place

    def use(self, place: Path | None) -> None:
        """From now on, and after a restart, ``place`` is current; the one before it goes."""
        self.current = place
        if self._directory is None or place is None:
            return
        unfinished = self._directory / f"{POINTER}.new"
        with unfinished.open("w", encoding="ascii") as file:
            file.write(place.name)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(self._directory / POINTER)
        self._sweep()

    def drop(self, place: Path | None) -> None:
        """A place that did not become current goes."""
        if place is not None and place != self.current:
            shutil.rmtree(place, ignore_errors=True)

    def _sweep(self) -> None:
        if self._directory is None:
            return
        for path in self._directory.iterdir():
            if path == self.current or path.name == POINTER:
                continue
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
