"""What ``doctor`` asks of the machine: ports, clock, disk, syncs, limits. Blocking: call it in a thread.

Nothing is changed; only in ``FOLDER/node`` a small file is written, synced and removed.
"""

import errno
import os
import platform
import socket
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import filmroom
from engine.clock import Clock
from filmroom import descriptors
from filmroom.check import Check
from filmroom.mounts import mount_of
from filmroom.settings import ServeSettings

SYNC_COUNT = 16
SYNC_BYTES = 4096
# The fastest drives with a protected cache take 20 us to a sync that reaches them; memory takes 1 to 2.
SYNC_SECONDS_MIN = 8e-6
# A sync is shared by all who store, but one that is so slow is felt by a single sender.
SYNC_SECONDS_SLOW = 0.05
# Files of this machine are stamped by the same clock; those of a file server by its own, which may be a little off.
CLOCK_SECONDS_MAX = 2.0
# Below this stores are refused (see ``free_percent_min`` of the engine); twice as much is soon.
FREE_PERCENT_MIN = 5.0
GIGABYTE = 10**9
# 500 associations with two descriptors, 4,096 files until the checkpoint, and the rest.
OPEN_FILES_GOOD = 5500
# With less than this not even a few associations and the index find theirs.
OPEN_FILES_MIN = 512


def machine() -> Iterator[Check]:
    """What any machine can be asked."""
    system = f"Python {platform.python_version()}, Linux {os.uname().release}"
    yield Check("version", "ok", f"filmroom {filmroom.__version__}, {system}")
    count = descriptors.possible()
    if count >= OPEN_FILES_GOOD:
        yield Check("open files", "ok", f"up to {count}")
    else:
        fix = f"ulimit -Hn {OPEN_FILES_GOOD}, or LimitNOFILE={OPEN_FILES_GOOD} in its unit"
        yield Check("open files", "warn" if count >= OPEN_FILES_MIN else "bad", f"only {count} at once", fix)


def ports(serve: ServeSettings) -> Iterator[Check]:
    """Whether ``serve`` would get its ports. Not while it has them."""
    wanted = (("DICOM port", serve.dimse_port, "--dimse-port"), ("HTTP port", serve.http_port, "--http-port"))
    for name, port, flag in wanted:
        where = f"{serve.host}:{port}"
        fix = f"end the program that listens there, or serve with {flag} (0 takes a free one)"
        if port and serve.dimse_port == serve.http_port:
            yield Check(name, "bad", f"{where} is meant for both ports", f"choose another with {flag}")
        elif reason := _refusal(serve.host, port):
            yield Check(name, "bad", f"{where}: {reason}", fix)
        else:
            yield Check(name, "ok", f"{where} is free")


def _refusal(host: str, port: int) -> str:
    """Why nobody can listen there; empty when one can."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        with closing(socket.socket(family, socket.SOCK_STREAM)) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen(1)
    except socket.gaierror:
        return "unknown host"
    except OSError as error:
        return "taken" if error.errno == errno.EADDRINUSE else os.strerror(error.errno or 0)
    return ""


def disk(folder: Path, intake_bytes_max: int) -> Iterator[Check]:
    """Room for bytes and for files, and what kind of file system it is."""
    figures = os.statvfs(folder)
    total, free = figures.f_blocks * figures.f_frsize, figures.f_bavail * figures.f_frsize
    percent = 100 * free / max(total, 1)
    found = f"{free / GIGABYTE:.1f} GB free, {percent:.0f} %"
    fix = f"make room: stores are refused below {FREE_PERCENT_MIN:.0f} %"
    is_scarce = percent < 2 * FREE_PERCENT_MIN or free < 2 * intake_bytes_max
    yield (
        Check("disk", "bad", found, fix)
        if percent < FREE_PERCENT_MIN
        else (Check("disk", "warn", found, fix) if is_scarce else Check("disk", "ok", found))
    )
    if figures.f_files and figures.f_favail < figures.f_files * FREE_PERCENT_MIN / 100:
        yield Check(
            "inodes", "bad", f"{figures.f_favail} files can still be made", "each instance is a file: make room"
        )
    mount = mount_of(folder)
    yield Check("file system", mount.state, mount.found, mount.fix)


def syncs(node: Path) -> Check:
    """Whether an ``fdatasync`` takes as long as one that reaches a disk."""
    clock = Clock()
    seconds = []
    with tempfile.TemporaryFile(dir=node) as file:
        for number in range(SYNC_COUNT):
            os.pwrite(file.fileno(), os.urandom(SYNC_BYTES), number * SYNC_BYTES)
            begun = clock.monotonic()
            os.fdatasync(file.fileno())
            seconds.append(clock.monotonic() - begun)
    return judged_sync(sorted(seconds)[SYNC_COUNT // 2])


def judged_sync(median_seconds: float) -> Check:
    """What the median of several says."""
    found = f"fdatasync takes {median_seconds * 1e6:.0f} us (median of {SYNC_COUNT})"
    if median_seconds < SYNC_SECONDS_MIN:
        fix = "no disk is so fast: syncs are ignored somewhere, and power loss would lose what was acknowledged"
        return Check("syncs", "warn", found, fix)
    if median_seconds > SYNC_SECONDS_SLOW:
        return Check("syncs", "warn", found, "slow: every sender waits for it; use another disk")
    return Check("syncs", "ok", found)


def clock(node: Path, last_stamp_us: int, now_us: int) -> Check:
    """The machine's clock against what is stamped already, and against the clock of the file system."""
    with tempfile.TemporaryFile(dir=node) as file:
        off_seconds = os.fstat(file.fileno()).st_mtime - now_us / 1e6
    behind_seconds = (last_stamp_us - now_us) / 1e6
    fix = "set the clock by NTP (timedatectl set-ntp true)"
    if behind_seconds > CLOCK_SECONDS_MAX:
        return Check("clock", "bad", f"{behind_seconds:.0f} s behind the last record: it went backward", fix)
    if abs(off_seconds) > CLOCK_SECONDS_MAX:
        return Check("clock", "bad", f"the file system's clock is {off_seconds:+.0f} s off this machine's", fix)
    built_seconds = Path(filmroom.__file__).stat().st_mtime
    if now_us / 1e6 < built_seconds - CLOCK_SECONDS_MAX:
        return Check("clock", "bad", "earlier than this program was installed", fix)
    return Check("clock", "ok", "not behind the last record, the files or this program")
