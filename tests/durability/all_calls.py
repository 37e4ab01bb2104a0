"""Makes every call that the recorder knows, in ways that a database would: ``python -m tests.durability.all_calls``."""

import ctypes
import os
import sys
from pathlib import Path

from tests.durability import recorder


def main() -> None:
    root, log = Path(sys.argv[1]), Path(sys.argv[2])
    recorder.start(root, log)
    libc = ctypes.CDLL(None, use_errno=True)
    (root / "a/b").mkdir(parents=True)
    here = os.open(root / "a", os.O_RDONLY | os.O_DIRECTORY)
    os.mkdir("gone", dir_fd=here)
    os.rmdir("gone", dir_fd=here)
    one = os.open("one", os.O_RDWR | os.O_CREAT | os.O_EXCL, dir_fd=here)
    os.write(one, b"abc")
    os.writev(one, [b"defg", b"", b"hij" * 1000])
    os.pwrite(one, b"XY", 1)
    os.pwritev(one, [b"ZZ", b"top"], 5000)
    os.posix_fallocate(one, 0, 9000)
    os.ftruncate(one, 8000)
    os.pwrite(one, bytes(100), 10)
    os.fdatasync(one)
    two = os.open(root / "a/b/two", os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(two, b"tail")
    os.write(two, b"tail")
    three = os.open(root / "three", os.O_RDWR | os.O_CREAT, 0o600)
    os.copy_file_range(one, three, 4000, 100, 50)
    os.lseek(three, 4050, os.SEEK_SET)
    os.sendfile(three, one, 0, 3000)
    os.fsync(here)
    if libc.syncfs(here) != 0:
        raise OSError(ctypes.get_errno(), "syncfs")
    os.link(root / "three", root / "four")
    (root / "three").rename(root / "a/b/three")
    (root / "a/b/two").replace(root / "a/b/three")
    nameless = os.open(root, os.O_RDWR | os.O_TMPFILE, 0o600)
    os.write(nameless, b"was nameless")
    os.link(f"/proc/self/fd/{nameless}", root / "named", src_dir_fd=here, follow_symlinks=True)
    (root / "a/one").unlink()
    with (root / "text").open("w") as file:
        file.write("buffered" * 5000)
    with (root / "text").open("w") as file:
        file.write("shorter")
    recorder.mark(b"done")


if __name__ == "__main__":
    main()
