"""Dates, times and both as numbers that can be compared (PS3.5 6.2: DA, TM, DT). Pure.

DA: yyyymmdd. TM: hhmmssffffff. DT, and a date with its time: microseconds since 0000-03-01, of the digits as they
stand, or, where a zone is asked for, of Universal Time. What a value does not say is its earliest: ``08`` is 08:00.
"""

import re
import zlib
from typing import Final, Literal

Kind = Literal["DA", "TM", "DT"]

DAY_US: Final = 86_400 * 10**6
MINUTE_US: Final = 60 * 10**6
ZONE_MINUTES_MAX: Final = 14 * 60  # PS3.5: -1200 to +1400

_MOMENT: Final = re.compile(
    r"(\d{4})(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:\.(\d{1,6}))?)?)?)?)?)?([+-]\d{4})?", re.ASCII
)
_ZONE: Final = re.compile(r"([+-])(\d\d)(\d\d)", re.ASCII)


def date_number(text: str) -> int | None:
    """A DA value as yyyymmdd."""
    digits = text.strip().replace(".", "")
    return int(digits) if len(digits) == 8 and digits.isascii() and digits.isdigit() else None


def time_number(text: str, fill: str = "0") -> int | None:
    """A TM value as hhmmssffffff; what is not said is filled with zeros, or by ``fill`` for the end of its span."""
    digits, _, fraction = text.strip().replace(":", "").partition(".")
    if not (digits + fraction).isascii() or not (digits + fraction).isdigit() or len(digits) not in (2, 4, 6):
        return None
    tail = "5959" if fill == "9" else "0000"
    return int((digits + tail[len(digits) - 2 :]) + (fraction[:6]).ljust(6, fill))


def moment_number(text: str, zone: int | None = None, home: int | None = None, *, latest: bool = False) -> int | None:
    """A DT value in microseconds; ``latest``: the end of its span.

    With a ``zone`` (minutes east of Greenwich) it is the moment itself: by the value's own offset, else by that of its
    data set (``home``), else by the one asked for.
    """
    match = _MOMENT.fullmatch(text.strip())
    if match is None:
        return None
    parts, offset = match.groups()[:7], match.group(8)
    if latest:
        clock = tuple(part or end for part, end in zip(parts[3:6], ("23", "59", "59"), strict=True))
        fraction = (parts[6] or "").ljust(6, "9")
        year, month = int(parts[0]), int(parts[1] or 12)
        day = int(parts[2]) if parts[2] else _days_in(year, month)
    else:
        clock = tuple(part or "00" for part in parts[3:6])
        fraction = (parts[6] or "").ljust(6, "0")
        year, month, day = int(parts[0]), int(parts[1] or 1), int(parts[2] or 1)
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    return _joined(year, month, day, clock, fraction) - _shift_us(offset, zone, home)


def joined_number(day: int, clock: int, zone: int | None = None, home: int | None = None) -> int | None:
    """A date and a time as ``moment_number`` has them both."""
    year, month, of_month = day // 10**4, day // 100 % 100, day % 100
    if not (1 <= month <= 12 and 1 <= of_month <= 31):
        return None
    digits = f"{clock:012d}"
    own = _joined(year, month, of_month, (digits[:2], digits[2:4], digits[4:6]), digits[6:])
    return own - _shift_us(None, zone, home)


def date_of(moment_us: int) -> int:
    """The day of a moment, as yyyymmdd."""
    days = moment_us // DAY_US
    era, of_era = divmod(days, 146_097)
    year_of_era = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month_from_march = (5 * of_year + 2) // 153
    day = of_year - (153 * month_from_march + 2) // 5 + 1
    month = month_from_march + 3 if month_from_march < 10 else month_from_march - 9
    year = year_of_era + 400 * era + (month <= 2)
    return year * 10**4 + month * 100 + day


def zone_minutes(text: str) -> int | None:
    """Timezone Offset From UTC (0008,0201), ``+0100``, in minutes east of Greenwich."""
    match = _ZONE.fullmatch(text.strip())
    if match is None:
        return None
    sign, hours, minutes = match.groups()
    offset = int(hours) * 60 + int(minutes)
    return None if offset > ZONE_MINUTES_MAX or int(minutes) > 59 else -offset if sign == "-" else offset


def number_of(kind: Kind, text: str, zone: int | None = None, home: int | None = None) -> int | None:
    """A value as a range of its kind compares it."""
    if kind == "DA":
        return date_number(text)
    return time_number(text) if kind == "TM" else moment_number(text, zone, home)


def coarse(path: str, kind: Kind, number: int) -> int:
    """Where a value stands in the one field that all dates and times share: 64 bits, by attribute, then by size.

    Two attributes may share a place, and seconds and less are left out: what is found there is looked at.
    """
    size = number if kind == "DA" else number // 10**6 if kind == "TM" else number // MINUTE_US
    return zlib.crc32(f"{kind}{path}".encode()) << 32 | max(0, min(size, 0xFFFFFFFF))


def _joined(year: int, month: int, day: int, clock: tuple[str, ...], fraction: str) -> int:
    hours, minutes, seconds = map(int, clock)
    return ((hours * 60 + minutes) * 60 + seconds) * 10**6 + int(fraction) + _days(year, month, day) * DAY_US


def _days(year: int, month: int, day: int) -> int:
    """Days since 0000-03-01 of the Gregorian calendar."""
    year -= month <= 2
    era, of_era = divmod(year, 400)
    of_year = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year


def _days_in(year: int, month: int) -> int:
    following = (year, month + 1) if month < 12 else (year + 1, 1)
    return _days(*following, 1) - _days(year, month, 1)


def _shift_us(offset: str | None, zone: int | None, home: int | None) -> int:
    if zone is None:
        return 0
    own = zone_minutes(offset) if offset else None
    minutes = own if own is not None else home if home is not None else zone
    return minutes * MINUTE_US
