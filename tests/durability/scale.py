"""How long the long versions are: ``make campaign``; ``make campaign SCALE=N`` for N times as much, fractions too."""

import os


def many(count: int) -> int:
    """``count`` trials for each unit of ``FILMROOM_CAMPAIGN``; none without it."""
    return round(count * float(os.environ.get("FILMROOM_CAMPAIGN") or "0"))
