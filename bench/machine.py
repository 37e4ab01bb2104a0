"""What a figure was measured on: without it the figure says nothing."""

import os
import platform
import subprocess
from functools import cache
from pathlib import Path

from msgspec import Struct


class Machine(Struct, frozen=True, kw_only=True):
    """Facts of this machine now. ``load``: the three load averages; ``peers``: versions of the other servers."""

    processor: str
    processor_count: int
    memory_bytes: int
    kernel: str
    python: str
    file_system: str
    load: tuple[float, float, float]
    peers: dict[str, str]


def machine(folder: Path) -> Machine:
    """``folder``: where the servers keep their files."""
    return Machine(
        processor=_processor(),
        processor_count=len(os.sched_getaffinity(0)),
        memory_bytes=memory_bytes(),
        kernel=platform.release(),
        python=platform.python_version(),
        file_system=_file_system(folder),
        load=os.getloadavg(),
        peers=_peers(),
    )


def memory_bytes() -> int:
    """Of the whole machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


VERSIONS = {"orthanc": ("Orthanc", "--version"), "dcmtk": ("storescp", "--version")}


@cache
def _peers() -> dict[str, str]:
    """Asked once: each takes a third of a second to say it, and it is written down after every suite."""
    return {name: first_line(*command) for name, command in VERSIONS.items()}


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _file_system(folder: Path) -> str:
    place, kind = "", "unknown"
    for line in Path("/proc/mounts").read_text("utf-8").splitlines():
        _, point, name, *_ = line.split()
        if str(folder.resolve()).startswith(point) and len(point) > len(place):
            place, kind = point, name
    return kind


def first_line(*command: str) -> str:
    """Of what a command says; ``not here`` when there is no such command."""
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except OSError:
        return "not here"
    return found.stdout.strip().partition("\n")[0]
