"""What this room needs of the archive: the part of ``engine.Archive`` that DIMSE uses."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Protocol, TypeVar

from engine.model import CommitmentRequest, Found, Instance, Origin, Query, Reference, Verdict
from protocols.windows import Windows

if TYPE_CHECKING:
    from native.lane import Lane

T = TypeVar("T")


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
    def reader(
        self, instances: Sequence[Instance], *, is_begun: bool = True
    ) -> AbstractAsyncContextManager[Windows]: ...
