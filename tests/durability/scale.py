"""How long the long versions are: ``make campaign``, and ``FILMROOM_CAMPAIGN=N`` for N times as much."""

import os


def many(count: int) -> int:
    """``count`` trials for each unit of ``FILMROOM_CAMPAIGN``; none without it."""
    return count * int(os.environ.get("FILMROOM_CAMPAIGN", "0") or "0")
