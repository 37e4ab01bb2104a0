"""Resident memory of a server while it works, looked at again and again."""

import statistics
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from bench.process import Process
from bench.report import Report
from bench.results import Line

LOOK_SECONDS = 0.02
MIB = 1 << 20


class Memory:
    """What was seen, in MiB; with its children, so what processes share counts for each of them."""

    def __init__(self) -> None:
        self.seen_mib: list[float] = []

    @property
    def most_mib(self) -> float:
        return max(self.seen_mib)

    def course(self) -> str:
        """The median of each quarter of the time."""
        ends = [len(self.seen_mib) * number // 4 for number in range(5)]
        quarters = [self.seen_mib[ends[number] : ends[number + 1]] or self.seen_mib for number in range(4)]
        return "quarters " + ", ".join(f"{statistics.median(quarter):.0f}" for quarter in quarters)


@contextmanager
def watched(process: Process) -> Iterator[Memory]:
    """Looks until the block ends."""
    memory, ended = Memory(), threading.Event()
    memory.seen_mib.append(process.resident_bytes() / MIB)

    def look() -> None:
        while not ended.wait(LOOK_SECONDS):
            if seen := process.resident_bytes():
                memory.seen_mib.append(seen / MIB)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield memory
    finally:
        ended.set()
        thread.join()


def add_most(report: Report, measure: str, memory: Memory, most_mib: float) -> None:
    """The most that was seen, and how it went."""
    line = Line(
        measure=measure,
        unit="MiB",
        ours=memory.most_mib,
        wanted=f"<= {most_mib:g}",
        meets=memory.most_mib <= most_mib,
        note=f"{memory.course()} of {len(memory.seen_mib)} looks",
    )
    report.add(line)
