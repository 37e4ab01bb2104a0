"""kill -9 at seeded moments, three times in a row, in recovery as well: facts 1-5 hold."""

from pathlib import Path

import pytest

from tests.durability import trials
from tests.durability.scale import many


@pytest.mark.parametrize("seed", range(20))
def test_what_was_acknowledged_survives_kill_9(seed: int, tmp_path: Path) -> None:
    assert trials.kill(tmp_path / "store", seed) == []


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(100, 100 + many(500)))
def test_what_was_acknowledged_survives_kill_9_for_long(seed: int, tmp_path: Path) -> None:
    assert trials.kill(tmp_path / "store", seed) == []
