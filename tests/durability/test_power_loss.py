"""Power losses: a recorded life of the archive, cut at seeded moments; what was not synced is dropped, kept or torn."""

import random
from itertools import islice
from pathlib import Path

import pytest

from tests.durability import trials
from tests.durability.scale import many

MOMENTS = 12


def lose_power(folder: Path, seed: int, count: int) -> list[str]:
    recording = trials.record(folder, seed)
    problems = trials.complete(recording, folder / "complete")
    moments = trials.moments(recording, random.Random(f"moments {seed}"))
    for number, (at, survival, fate) in enumerate(islice(moments, count)):
        problems += trials.lose_power(recording, folder / f"dark-{number}", at, survival, fate)
    return problems


@pytest.mark.parametrize("seed", range(5))
def test_what_was_acknowledged_survives_power_loss(seed: int, tmp_path: Path) -> None:
    assert lose_power(tmp_path, seed, MOMENTS) == []


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(100, 100 + many(100)))
def test_what_was_acknowledged_survives_power_loss_for_long(seed: int, tmp_path: Path) -> None:
    assert lose_power(tmp_path, seed, 100) == []
