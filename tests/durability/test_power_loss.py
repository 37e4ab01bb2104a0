"""Power losses: a recorded life of the archive, cut at seeded moments; what was not synced is dropped, kept or torn."""

import random
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest

from tests.durability import trials
from tests.durability.scale import many

MOMENTS = 12


def lose_power(
    folder: Path, seed: int, count: int, record: Callable[[Path, int], trials.Recording] = trials.record
) -> list[str]:
    recording = record(folder, seed)
    problems = trials.complete(recording, folder / "complete")
    moments = trials.moments(recording, random.Random(f"moments {seed}"))
    for number, (at, survival, fate) in enumerate(islice(moments, count)):
        problems += trials.lose_power(recording, folder / f"dark-{number}", at, survival, fate)
    return problems


@pytest.mark.parametrize("seed", range(5))
def test_what_was_acknowledged_survives_power_loss(seed: int, tmp_path: Path) -> None:
    assert lose_power(tmp_path, seed, MOMENTS) == []


@pytest.mark.parametrize("seed", range(3))
def test_what_was_acknowledged_survives_power_loss_after_a_crash(seed: int, tmp_path: Path) -> None:
    assert lose_power(tmp_path, seed, MOMENTS, trials.record_after_crash) == []


@pytest.mark.parametrize("seed", range(3))
def test_what_was_answered_over_the_web_survives_power_loss(seed: int, tmp_path: Path) -> None:
    assert lose_power(tmp_path, seed, MOMENTS, trials.record_stowed) == []


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(100, 100 + many(50)))
def test_what_was_answered_over_the_web_survives_power_loss_for_long(seed: int, tmp_path: Path) -> None:
    assert lose_power(tmp_path, seed, 60, trials.record_stowed) == []


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(100, 100 + many(50)))
def test_what_was_acknowledged_survives_power_loss_after_a_crash_for_long(seed: int, tmp_path: Path) -> None:
    assert lose_power(tmp_path, seed, 60, trials.record_after_crash) == []


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(100, 100 + many(100)))
def test_what_was_acknowledged_survives_power_loss_for_long(seed: int, tmp_path: Path) -> None:
    assert lose_power(tmp_path, seed, 100) == []
