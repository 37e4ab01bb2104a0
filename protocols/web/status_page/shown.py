"""Values of the archive as people read them. Pure. Escaping is the templates' own (autoescape); here is what HTML does
not see: characters that turn text around or hide in it."""

import re
from collections.abc import Sequence
from typing import Any, Final

SPARK_WIDTH: Final = 200
SPARK_HEIGHT: Final = 24
HIDDEN: Final = "\N{REPLACEMENT CHARACTER}"
# Controls, and those of bidirectional text: what they turn around would not end with the value.
_TRICKY: Final = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_DAY: Final = re.compile(r"([0-9]{4})\.?([0-9]{2})\.?([0-9]{2})")
_UNITS: Final = ("B", "kB", "MB", "GB", "TB", "PB")


def plain(value: object) -> str:
    """Text with whatever is not seen, or turns other text around, made visible."""
    return _TRICKY.sub(HIDDEN, str(value))


def name(value: str) -> str:
    """A person name: ``Doe^Jane^^Dr=...`` is ``Doe, Jane, Dr``; of its groups the first that says something."""
    group = next((one for one in value.split("=") if one.strip("^ ")), "")
    family, *others = (part.strip() for part in group.split("^"))
    return plain(", ".join(part for part in (family, *others) if part))


def other_name(value: str) -> str:
    """The group of another script that follows, if there is one."""
    groups = [one for one in value.split("=") if one.strip("^ ")]
    return name(groups[1]) if len(groups) > 1 else ""


def listed(value: str) -> str:
    """Several values, as a list."""
    return plain(value.replace("\\", ", "))


def day(value: str) -> str:
    """A DICOM date as ISO 8601 writes it; what is none, as it stands."""
    found = _DAY.fullmatch(value)
    return "-".join(found.groups()) if found else plain(value)


def time_of_day(value: str) -> str:
    """A DICOM time to the minute."""
    return f"{value[:2]}:{value[2:4]}" if re.match(r"[0-9]{4}", value) else plain(value)


def moment(value: str | None) -> str:
    """A moment of the REST API, to the second, in UTC."""
    return f"{value[:10]} {value[11:19]} UTC" if value else ""


def count(value: int) -> str:
    """Thousands parted by a narrow space."""
    return f"{value:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def size(value: float) -> str:
    """Bytes in a unit that is easy to read."""
    for unit in _UNITS[:-1]:
        if abs(value) < 999.5:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 99.5 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} {_UNITS[-1]}"


def duration(seconds: float) -> str:
    """The largest unit that counts."""
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{int(seconds // length)} {unit}"
    return f"{int(seconds)} s"


def sparkline(values: Sequence[float]) -> str:
    """The path of a line through these, from left to right within ``SPARK_WIDTH`` x ``SPARK_HEIGHT``; nothing for less
    than two. What does not change is a line in the middle, or at the bottom when it is nothing."""
    if len(values) < 2:
        return ""
    low, high = min(values), max(values)
    step, span = SPARK_WIDTH / (len(values) - 1), high - low
    flat = SPARK_HEIGHT / 2 if high else SPARK_HEIGHT - 2
    points = (
        (at * step, flat if not span else SPARK_HEIGHT - 2 - (value - low) / span * (SPARK_HEIGHT - 4))
        for at, value in enumerate(values)
    )
    return "M" + " L".join(f"{x:.1f} {y:.1f}" for x, y in points)


FILTERS: Final[dict[str, Any]] = {
    one.__name__: one
    for one in (plain, name, other_name, listed, day, time_of_day, moment, count, size, duration, sparkline)
}
