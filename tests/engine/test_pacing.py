"""The spill comes behind the senders: not while they send, and never for long."""

from pathlib import Path

import msgspec
import pytest

from bench.data import Shape, files
from engine.clock import ManualClock
from engine.house import House
from engine.limits import LIMITS, MIB
from engine.model import Origin
from engine.pacing import Pace
from engine.settings import StoreSettings
from engine.store import append

PATIENT = msgspec.structs.replace(LIMITS, spill_pause_seconds=600.0, spill_rest_seconds_max=600.0)
PAUSE, REST = LIMITS.spill_pause_seconds, LIMITS.spill_rest_seconds_max


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def test_it_is_due_when_senders_pause(clock: ManualClock) -> None:
    pace = Pace(clock, MIB)
    pace.came(1, 10)
    assert pace.seconds_left(1) == pytest.approx(PAUSE)
    clock.advance(PAUSE / 2)
    assert pace.seconds_left(2) == pytest.approx(PAUSE)  # another was written
    clock.advance(PAUSE * 1.01)
    assert pace.seconds_left(2) == 0


def test_it_is_due_when_something_has_waited_long_however_busy_senders_are(clock: ManualClock) -> None:
    pace = Pace(clock, MIB)
    pace.came(1, 10)
    for lsn in range(1, 1000):
        if not pace.seconds_left(lsn):
            break
        clock.advance(PAUSE / 4)
    assert REST <= clock.monotonic() < REST + PAUSE


@pytest.mark.parametrize(("count", "size_bytes"), [(LIMITS.spill_rest_count_max, 1), (1, MIB)])
def test_it_is_due_when_much_waits_and_then_until_none_does(clock: ManualClock, count: int, size_bytes: int) -> None:
    pace = Pace(clock, MIB)
    pace.came(1, 0)
    assert pace.seconds_left(1) > 0
    pace.came(count, size_bytes)
    assert pace.seconds_left(2) == 0
    pace.went(count, size_bytes)
    assert pace.seconds_left(3) == 0  # one is left
    pace.went(1, 0)
    pace.came(1, 0)
    assert pace.seconds_left(4) > 0


def test_it_is_due_when_somebody_waits(clock: ManualClock) -> None:
    pace = Pace(clock, MIB)
    pace.hurry()
    pace.came(1, 10)
    assert pace.seconds_left(1) > 0  # the hurry was about what came before
    pace.hurry()
    assert pace.seconds_left(2) == 0


def test_it_never_rests_where_the_spill_is_what_acknowledges(clock: ManualClock) -> None:
    pace = Pace(clock, 0)
    pace.came(1, 10)
    assert pace.seconds_left(1) == 0


def test_a_burst_is_found_at_once_and_spilled_when_somebody_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a pause that does not come, what was acknowledged is found all the same, and is in the intake alone."""
    monkeypatch.setattr("engine.pacing.LIMITS", PATIENT)
    house = House(StoreSettings(url=str(tmp_path / "archive")))
    sent = list(files(Shape(studies=1, series=1, instances=5, rows=16)))
    for one in sent:
        house.intake.wait(append(house, one.data, Origin(how="dimse")))
    assert house.view().counts() == (1, 1, 5)
    assert house.intake.spilled_lsn == 0 and house.intake.unspilled()[1] == 5
    house.catch_up()
    assert house.intake.spilled_lsn == 5
    house.close()
