"""The one door for time and chance: take a ``Clock`` or ``Identifiers`` as argument, never ask the system elsewhere."""

import secrets
import time
from datetime import UTC, datetime, timedelta


class Clock:
    """The machine's clocks."""

    def now_us(self) -> int:
        """Microseconds since 1970-01-01 UTC. May jump when the machine's clock is set."""
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        """Seconds since some moment in the past; never goes back."""
        return time.monotonic()


def utc_text(moment_us: int) -> str:
    """A moment to the second, as ISO 8601 writes it in UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment_us // 1_000_000))


class ManualClock(Clock):
    """A clock that moves only when told, for tests."""

    def __init__(self, now_us: int = 1_700_000_000_000_000) -> None:
        self._now_us = now_us
        self._elapsed_us = 0

    def now_us(self) -> int:
        return self._now_us

    def monotonic(self) -> float:
        return self._elapsed_us / 1e6

    def advance(self, seconds: float) -> None:
        """Lets time pass on both clocks."""
        self._now_us += int(seconds * 1e6)
        self._elapsed_us += int(seconds * 1e6)

    def set_now_us(self, now_us: int) -> None:
        """Sets the wall clock, backwards too, as an administrator or NTP would."""
        self._now_us = now_us


class Identifiers:
    """Names that nobody else has: writers, nonces, temporary files."""

    def random_id(self) -> str:
        """16 lower-case hex digits (64 random bits)."""
        return secrets.token_hex(8)

    def secret(self) -> str:
        """43 letters, digits, ``-`` and ``_`` (256 random bits): what nobody guesses."""
        return secrets.token_urlsafe(32)


class SeededIdentifiers(Identifiers):
    """The same names in every run, for tests."""

    def __init__(self, seed: int = 1) -> None:
        self._next = seed << 32

    def random_id(self) -> str:
        self._next += 1
        return f"{self._next:016x}"

    def secret(self) -> str:
        return f"{self.random_id():0>43}"


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def text_of_moment(moment_us: int) -> str:
    """A moment to the microsecond, as ISO 8601 writes it in UTC. Raises ValueError beyond the year 9999."""
    try:
        moment = _EPOCH + timedelta(microseconds=moment_us)
    except OverflowError as error:
        raise ValueError("no calendar has this moment") from error
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def moment_of_text(text: str) -> int:
    """Microseconds since 1970-01-01 UTC of an ISO 8601 date-time with its zone. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time without a zone is many moments")
    try:
        moment_us = (moment - _EPOCH) // timedelta(microseconds=1)
    except OverflowError as error:
        raise ValueError("no moment of this calendar") from error
    if moment_us < 0:
        raise ValueError("before 1970")
    return moment_us
