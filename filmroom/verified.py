"""What the last ``filmroom verify`` that came to its end found: ``node/verified.json``, for ``doctor``."""

from pathlib import Path

import msgspec

from filmroom.small_files import replace_durably

NAME = "verified.json"


class Verified(msgspec.Struct, frozen=True):
    """When, how, and what of."""

    at_us: int
    deep: bool
    objects: int
    damaged: int


def write(node: Path, found: Verified) -> None:
    """Keep it. Raises OSError."""
    replace_durably(node / NAME, msgspec.json.encode(found) + b"\n")


def read(node: Path) -> Verified | None:
    """None when there is none that can be read."""
    try:
        return msgspec.json.decode((node / NAME).read_bytes(), type=Verified)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
