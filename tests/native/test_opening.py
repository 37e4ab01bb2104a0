"""Many files opened in one call: what each one is said to be, and that nothing is left open."""

import errno
import os
from pathlib import Path

import pytest

from native.opening import close_files, open_files


def test_each_name_is_opened_for_itself(tmp_path: Path) -> None:
    whole, empty = tmp_path / "whole", tmp_path / "empty"
    whole.write_bytes(b"0123")
    empty.write_bytes(b"")
    names = [whole, tmp_path / "missing", tmp_path, empty, whole / "below"]
    (fd, size), missing, folder, (empty_fd, empty_size), below = open_files([os.fsencode(name) for name in names])
    assert (missing, folder, below) == ((-errno.ENOENT, 0), (-errno.ENOENT, 0), (-errno.ENOTDIR, 0))
    assert (size, empty_size) == (4, 0)
    assert os.pread(fd, 10, 0) == b"0123"
    close_files([fd, empty_fd])
    for closed in (fd, empty_fd):
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(closed)


def test_no_name_opens_nothing(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"1")
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(ValueError, match="not a name"):
        open_files([os.fsencode(tmp_path / "one"), b"a\0b"])
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert open_files([]) == []
    close_files([])
