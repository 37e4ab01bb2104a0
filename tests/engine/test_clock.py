"""The door for time and chance."""

import pytest

from engine.clock import Clock, Identifiers, ManualClock, SeededIdentifiers, moment_of_text, text_of_moment


def test_manual_clock_moves_only_when_told() -> None:
    clock = ManualClock(now_us=1_000_000)
    assert (clock.now_us(), clock.monotonic()) == (1_000_000, 0.0)
    clock.advance(1.5)
    assert (clock.now_us(), clock.monotonic()) == (2_500_000, 1.5)
    clock.set_now_us(0)
    assert (clock.now_us(), clock.monotonic()) == (0, 1.5)


def test_system_clock_gives_plausible_microseconds() -> None:
    clock = Clock()
    assert clock.now_us() > 1_700_000_000_000_000
    assert clock.monotonic() <= clock.monotonic()


def test_identifiers_differ_and_have_one_shape() -> None:
    for identifiers in (Identifiers(), SeededIdentifiers()):
        names = {identifiers.random_id() for _ in range(100)}
        assert len(names) == 100
        assert all(len(name) == 16 and int(name, 16) >= 0 for name in names)
    assert SeededIdentifiers(7).random_id() == SeededIdentifiers(7).random_id()


def test_moments_are_written_and_read() -> None:
    assert text_of_moment(1_700_000_000_123_456) == "2023-11-14T22:13:20.123456Z"
    for moment_us in (0, 1, 1_700_000_000_123_456, 253_402_300_799_999_999):
        assert moment_of_text(text_of_moment(moment_us)) == moment_us
    assert moment_of_text("2023-11-14T23:13:20+01:00") == moment_of_text("2023-11-14T22:13:20Z")


@pytest.mark.parametrize(
    "text",
    ["", "now", "2023-11-14", "2023-11-14T22:13:20", "1969-12-31T23:59:59Z", "0001-01-01T00:00:00+23:59", "9" * 99],
)
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        moment_of_text(text)


def test_no_calendar_has_every_moment() -> None:
    with pytest.raises(ValueError):
        text_of_moment(1 << 62)
