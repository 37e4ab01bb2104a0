"""Statistics on samples whose answers are known, and the quick bootstrap against the slow, plain one."""

import random
import statistics as plain

import pytest

from bench import statistics

SKEWED = [1.0, 1.1, 1.2, 1.3, 1.5, 1.8, 2.4, 3.9, 9.0]


def test_quantiles_are_those_of_the_textbook() -> None:
    assert statistics.median([3, 1, 2]) == 2
    assert statistics.median([4, 1, 3, 2]) == 2.5
    assert statistics.quantile([10, 20, 30, 40, 50], 0.25) == 20
    assert statistics.quantile([10, 20], 0.75) == 17.5
    for share, cut in zip((0.25, 0.5, 0.75), plain.quantiles(SKEWED, n=4, method="inclusive"), strict=True):
        assert statistics.quantile(SKEWED, share) == pytest.approx(cut)


def test_a_summary_drops_no_outlier() -> None:
    found = statistics.summary([*SKEWED, 1000.0])
    assert (found.count, found.least, found.most) == (10, 1.0, 1000.0)
    assert found.mean == pytest.approx(plain.mean([*SKEWED, 1000.0]))
    assert found.deviation == pytest.approx(plain.stdev([*SKEWED, 1000.0]))
    with pytest.raises(ValueError, match="no samples"):
        statistics.summary([])


@pytest.mark.parametrize("samples", [SKEWED, [*SKEWED, 12.0]], ids=["odd", "even"])
def test_medians_are_drawn_as_if_all_samples_were(samples: list[float]) -> None:
    chance = random.Random(1)
    slow = [plain.median(chance.choices(samples, k=len(samples))) for _ in range(20_000)]
    draw = statistics._median_drawer(samples, random.Random(2))
    quick = [draw() for _ in range(20_000)]
    for share in (0.025, 0.25, 0.5, 0.75, 0.975):
        assert statistics.quantile(quick, share) == pytest.approx(statistics.quantile(slow, share), rel=0.06)
    for value in samples:  # the whole distribution: shares at or below each sample
        both = [sum(one <= value for one in drawn) / len(drawn) for drawn in (quick, slow)]
        assert both[0] == pytest.approx(both[1], abs=0.02)


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    chance, held = random.Random(3), 0
    for _ in range(200):
        found = statistics.median_interval([chance.gauss(100, 10) for _ in range(25)])
        assert found is not None
        held += found.low <= 100 <= found.high
    assert 0.88 <= held / 200 <= 1.0


def test_few_samples_give_no_interval() -> None:
    assert statistics.median_interval([1, 2, 3, 4]) is None
    assert statistics.ratio_interval([1.0] * 5, [1.0] * 4) is None


def test_a_ratio_of_two_runs_parts_only_where_they_do() -> None:
    chance = random.Random(4)
    slow = [chance.gauss(200, 10) for _ in range(30)]
    quick = [chance.gauss(100, 5) for _ in range(30)]
    apart = statistics.ratio_interval(slow, quick)
    assert apart is not None and 1.8 < apart.low < 2.0 < apart.high < 2.2
    same = statistics.ratio_interval(slow, [chance.gauss(200, 10) for _ in range(30)])
    assert same is not None and same.low < 1 < same.high


def test_pairs_are_taken_round_by_round() -> None:
    assert statistics.pair_ratios([[2, 4, 6], [10]], [[2], [5]]) == [2.0, 2.0]
    assert statistics.pair_ratios([[2], [10]], [[2]]) == [1.0]  # a round that one side lacks pairs with nothing
    assert statistics.pair_ratios([[0.0]], [[0.0]]) == [1.0]


def test_a_slope_is_not_moved_by_outliers() -> None:
    places = [float(at) for at in range(300)]
    values = [2 * at + 5 for at in places]
    values[10] = values[200] = 1e9
    assert statistics.slope(places, values) == pytest.approx(2)
    with pytest.raises(ValueError, match="two places"):
        statistics.slope([1.0, 1.0], [1.0, 2.0])
