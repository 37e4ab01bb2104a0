"""Rows of what was measured: each target's samples in short, ours beside the best of the others, the paper's value."""

from collections.abc import Sequence

from msgspec import Struct

from bench.paper import Published, published
from bench.report import figure
from bench.results import Measurement, Results, is_more_better
from bench.statistics import SAMPLES_LEAST, Interval, Summary, median, median_interval, pair_ratios, summary

LATE = "responses later than 2 s"
NOT_BESIDE = frozenset({"%", "% gain", "count"})  # shares and counts: a ratio of them says nothing


class Beside(Struct, frozen=True):
    """The first target through another: how many times better it is (above 1), by the pairs of the rounds; with one
    round, of the medians alone. ``interval`` None: too few pairs for a verdict."""

    other: str
    times: float
    least: float
    most: float
    pairs: int
    interval: Interval | None

    @property
    def verdict(self) -> str:
        """Only where they part."""
        if self.interval is None or self.interval.low <= 1 <= self.interval.high:
            return ""
        return "better" if self.times > 1 else "worse"


class Row(Struct, frozen=True):
    """One quantity of one case. ``beside``: against the best of the others."""

    suite: str
    case: str
    quantity: str
    unit: str
    summaries: dict[str, Summary]
    beside: Beside | None
    published: Published | None


def rows(results: Results, suite: str = "") -> list[Row]:
    """In the order in which they were measured; of one suite, or of all."""
    grouped: dict[tuple[str, str, str, str], list[Measurement]] = {}
    for one in results.measurements:
        if one.samples and suite in ("", one.suite):
            grouped.setdefault(one.row, []).append(one)
    first = results.targets()[0] if results.measurements else ""
    return [_row(taken, first) for taken in grouped.values()]


def behind(results: Results) -> list[Row]:
    """Rows in which the first target is not as good as the best of the others: they are said, and not looked for."""
    return [row for row in rows(results) if row.beside is not None and row.beside.times < 1]


def late(results: Results, target: str) -> int:
    """Responses of the replay that came later than they may (paper 4.1)."""
    taken = [one for one in results.measurements if one.target == target and one.quantity == LATE]
    return round(sum(sum(one.samples) for one in taken))


def table(results: Results, suite: str) -> list[str]:
    """Lines of text of one suite: a heading, its rows, what was not measured."""
    found = rows(results, suite)
    names = list(dict.fromkeys(name for row in found for name in row.summaries))
    head = f"  {'':<44}{'':>5}" + "".join(f" {name[:22]:>22}" for name in names)
    lines = [head] if found else []
    for row in found:
        cells = "".join(f" {cell(row.summaries.get(name)):>22}" for name in names)
        lines.append(f"  {f'{row.case}: {row.quantity}'[:44]:<44}{row.unit:>5}{cells}  {remark(row)}".rstrip())
    return lines


def cell(one: Summary | None) -> str:
    """Median, quartiles and count."""
    if one is None:
        return "-"
    if one.count == 1:
        return figure(one.median)
    return f"{figure(one.median)} [{figure(one.lower_quartile)}-{figure(one.upper_quartile)}] {one.count}"


def remark(row: Row) -> str:
    """Beside the best of the others, and the paper's value."""
    said = [beside(row.beside)] if row.beside else []
    return "; ".join([*said, *([f"paper {row.published.text}"] if row.published else [])])


def beside(one: Beside) -> str:
    """``1.9x orthanc [1.7-2.2]``: the range of the pairs, or their interval when there are enough for one."""
    span = ""
    if one.interval is not None:
        span = f" [{one.interval.low:.2f}-{one.interval.high:.2f}]"
    elif one.pairs > 1:
        span = f" ({one.least:.2f}-{one.most:.2f} of {one.pairs} pairs)"
    return f"{one.times:.2f}x {one.other}{span} {one.verdict}".rstrip()


def _row(taken: Sequence[Measurement], first: str) -> Row:
    suite, case, quantity, unit = taken[0].row
    ours = next((one for one in taken if one.target == first), None)
    others = [one for one in taken if one.target != first]
    summaries = {one.target: summary(one.samples) for one in taken}
    return Row(
        suite,
        case,
        quantity,
        unit,
        summaries,
        _beside(ours, others, unit) if ours is not None and others and unit not in NOT_BESIDE else None,
        published(suite, case, quantity),
    )


def _beside(ours: Measurement, others: Sequence[Measurement], unit: str) -> Beside | None:
    is_more = is_more_better(unit)
    best = (max if is_more else min)(others, key=lambda one: median(one.samples))
    if min(map(median, [*ours.rounds, *best.rounds])) <= 0:  # less than a tick of the clock: nothing to divide
        return None
    ratios = pair_ratios(ours.rounds, best.rounds) if is_more else pair_ratios(best.rounds, ours.rounds)
    interval = median_interval(ratios) if len(ratios) >= SAMPLES_LEAST else None
    return Beside(best.target, median(ratios), min(ratios), max(ratios), len(ratios), interval)
