"""Statistics of samples: quantiles, bootstrap intervals of medians and of their ratios, slopes. None is ever dropped.

The bootstrap (Efron 1979) draws as many samples as there are, with replacement, again and again, and looks at the
median of each draw. Those medians are drawn here in one step each: the k-th least of n equally likely draws stands at
the place of the k-th least of n uniform numbers, and that is a beta variate.
"""

import random
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import combinations

from msgspec import Struct

RESAMPLES = 4000
CONFIDENCE = 0.95
# Fewer samples give intervals that are much too narrow: then there is no verdict.
SAMPLES_LEAST = 5
SLOPE_PAIRS_MAX = 20_000


class Interval(Struct, frozen=True):
    """Where a value lies with 95 % confidence."""

    low: float
    high: float


class Summary(Struct, frozen=True, kw_only=True):
    """What a row says of its samples. ``interval``: of the median; None with too few samples."""

    count: int
    median: float
    mean: float
    deviation: float  # of the samples, n - 1 in the denominator; 0 of one
    least: float
    lower_quartile: float
    upper_quartile: float
    p95: float
    most: float
    interval: Interval | None


def quantile(samples: Sequence[float], share: float) -> float:
    """The value below which a share of the samples lies, between two of them in proportion (Hyndman and Fan's 7)."""
    ordered = sorted(samples)
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def median(samples: Sequence[float]) -> float:
    """The middle one, or halfway between the middle two."""
    return quantile(samples, 0.5)


def summary(samples: Sequence[float]) -> Summary:
    """All that a row says. ValueError without samples."""
    if not samples:
        raise ValueError("no samples")
    mean = sum(samples) / len(samples)
    squares = sum((sample - mean) ** 2 for sample in samples)
    return Summary(
        count=len(samples),
        median=median(samples),
        mean=mean,
        deviation=(squares / (len(samples) - 1)) ** 0.5 if len(samples) > 1 else 0.0,
        least=min(samples),
        lower_quartile=quantile(samples, 0.25),
        upper_quartile=quantile(samples, 0.75),
        p95=quantile(samples, 0.95),
        most=max(samples),
        interval=median_interval(samples),
    )


def median_interval(samples: Sequence[float]) -> Interval | None:
    """Bootstrap interval of the median; None with fewer than ``SAMPLES_LEAST``."""
    return _median_interval(tuple(samples)) if len(samples) >= SAMPLES_LEAST else None


@lru_cache(maxsize=4096)  # table, CSV, figures and page ask for the same
def _median_interval(samples: tuple[float, ...]) -> Interval:
    draw = _median_drawer(samples, random.Random(len(samples)))
    return _interval([draw() for _ in range(RESAMPLES)])


def ratio_interval(first: Sequence[float], second: Sequence[float]) -> Interval | None:
    """Bootstrap interval of the first's median through the second's: samples of two runs that do not pair."""
    if min(len(first), len(second)) < SAMPLES_LEAST:
        return None
    chance = random.Random(len(first) + len(second))
    draw_first, draw_second = _median_drawer(first, chance), _median_drawer(second, chance)
    return _interval([ratio(draw_first(), draw_second()) for _ in range(RESAMPLES)])


def pair_ratios(first: Sequence[Sequence[float]], second: Sequence[Sequence[float]]) -> list[float]:
    """Round by round, the first's median through the second's: what the hour did to both cancels."""
    return [ratio(median(one), median(other)) for one, other in zip(first, second, strict=False) if one and other]


def slope(places: Sequence[float], values: Sequence[float]) -> float:
    """How much values rise for each unit of place: the median of the slopes between any two points (Theil and Sen)."""
    points = list(zip(places, values, strict=True))
    pairs = list(combinations(range(len(points)), 2))
    if len(pairs) > SLOPE_PAIRS_MAX:
        pairs = random.Random(len(points)).sample(pairs, SLOPE_PAIRS_MAX)
    slopes = [
        (points[right][1] - points[left][1]) / (points[right][0] - points[left][0])
        for left, right in pairs
        if points[right][0] != points[left][0]
    ]
    if not slopes:
        raise ValueError("a slope needs two places")
    return median(slopes)


def ratio(value: float, through: float) -> float:
    """One through the other; 1 of nothing through nothing."""
    return value / through if through else float("inf") if value else 1.0


def _interval(drawn: Sequence[float]) -> Interval:
    return Interval(quantile(drawn, (1 - CONFIDENCE) / 2), quantile(drawn, (1 + CONFIDENCE) / 2))


def _median_drawer(samples: Sequence[float], chance: random.Random) -> Callable[[], float]:
    """Gives the median of one resample after another, each with the chance it has when all n are drawn one by one."""
    ordered, count = sorted(samples), len(samples)
    lower = (count + 1) // 2  # the place of the median, counted from 1, or of the lower of the middle two

    def draw() -> float:
        below = chance.betavariate(lower, count - lower + 1)
        low = ordered[min(int(below * count), count - 1)]
        if count % 2:
            return low
        above = below + (1 - below) * (1 - chance.random() ** (1 / (count - lower)))
        return (low + ordered[min(int(above * count), count - 1)]) / 2

    return draw
