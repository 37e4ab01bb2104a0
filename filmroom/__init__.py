"""Filmroom as a library.

    async with filmroom.open("./data") as archive: ...               # trio: Archive, and Images(archive) for arrays
    with filmroom.blocking.open("./data") as archive: ...            # scripts, notebooks, asyncio: without await
    with filmroom.testing.server() as node: ...                      # for tests of clients

docs/embedding.md leads through it. Importing it is cheap: the engine loads when its first name is used. Refuses to load
beside foreign packages that carry the names of its rooms.
"""

import importlib
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine import (
        Archive,
        Change,
        Conflict,
        Corrupt,
        Decided,
        Fenced,
        FilmroomError,
        Finding,
        Found,
        Gone,
        Holdings,
        Instance,
        Invalid,
        Key,
        Level,
        Match,
        Missing,
        Origin,
        Query,
        Row,
        Several,
        Status,
        Stored,
        StoreSettings,
        Unavailable,
        Version,
        open,
        query_of,
    )
    from filmroom import blocking
    from filmroom import testing as testing
    from filmroom.images import Images
    from filmroom.volumes import Volume

ROOMS = ("native", "engine", "protocols", "edge", "bench")
# Where names stand that are no engine's; a module stands for itself.
PLACES = {"Images": "filmroom.images", "Volume": "filmroom.volumes", "blocking": "", "testing": ""}

__all__ = [
    "Archive",
    "Change",
    "Conflict",
    "Corrupt",
    "Decided",
    "Fenced",
    "FilmroomError",
    "Finding",
    "Found",
    "Gone",
    "Holdings",
    "Images",
    "Instance",
    "Invalid",
    "Key",
    "Level",
    "Match",
    "Missing",
    "Origin",
    "Query",
    "Row",
    "Several",
    "Status",
    "StoreSettings",
    "Stored",
    "Unavailable",
    "Version",
    "Volume",
    "blocking",
    "open",
    "query_of",
]


def _refuse_strangers() -> None:
    """Raises ImportError when a room's name belongs to somebody else's package on this path."""
    house = Path(__file__).resolve().parents[1]
    for room in ROOMS:
        spec = importlib.util.find_spec(room)
        origin = Path(spec.origin).resolve() if spec and spec.origin else None
        if origin is None or origin.parents[1] != house:
            raise ImportError(
                f"filmroom needs its own package {room!r}, but "
                + (f"{origin} stands in its place" if origin else "it is not installed")
                + ": install filmroom in an environment of its own (python -m venv)"
            )


_refuse_strangers()


def __dir__() -> list[str]:
    return [*__all__, "__version__", "testing"]


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib import metadata  # it pulls in much; few ask

        try:
            return metadata.version("filmroom")
        except metadata.PackageNotFoundError:
            return "0 (not installed)"
    if name not in PLACES and name not in __all__:
        raise AttributeError(f"module 'filmroom' has no attribute {name!r}")
    place = PLACES.get(name, "engine")
    return getattr(importlib.import_module(place), name) if place else importlib.import_module(f"filmroom.{name}")
