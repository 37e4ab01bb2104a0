"""Two servers in one run, in the order A B B A: a quiet or a noisy minute then meets both."""

import statistics
from collections.abc import Callable, Mapping

from msgspec import Struct

Figures = Mapping[str, float]  # figure's name, its unit last: what one measurement gave
Measure = Callable[[], Figures]


class Comparison(Struct, frozen=True):
    """One figure of both sides: medians, and our value through theirs of each pair (median, least, most)."""

    ours: float
    theirs: float
    ratio: float
    ratio_least: float
    ratio_most: float
    pairs: int
    ours_samples: list[float]
    theirs_samples: list[float]


def compare(ours: Measure, theirs: Measure, rounds: int) -> dict[str, Comparison]:
    """``rounds`` times A B B A: twice as many pairs. What a measurement raises ends it: no rate on a wrong answer."""
    pairs: list[tuple[Figures, Figures]] = []
    for _ in range(rounds):
        first, second = ours(), theirs()
        third, fourth = theirs(), ours()
        pairs += [(first, second), (fourth, third)]
    return {name: _compared([(us[name], them[name]) for us, them in pairs]) for name in pairs[0][0]}


def _compared(values: list[tuple[float, float]]) -> Comparison:
    ratios = [us / them if them else float("inf") for us, them in values]
    return Comparison(
        statistics.median([us for us, _ in values]),
        statistics.median([them for _, them in values]),
        statistics.median(ratios),
        min(ratios),
        max(ratios),
        len(values),
        [us for us, _ in values],
        [them for _, them in values],
    )
