"""The order of a run, its ratios, and that a wrong answer ends it without a rate."""

import pytest

from bench.pairs import compare


def test_order_is_a_b_b_a_and_ratios_are_of_neighbours() -> None:
    order: list[str] = []
    ours = iter([{"rate": 10.0}, {"rate": 40.0}])
    theirs = iter([{"rate": 5.0}, {"rate": 10.0}])

    def measure_ours() -> dict[str, float]:
        order.append("ours")
        return next(ours)

    def measure_theirs() -> dict[str, float]:
        order.append("theirs")
        return next(theirs)

    found = compare(measure_ours, measure_theirs, rounds=1)["rate"]
    assert order == ["ours", "theirs", "theirs", "ours"]
    assert (found.ours, found.theirs, found.pairs) == (25.0, 7.5, 2)
    assert (found.ratio_least, found.ratio, found.ratio_most) == (2.0, 3.0, 4.0)


def test_a_wrong_answer_gives_no_rate() -> None:
    def wrong() -> dict[str, float]:
        raise RuntimeError("no rate: 3 of 4 answered")

    with pytest.raises(RuntimeError, match="3 of 4"):
        compare(lambda: {"rate": 1.0}, wrong, rounds=1)
