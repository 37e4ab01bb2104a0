"""Deflated data sets unfolded under a ceiling: see inflate.pxd. Only the limits are visible from Python."""

from typing import Final

INFLATED_BYTES_MAX: Final[int]  # of one data set, and of all that are unfolded at the same time
INFLATED_RATIO_MAX: Final[int]
