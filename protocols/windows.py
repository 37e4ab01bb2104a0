"""Objects on their way out, as both rooms see them: what ``engine.Archive.reader`` and ``opened`` give."""

from collections.abc import Sequence
from typing import Protocol

from engine.model import FileRange, Instance


class Fetched(Protocol):
    """One object on its way out."""

    @property
    def instance(self) -> Instance: ...
    @property
    def source(self) -> FileRange | bytes: ...
    @property
    def dataset_offset(self) -> int: ...
    @property
    def is_pinned(self) -> bool: ...


class Window(Protocol):
    """Open objects of one stretch of instances. Of a reader: open until the next window is asked for."""

    @property
    def objects(self) -> Sequence[Fetched]: ...
    @property
    def lost(self) -> Sequence[Instance]: ...
    def close(self) -> None: ...


class Windows(Protocol):
    """Windows in turn, each open until the next is asked for."""

    def __aiter__(self) -> "Windows": ...
    async def __anext__(self) -> Window: ...

    def first(self) -> Window | None:
        """The first, opened in the caller's thread, where the reader has begun nothing yet; the iteration gives it
        too."""
