"""What this room needs of the archive: the part of ``engine.Archive`` that the web uses."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeVar

from engine import Measured
from engine.model import FileRange, Found, Instance, Kept, Query

T = TypeVar("T")


class Fetched(Protocol):
    """One object on its way out."""

    @property
    def instance(self) -> Instance: ...
    @property
    def source(self) -> FileRange | bytes: ...
    @property
    def dataset_offset(self) -> int: ...


class Window(Protocol):
    """Open objects of one stretch of instances; open until the next window is asked for."""

    @property
    def objects(self) -> Sequence[Fetched]: ...
    @property
    def lost(self) -> Sequence[Instance]: ...


class Traffic(Protocol):
    """Associations of the DICOM port since it was opened."""

    @property
    def open_count(self) -> int: ...
    @property
    def accepted_count(self) -> int: ...
    @property
    def rejected_count(self) -> int: ...


class Archive(Protocol):
    """See ``engine.Archive``."""

    async def shaped(self, query: Query, shape: Callable[[Found], T]) -> T: ...
    async def shaped_below(self, query: Query, shape: Callable[[Sequence[Kept]], T]) -> T: ...
    async def instances(self, query: Query) -> list[Instance]: ...
    def reader(self, instances: Sequence[Instance]) -> AbstractAsyncContextManager[AsyncIterator[Window]]: ...
    async def measured(self) -> Measured: ...
