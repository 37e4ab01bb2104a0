"""The header of a data set: see header.pyx."""

from typing import Final

HEADER_VALUE_BYTES_MAX: Final[int]
HEADER_BYTES_MAX: Final[int]
