"""The door for time and chance."""

from engine.clock import Clock, Identifiers, ManualClock, SeededIdentifiers


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
