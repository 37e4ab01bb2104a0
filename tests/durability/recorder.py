"""The Python end of ``recorder.c``: compiles it, starts it in a child, reads what it wrote.

Why a preloaded library and not strace or FUSE: it needs nothing but the compiler that builds the native room, costs a
few microseconds a call, keeps the written bytes, and counts calls of the whole process in one order. What it cannot see
(a system call made without libc, a write through a memory map) is not missed silently: ``test_harness`` and every
recorded run compare the folder that the log describes with the one that is there.
"""

import ctypes
import hashlib
import os
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from enum import IntEnum
from functools import cache
from pathlib import Path
from typing import Final

import msgspec

SOURCE: Final = Path(__file__).with_name("recorder.c")
_LINE: Final = struct.Struct("<IBBBBIIIIQQQQ")
_MAGIC: Final = 0x52454331


class Call(IntEnum):
    """What the process called; names as the kernel's, without the variants (openat, pwrite64, renameat2, ...)."""

    open = 0
    write = 1
    pwrite = 2
    writev = 3
    pwritev = 4
    fallocate = 5
    ftruncate = 6
    fdatasync = 7
    fsync = 8
    syncfs = 9
    link = 10
    rename = 11
    unlink = 12
    mkdir = 13
    rmdir = 14
    copy_file_range = 15
    sendfile = 16
    symlink = 17
    mark = 18


class Change(IntEnum):
    """What the call did to the folder."""

    nothing = 0
    create = 1
    data = 2
    zeros = 3
    truncate = 4
    allocate = 5
    linked = 6
    renamed = 7
    unlinked = 8
    made = 9
    removed = 10
    sync_begin = 11
    sync_end = 12
    marked = 13
    unknown = 14


class When(IntEnum):
    """What happens to the chosen call. ``halfway``: half of the bytes are written, then the process is killed.

    ``hang``, of a sync: until it is aimed at something else; then it fails with ``error`` if there is one.
    """

    never = 0
    kill_before = 1
    kill_after = 2
    kill_halfway = 3
    fail = 4
    short = 5
    hang = 6


class Fault(msgspec.Struct, frozen=True):
    """The calls number ``first`` to ``last`` of one kind (counted on store paths, from the start) meet ``when``."""

    call: Call = Call.open
    when: When = When.never
    error: int = 0
    first: int = 1
    last: int = 1

    def __str__(self) -> str:
        error = f":{os.strerror(self.error)}" if self.error else ""
        return (
            f"{self.call.name}#{self.first}{f'-{self.last}' if self.last > self.first else ''}:{self.when.name}{error}"
        )


NO_FAULT: Final = Fault()


class Line(msgspec.Struct, frozen=True):
    """One line of the log. ``data_at``: where its bytes are in the log file."""

    change: Change
    call: Call
    error: int
    failed: bool
    thread: int
    path: str
    other: str
    inode: int
    offset: int
    length: int
    data_at: int


@cache
def shared_object() -> Path:
    """The compiled recorder; made once for each content of its source. Raises ``CalledProcessError`` without gcc."""
    digest = hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:16]
    target = Path(tempfile.gettempdir()) / f"filmroom-recorder-{os.getuid()}-{digest}.so"
    if not target.exists():
        made = target.with_suffix(f".{os.getpid()}")
        command = ["gcc", "-O1", "-Wall", "-shared", "-fPIC", "-o", str(made), str(SOURCE), "-lpthread"]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        made.rename(target)
    return target


def start(root: Path, log: Path, fault: Fault = NO_FAULT) -> None:
    """In the child, which was started with ``LD_PRELOAD``: from now on everything below ``root`` goes to ``log``."""
    preloaded = ctypes.CDLL(None)
    if not hasattr(preloaded, "recorder_start"):
        raise RuntimeError(f"start this process with LD_PRELOAD={shared_object()}")
    plan = f"{fault.call} {fault.when} {fault.error} {fault.first} {fault.last}"
    if preloaded.recorder_start(os.fsencode(root), os.fsencode(log), plan.encode()) != 0:
        raise RuntimeError(f"the recorder cannot write {log}")


def aim(fault: Fault) -> None:
    """From now on, counted from now on, this happens instead."""
    preloaded = ctypes.CDLL(None)
    preloaded.recorder_aim(
        int(fault.call), int(fault.when), fault.error, ctypes.c_long(fault.first), ctypes.c_long(fault.last)
    )


def mark(text: bytes) -> None:
    """A line of the test's own: what the process had promised by then."""
    ctypes.CDLL(None).recorder_mark(text, len(text))


def read(data: bytes | memoryview) -> Iterator[Line]:
    """The lines of a log, up to a last one that a kill may have torn. Raises ``ValueError`` for anything else."""
    at = 0
    while at + _LINE.size <= len(data):
        fields = _LINE.unpack_from(data, at)
        magic, change, call, failed, _, thread, path_bytes, other_bytes, error, inode, offset, length, size = fields
        if magic != _MAGIC:
            raise ValueError(f"not a line of a recorder's log at {at}")
        path_at = at + _LINE.size
        data_at = path_at + path_bytes + other_bytes
        at = data_at + size
        if at > len(data):
            return
        path, other = bytes(data[path_at : path_at + path_bytes]), bytes(data[path_at + path_bytes : data_at])
        yield Line(
            change=Change(change),
            call=Call(call),
            error=error,
            failed=bool(failed),
            thread=thread,
            path=os.fsdecode(path),
            other=os.fsdecode(other),
            inode=inode,
            offset=offset,
            length=length if change != Change.marked else size,
            data_at=data_at,
        )
