"""Start to ready, and memory of a node that has nothing to do and nothing stored."""

import statistics

from bench.bench import Bench
from bench.peers import filmroom, orthanc
from bench.results import Line

START_SECONDS_WANTED = 1.0
IDLE_MIB_WANTED = 120


def run(bench: Bench) -> None:
    """Starts on an empty folder, again and again; Orthanc beside it."""
    bench.report.heading("Start and idle memory, empty store")
    for start in (filmroom, orthanc):
        seconds, memory, spent = [], [], []
        for _ in range(starts(bench.rounds)):
            with bench.room("idle") as folder, start(folder) as server:
                bench.report.server(server.name, server.settings)
                server.process.await_rest()
                seconds.append(server.start_seconds)
                memory.append(server.process.resident_bytes() / (1 << 20))
                spent.append(server.process.cpu_seconds())
        is_ours = start is filmroom
        add(bench, f"{start.__name__}: start to ready", "s", seconds, START_SECONDS_WANTED if is_ours else None)
        add(bench, f"{start.__name__}: CPU until it rests", "s", spent, None)
        add(bench, f"{start.__name__}: resident at rest", "MiB", memory, IDLE_MIB_WANTED if is_ours else None)


def starts(rounds: int) -> int:
    """How often each starts."""
    return 2 * rounds + 1


def add(bench: Bench, measure: str, unit: str, values: list[float], most: float | None) -> None:
    value = statistics.median(values)
    bench.report.add(
        Line(
            measure=measure,
            unit=unit,
            ours=value,
            wanted="" if most is None else f"<= {most:g}",
            meets=None if most is None else value <= most,
            note=f"{min(values):.3g}..{max(values):.3g} of {len(values)}",
        )
    )
