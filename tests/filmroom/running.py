"""Runs the command as its users do: another process, its output, its exit code."""

import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.tidy.reading import ROOT

SECONDS_MAX = 60
_NOTHING = str(Path(tempfile.gettempdir(), "filmroom-tests-without-viewer"))
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("FILMROOM_")} | {
    "PYTHONPATH": str(ROOT),
    "NO_COLOR": "1",
    "XDG_DATA_HOME": _NOTHING,  # whatever viewer the user has, and without a network to fetch one
    "npm_config_offline": "true",
    "npm_config_cache": _NOTHING,
}
COMMAND = (sys.executable, "-m", "filmroom")


def wait_until(condition: Callable[[], bool], seconds: float = SECONDS_MAX) -> None:
    """Look until it holds; another process changes it, and nothing wakes us. Leaves the processor to that process."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        select.select([], [], [], 0.05)


class Node:
    """A running ``filmroom serve`` that has said it is ready."""

    def __init__(self, process: subprocess.Popen[str], store: Path, lines: list[str]) -> None:
        self.process = process
        self.store = store
        self.lines = lines
        found = re.fullmatch(r"ready dicom=(\S+):(\d+) http=(\S+):(\d+)(?: dicom-tls=\S+:(\d+))?", lines[-1])
        assert found is not None, lines
        self.dicom = (found[1], int(found[2]))
        self.http = (found[3], int(found[4]))
        self.dicom_tls_port = int(found[5] or 0)

    def log(self) -> str:
        """What it has logged so far."""
        return (self.store.parent / f"{self.store.name}.log").read_text()

    def resident_bytes(self) -> int:
        """Memory that it holds now."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGESIZE")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end; its exit code."""
        self.process.send_signal(how)
        return self.process.wait(SECONDS_MAX)


def run(*words: str | Path, folder: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """One command to its end."""
    return subprocess.run(
        [*COMMAND, *map(str, words)],
        cwd=folder,
        env=ENVIRONMENT | environment,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
        stdin=subprocess.DEVNULL,
    )


@contextmanager
def start(
    store: Path, *words: str, url: str = "", before: Callable[[], None] | None = None, **environment: str
) -> Iterator[Node]:
    """A node on free ports; ended when the block ends. ``url``: of the archive, when it is not in the folder ``store``,
    which then is the node's own. ``before``: what its process does first."""
    environment = ENVIRONMENT | environment
    command = [*COMMAND, "serve", url or str(store), "--dimse-port", "0", "--http-port", "0", *words]
    with (
        (store.parent / f"{store.name}.log").open("w") as log,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment, preexec_fn=before
        ) as process,
    ):
        try:
            assert process.stdout is not None
            lines = []
            for line in process.stdout:
                lines.append(line.rstrip("\n"))
                if line.startswith("ready "):
                    break
            assert lines, (store.parent / f"{store.name}.log").read_text()
            yield Node(process, store, lines)
        finally:
            if process.poll() is None:
                process.kill()
