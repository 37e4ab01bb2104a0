"""Servers as processes of their own: started, watched through /proc, and ended by their pid.

Whatever the bench starts, the kernel kills when the bench is gone, however it ended (prctl(2), PR_SET_PDEATHSIG).
"""

import ctypes
import itertools
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
START_SECONDS_MAX = 30.0
STOP_SECONDS_MAX = 60.0
# A server rests when its processor time has stood still (one tick is forgiven: timers) for so long.
REST_SECONDS = 0.5
REST_SECONDS_MAX = 600.0
LOOK_SECONDS = 0.02
# Below those that Linux gives to connections (32768 to 60999).
FIRST_PORT, PORTS_COUNT = 15_000, 17_000
_numbers = itertools.count(os.getpid() * 1009)
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class Process:
    """A started server."""

    def __init__(self, popen: "subprocess.Popen[bytes]", log: Path) -> None:
        self.popen = popen
        self.log = log

    @property
    def pid(self) -> int:
        return self.popen.pid

    def cpu_seconds(self) -> float:
        """User and system time of all threads, of children that live and of those that were waited for."""
        return sum(_cpu_ticks(pid) for pid in _family(self.pid)) / TICKS_A_SECOND

    def resident_bytes(self) -> int:
        """Resident memory of the process and its children."""
        return sum(_resident_pages(pid) for pid in _family(self.pid)) * os.sysconf("SC_PAGE_SIZE")

    def await_rest(self) -> float:
        """Waits until the server does nothing more; the moment (``perf_counter``) at which it last did something."""
        begun = last_moved = time.perf_counter()
        seen = self.cpu_seconds()
        while (now := time.perf_counter()) - last_moved < REST_SECONDS:
            if now - begun > REST_SECONDS_MAX:
                raise RuntimeError("the server does not come to rest")
            time.sleep(LOOK_SECONDS)
            cpu = self.cpu_seconds()
            if cpu - seen > 1.5 / TICKS_A_SECOND:
                seen, last_moved = cpu, time.perf_counter()
        return last_moved

    def stop(self) -> None:
        """Ask it to end; after a while, end it."""
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGTERM)
            try:
                self.popen.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()


class Elsewhere(Process):
    """A server that the bench did not start: what it costs cannot be seen, and it is not ended."""

    def __init__(self) -> None:
        """Nothing is known of it."""

    def cpu_seconds(self) -> float:
        """Unknown."""
        return 0.0

    def resident_bytes(self) -> int:
        """Unknown."""
        return 0

    def await_rest(self) -> float:
        """Whether it rests is unknown: now."""
        return time.perf_counter()

    def stop(self) -> None:
        """It goes on."""


@contextmanager
def started(
    command: Sequence[str | Path], folder: Path, port: int | None, environment: Mapping[str, str]
) -> Iterator[Process]:
    """Runs until the block ends. With a ``port``: the block begins when it takes connections. Output to a log file."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "output.log"
    with log.open("wb") as output:
        popen = subprocess.Popen(
            [*map(str, command)],
            stdout=output,
            stderr=output,
            cwd=folder,
            env={**os.environ, **environment},
            preexec_fn=die_with(os.getpid()),
        )
    process = Process(popen, log)
    try:
        if port is not None:
            _await_port(process, port)
        yield process
    finally:
        process.stop()


def die_with(parent: int) -> Callable[[], None]:
    """For ``preexec_fn``: the child is killed when the thread that starts it ends, or has ended already."""

    def prepare() -> None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)

    return prepare


def free_port() -> int:
    """A port of 127.0.0.1 for a server that is told one: nobody has it now, no connection is given it meanwhile, and
    other processes that ask begin elsewhere."""
    for number in _numbers:
        port = FIRST_PORT + number % PORTS_COUNT
        with socket.socket() as chosen, suppress(OSError):
            chosen.bind(("127.0.0.1", port))
            return port
    raise AssertionError("numbers do not end")


def await_line(process: Process, start: str) -> str:
    """The first line of its output that begins so. Raises RuntimeError when it ends or takes too long."""
    deadline = time.perf_counter() + START_SECONDS_MAX
    while time.perf_counter() < deadline and process.popen.poll() is None:
        for line in process.log.read_text("utf-8", "replace").splitlines(keepends=True):
            if line.startswith(start) and line.endswith("\n"):
                return line.strip()
        time.sleep(0.005)
    raise RuntimeError(f"a server did not start; see {process.log}")


def _await_port(process: Process, port: int) -> None:
    deadline = time.perf_counter() + START_SECONDS_MAX
    while time.perf_counter() < deadline and process.popen.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.005)
    raise RuntimeError(f"a server did not open its port; see {process.log}")


def _family(pid: int) -> list[int]:
    found = [pid]
    for one in found:
        try:
            tasks = list(Path(f"/proc/{one}/task").iterdir())
            found += [int(child) for task in tasks for child in (task / "children").read_text().split()]
        except OSError:
            continue
    return found


def _cpu_ticks(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return 0
    return sum(map(int, fields[11:15]))  # utime, stime, and those of children that were waited for


def _resident_pages(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_bytes().split()[1])
    except OSError:
        return 0
