"""What has been made and waits to be sent: in memory while it is small, then in an unlinked file."""

import os
import tempfile
from typing import IO

from engine.model import FileRange
from protocols.transcode.settings import TranscodeSettings


class Holding:
    """Write all, then take ``source``; ``close`` gives memory and file back."""

    def __init__(self, settings: TranscodeSettings) -> None:
        self._settings = settings
        self._parts: list[bytes] = []
        self._length = 0
        self._file: IO[bytes] | None = None

    def is_in_memory(self, more_bytes: int) -> bool:
        """Whether so many more bytes can be written without blocking."""
        return self._file is None and self._length + more_bytes <= self._settings.held_bytes_max

    def write(self, data: bytes) -> None:
        """The next bytes. Blocking once they go to a file."""
        self._length += len(data)
        if self._file is None and self._length > self._settings.held_bytes_max:
            self._file = tempfile.TemporaryFile(dir=self._settings.folder, buffering=0)  # noqa: SIM115 (close)
            self._write(b"".join(self._parts))
            self._parts = []
        if self._file is None:
            self._parts.append(data)
        else:
            self._write(data)

    def _write(self, data: bytes) -> None:
        assert self._file is not None
        view = memoryview(data)
        while view:
            view = view[os.write(self._file.fileno(), view) :]

    def source(self) -> FileRange | bytes:
        """Everything written. A file stays open until ``close``."""
        if self._file is None:
            return b"".join(self._parts)
        return FileRange(self._file.fileno(), 0, self._length)

    def close(self) -> None:
        """Give back what is held."""
        self._parts = []
        if self._file is not None:
            self._file.close()
            self._file = None
