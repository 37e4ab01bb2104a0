"""A stand: all targets at once, each holding the same generated data, and where C-MOVE goes. One works at a time."""

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec

from bench import catching, lean
from bench.asking import check_kept
from bench.bench import Bench, shares
from bench.content import Truth
from bench.data import File
from bench.peers import ROOT, Destinations, Server
from bench.process import Process, await_line, started
from bench.report import Report
from bench.results import LOAD_SECONDS_MAX
from bench.targets import Start

SINKS = 16
LOAD_BYTES = 128 << 20  # that are made at a time, and sent to each target in turn


class Sinks:
    """Where C-MOVE sends to: WS1, WS2, ... on ports of one process that hashes what comes."""

    def __init__(self, process: Process, control_port: int, ports: Sequence[int]) -> None:
        self.process = process
        self._control_port = control_port
        self.destinations: Destinations = {f"WS{number}": port for number, port in enumerate(ports, 1)}
        self.first = next(iter(self.destinations))

    def taken(self) -> catching.Taken:
        """What has come since the last time."""
        return catching.take(self._control_port)


class Stand:
    """Targets that are loaded; one that could not be is left out."""

    def __init__(
        self, report: Report, servers: Sequence[Server], sinks: Sinks, load_seconds_max: float = LOAD_SECONDS_MAX
    ) -> None:
        self.report = report
        self._load_seconds_max = load_seconds_max
        self._loaded_seconds: dict[str, float] = {}
        self.servers = list(servers)
        self.sinks = sinks
        self.truth = Truth()

    def load(self, files: Iterable[Sequence[File]]) -> None:
        """Store pieces (a study, a series) in every target. What is not found again takes the target off the stand, and
        so does a target that takes too long: some read their whole index for each store."""
        gathered: list[File] = []
        for piece in files:
            gathered += piece
            if sum(len(file.data) for file in gathered) >= LOAD_BYTES:
                self._load(gathered)
                gathered = []
        self._load(gathered)
        for server in self.servers:
            server.process.await_rest()

    def _load(self, files: Sequence[File]) -> None:
        self.truth.add(files)
        for server in list(self.servers):
            self.report.show(f"loading {server.name}: {len(self.truth.places)} instances")
            begun = time.perf_counter()
            try:
                lean.store(server.target, [one for one in shares(list(files), server.senders) if one])
                check_kept(server.target, files)
            except (RuntimeError, OSError) as failure:
                self.drop(server, "loading", str(failure))
            spent = self._loaded_seconds.get(server.name, 0.0) + time.perf_counter() - begun
            self._loaded_seconds[server.name] = spent
            if spent > self._load_seconds_max and server in self.servers:
                reason = f"no figure: it took {spent:.0f} s for {len(self.truth.places)} instances and more are to come"
                self.drop(server, "loading", f"{reason} (--load-seconds {self._load_seconds_max:g})")

    def drop(self, server: Server, case: str, reason: str) -> None:
        """Its figures would be of other data."""
        self.report.refused(case, server.name, reason)
        self.servers = [other for other in self.servers if other.name != server.name]

    def speaking_web(self) -> list[Server]:
        """Those that speak DICOMweb; of the others it is said that they do not."""
        for server in self.servers:
            if server.web is None:
                self.report.refused("", server.name, "it does not speak DICOMweb", is_error=False)
        return [server for server in self.servers if server.web is not None]


@contextmanager
def sinking(folder: Path, first_port: int = 0, only: str = "") -> Iterator[Sinks]:
    """The process of the sinks. ``first_port``: the first of 16 that follow each other; 0: free ones. ``only``: the one
    transfer syntax that they take; empty: any."""
    ports = [first_port + number if first_port else 0 for number in range(SINKS)]
    command = [sys.executable, "-m", "bench", "catch", f"--only={only}", *map(str, ports)]
    with started(command, folder, None, {"PYTHONPATH": str(ROOT)}) as process:
        control, *given = (int(word) for word in await_line(process, "ready ").split()[1:])
        yield Sinks(process, control, given)


@contextmanager
def standing(bench: Bench, starts: dict[str, Start]) -> Iterator[Stand]:
    """Starts the sinks and every target. RuntimeError when one does not start."""
    with ExitStack() as running:
        folder = running.enter_context(bench.room("stand"))
        sinks = running.enter_context(sinking(folder / "sinks", bench.settings.sink_port))
        servers = [
            msgspec.structs.replace(running.enter_context(start(folder / name, sinks.destinations)), name=name)
            for name, start in starts.items()
        ]
        for server in servers:
            bench.report.server(server.name, server.settings)
        yield Stand(bench.report, servers, sinks, bench.settings.load_seconds)
