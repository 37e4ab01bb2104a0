"""Two runs of the bench beside each other: the first target's rows of both, with a verdict only where they part."""

from collections.abc import Sequence

from msgspec import Struct

from bench.report import figure
from bench.results import Measurement, Results, is_more_better
from bench.statistics import Interval, median, ratio, ratio_interval
from bench.tables import NOT_BESIDE

# Two runs are two hours: what lies closer than this is the machine's, not the server's (docs/benchmarks.md).
MARGIN = 1.1


class Change(Struct, frozen=True):
    """One row of both. ``times``: the second through the first, above 1 is better; ``interval`` None: too few
    samples."""

    name: str
    target: str
    unit: str
    first: float
    second: float
    times: float
    interval: Interval | None

    def verdict(self, margin: float = MARGIN) -> str:
        """``better``, ``worse``, ``same`` (the whole interval within the margin), or nothing: it cannot be said."""
        if self.interval is None:
            return ""
        if self.interval.low > margin:
            return "better"
        if self.interval.high < 1 / margin:
            return "worse"
        return "same" if 1 / margin <= self.interval.low and self.interval.high <= margin else ""


def compare(first: Results, second: Results) -> list[Change]:
    """Rows that both have, of every target that both have, in the order of the first."""
    there = {(one.target, *one.row): one for one in second.measurements if one.samples}
    return [
        _change(one, there[one.target, *one.row])
        for one in first.measurements
        if one.samples and (one.target, *one.row) in there and one.unit not in NOT_BESIDE
    ]


def differences(first: Results, second: Results) -> list[str]:
    """What was not the same in both runs, besides the hour: it is said before the rows."""
    said = []
    for name in ("processor", "processor_count", "memory_bytes", "kernel", "python", "file_system", "peers"):
        one, other = getattr(first.machine_before, name), getattr(second.machine_before, name)
        if one != other:
            said.append(f"machine: {name}: {one} | {other}")
    for name in first.settings.__struct_fields__:
        one, other = getattr(first.settings, name), getattr(second.settings, name)
        if one != other:
            said.append(f"settings: {name}: {one} | {other}")
    if first.servers != second.servers:
        said += [
            f"server {name}: {first.servers.get(name, '-')} | {second.servers.get(name, '-')}"
            for name in {**first.servers, **second.servers}
            if first.servers.get(name) != second.servers.get(name)
        ]
    return said


def lines(changes: Sequence[Change], margin: float = MARGIN) -> list[str]:
    """A table as text."""
    said = []
    for one in changes:
        span = f"[{one.interval.low:.2f}-{one.interval.high:.2f}]" if one.interval else "(too few samples)"
        values = f"{figure(one.first):>9} {figure(one.second):>9} {one.unit:<5}"
        said.append(
            f"{one.target:<12} {one.name[:60]:<60} {values} {one.times:5.2f}x {span} {one.verdict(margin)}".rstrip()
        )
    return said


def _change(first: Measurement, second: Measurement) -> Change:
    one, other = (second.samples, first.samples) if is_more_better(first.unit) else (first.samples, second.samples)
    return Change(
        name=f"{first.suite}, {first.case}: {first.quantity}",
        target=first.target,
        unit=first.unit,
        first=median(first.samples),
        second=median(second.samples),
        times=ratio(median(one), median(other)),
        interval=ratio_interval(one, other),
    )
