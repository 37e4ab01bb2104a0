"""Which file system a folder is on (proc(5), mountinfo), and what that means for what must stay."""

import re
from pathlib import Path

from filmroom.check import Check, State

MOUNTS = Path("/proc/self/mountinfo")
IN_MEMORY = frozenset({"tmpfs", "ramfs", "devtmpfs"})
OF_A_CONTAINER = frozenset({"overlay", "aufs"})
OF_A_SERVER = re.compile(r"nfs\d?|cifs|smb\d?|9p|virtiofs|ceph|glusterfs|fuse(\..*)?")
# Mount options that keep a sync from reaching the disk.
UNSYNCED = frozenset({"nobarrier", "barrier=0"})


def mount_of(folder: Path, mounts: Path = MOUNTS) -> Check:
    """The file system of a folder."""
    kind, options = _found(folder.resolve(), mounts)
    if kind in IN_MEMORY:
        return _told(kind, "bad", "it ends with the machine's power: keep the archive on a disk")
    if "ro" in options:
        return _told(kind, "bad", "mounted read-only: mount -o remount,rw")
    if UNSYNCED & options:
        return _told(kind, "bad", f"mounted with {', '.join(sorted(UNSYNCED & options))}: syncs do not reach the disk")
    if kind in OF_A_CONTAINER:
        return _told(kind, "warn", "a container's own layer is thrown away with it: mount a volume")
    if OF_A_SERVER.fullmatch(kind):
        return _told(kind, "warn", "locks and syncs are what its server makes of them: prefer a local disk")
    return _told(kind or "unknown", "ok" if kind else "warn", "" if kind else "look at /proc/self/mountinfo")


def _told(kind: str, state: State, fix: str) -> Check:
    return Check("file system", state, kind, fix)


def _found(folder: Path, mounts: Path) -> tuple[str, frozenset[str]]:
    """Kind and options of the last mount that holds the folder: the one that is seen."""
    best: tuple[int, str, frozenset[str]] = (-1, "", frozenset())
    for line in mounts.read_text("utf-8", "replace").splitlines():
        own, _, theirs = line.partition(" - ")
        fields, (kind, _, *more) = own.split(), theirs.split()
        point = Path(re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), fields[4]))
        if folder.is_relative_to(point) and len(point.parts) >= best[0]:
            best = (len(point.parts), kind, frozenset([*fields[5].split(","), *",".join(more).split(",")]))
    return best[1], best[2]
