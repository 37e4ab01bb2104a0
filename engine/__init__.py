"""The engine's front door."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from engine.archive import Archive
from engine.bell import Bell
from engine.errors import Conflict, Corrupt, Fenced, FilmroomError, Invalid, Missing, Unavailable
from engine.fetch import Fetched, Window, checked_pieces
from engine.holdings import Holding, Holdings
from engine.house import House
from engine.keep.content_digest import CHUNK_BYTES
from engine.keep.copying import read_range
from engine.keep.stores import is_archive, node_folder
from engine.keep.verify import Finding
from engine.levels import attributes_below
from engine.measures import Measured, Stopwatch, Timings
from engine.model import (
    Change,
    Decided,
    FileRange,
    Found,
    Gone,
    Instance,
    Key,
    Level,
    Match,
    Origin,
    Query,
    Several,
    Stored,
    Sums,
    Version,
)
from engine.query import check_level, level_chosen, path_of, query_of, values_of
from engine.ranged import Ranged
from engine.settings import CharacterSet, StoreSettings, settings_at
from engine.status import Status
from engine.store import Upload
from engine.tabular import Row, row, rows, texts_of

__all__ = [
    "CHUNK_BYTES",
    "Archive",
    "Bell",
    "Change",
    "CharacterSet",
    "Conflict",
    "Corrupt",
    "Decided",
    "Fenced",
    "Fetched",
    "FileRange",
    "FilmroomError",
    "Finding",
    "Found",
    "Gone",
    "Holding",
    "Holdings",
    "Instance",
    "Invalid",
    "Key",
    "Level",
    "Match",
    "Measured",
    "Missing",
    "Origin",
    "Query",
    "Ranged",
    "Row",
    "Several",
    "Status",
    "Stopwatch",
    "StoreSettings",
    "Stored",
    "Sums",
    "Timings",
    "Unavailable",
    "Upload",
    "Version",
    "Window",
    "attributes_below",
    "check_level",
    "checked_pieces",
    "is_archive",
    "level_chosen",
    "node_folder",
    "open",
    "path_of",
    "query_of",
    "read_range",
    "row",
    "rows",
    "settings_at",
    "texts_of",
    "values_of",
]


@asynccontextmanager
async def open(url: str | None = None, settings: StoreSettings | None = None) -> AsyncIterator[Archive]:
    """Open the archive at ``url``: a folder, a bucket or ``memory://``; without one where the settings say, in
    ./filmroom-data when they say nothing. On exit everything acknowledged is spilled and settled.

    Raises Conflict when another process holds it, Invalid for a URL that is not supported, Corrupt when its intake
    is damaged.
    """
    house = await trio.to_thread.run_sync(House, settings_at(url, settings))
    try:
        yield Archive(house)
    finally:
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(house.close)
