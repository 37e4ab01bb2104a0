"""DCMTK's own tools. pynetdicom installs scripts of the same names, which stand first on the path of a venv."""

import os
import subprocess
from functools import cache
from pathlib import Path

SAYS = b"$dcmtk: "  # what each of them answers to --version
ANSWER_SECONDS_MAX = 10


@cache
def tool(name: str) -> str:
    """Path of the first program of that name on PATH that says it is DCMTK's. Raises RuntimeError when none does."""
    for folder in os.get_exec_path():
        found = Path(folder) / name
        if os.access(found, os.X_OK) and SAYS in _version(found):
            return str(found)
    raise RuntimeError(f"DCMTK's {name} is not on the path")


def is_installed(name: str) -> bool:
    """Whether ``tool`` would find it."""
    try:
        tool(name)
    except RuntimeError:
        return False
    return True


def _version(program: Path) -> bytes:
    try:
        return subprocess.run(
            [program, "--version"], capture_output=True, check=False, timeout=ANSWER_SECONDS_MAX
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return b""
