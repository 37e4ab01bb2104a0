"""Small files in ``FOLDER/node`` that commands keep: replaced as a whole, durably."""

import os
import threading
from pathlib import Path


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def replace_durably(file: Path, data: bytes) -> None:
    """After power loss it is the old or the new one."""
    # two threads may write one file: the last one counts, and neither takes the other's name away
    temporary = file.with_name(f"{file.name}.{threading.get_native_id()}.tmp")
    with open(temporary, "wb", opener=_private) as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    temporary.replace(file)
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
