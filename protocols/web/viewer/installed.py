"""The viewer as it was laid down in a folder, which may come, go and change while the node runs."""

import logging
from pathlib import Path
from typing import Final

import trio

from protocols.web import static_files
from protocols.web.static_files import StaticFile

log = logging.getLogger("filmroom.web")

INDEX: Final = "index.html"
# Names of files, one a line, that were altered when they were laid down: their hashes are not those of their content.
ALTERED: Final = ".altered"
CONFIG: Final = Path(__file__).with_name("app-config.js")


class Viewer:
    """The files of one folder."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._lock = trio.Lock()
        self._seen: tuple[int, int] | None = None
        self._files: dict[str, StaticFile] = {}

    async def files(self) -> dict[str, StaticFile]:
        """By name; none: it is not installed."""
        if self._folder is None:
            return {}
        async with self._lock:
            try:
                found = await trio.Path(self._folder).stat()
                if (seen := (found.st_ino, found.st_mtime_ns)) != self._seen:
                    self._files = await trio.to_thread.run_sync(_read, self._folder)
                    self._seen = seen
            except (OSError, ValueError) as error:
                if not isinstance(error, FileNotFoundError):
                    log.error("the viewer cannot be read", extra={"error": type(error).__name__})
                self._files, self._seen = {}, None
            return self._files


def _read(folder: Path) -> dict[str, StaticFile]:
    altered = frozenset((folder / ALTERED).read_text("utf-8").splitlines())
    files = static_files.files_below(folder, changing=altered)
    files.pop(ALTERED)
    return files | {CONFIG.name: static_files.file_at(CONFIG)}
