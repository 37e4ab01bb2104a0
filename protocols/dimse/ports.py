"""What this room needs of the archive: the part of ``engine.Archive`` that DIMSE uses."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Protocol, TypeVar

from engine.model import CommitmentRequest, FileRange, Found, Instance, Origin, Query, Reference, Verdict

if TYPE_CHECKING:
    from native.lane import Lane

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


class Commitments(Protocol):
    """See ``engine.commitment.Commitments``."""

    async def open(
        self, requestor: str, transaction_uid: str, references: Sequence[Reference]
    ) -> CommitmentRequest: ...
    async def left(self) -> list[CommitmentRequest]: ...
    async def load(self, name: str) -> CommitmentRequest: ...
    async def settle(self, request: CommitmentRequest) -> bool: ...
    def age_seconds(self, request: CommitmentRequest) -> float: ...
    async def lacks(self, references: Sequence[Reference]) -> bool: ...
    async def judge(self, references: Sequence[Reference]) -> list[Verdict]: ...


class Archive(Protocol):
    """See ``engine.Archive``."""

    @property
    def commitments(self) -> Commitments: ...

    def lane(self, origin: Origin) -> "Lane": ...
    async def shaped(self, query: Query, shape: Callable[[Found], T]) -> T: ...
    async def instances(self, query: Query) -> list[Instance]: ...
    def reader(self, instances: Sequence[Instance]) -> AbstractAsyncContextManager[AsyncIterator[Window]]: ...
