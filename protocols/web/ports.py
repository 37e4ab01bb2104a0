"""What this room needs of the archive: the part of ``engine.Archive`` that the web uses."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Literal, Protocol, TypeVar

import msgspec

from engine import Bell, Holdings, Measured
from engine.model import Change, Decided, Found, Gone, Instance, Kept, Origin, Query, Several, Stored, Uids
from engine.worklist import Worklist
from native.arrival import Arrival
from native.lane import Lane
from protocols.windows import Window

T = TypeVar("T")


class Ranged(Protocol):
    """Ranges of an open object's bytes, each checked before it is given (``engine.Archive.ranged``)."""

    @property
    def frames(self) -> bytes: ...
    @property
    def held_bytes(self) -> int: ...
    def read(self, offset: int, length: int) -> bytes: ...
    def read_at_once(self, offset: int, length: int) -> bytes | None: ...
    def check(self, offset: int, length: int) -> None: ...


class Traffic(Protocol):
    """Associations of the DICOM port since it was opened."""

    @property
    def open_count(self) -> int: ...
    @property
    def accepted_count(self) -> int: ...
    @property
    def rejected_count(self) -> int: ...


class Upload(Protocol):
    """Files that come in pieces; see ``engine.Archive.upload``. It blocks."""

    @property
    def known(self) -> Uids: ...
    @property
    def arrival(self) -> Arrival: ...
    def lane_for(self, preamble: bytes) -> Lane: ...
    def refused(self, error: OSError) -> Exception: ...
    def write(self, piece: bytes | memoryview) -> None: ...
    def check(self) -> Uids: ...
    def keep(self) -> int: ...
    def settle(self, lsns: Sequence[int]) -> list[Stored]: ...
    def give_up(self) -> None: ...
    def close(self) -> None: ...


class Archive(Protocol):
    """See ``engine.Archive``."""

    async def shaped(self, query: Query, shape: Callable[[Found], T]) -> T: ...
    async def shaped_below(self, query: Query, shape: Callable[[Sequence[Kept]], T]) -> T: ...
    async def locate(self, study_uid: str, series_uid: str, sop_instance_uid: str) -> Instance: ...
    async def opened(self, instance: Instance, use: Callable[[Window], T]) -> T: ...
    def at_once(
        self, instance: Instance, span: tuple[int, int], around: tuple[bytes, bytes] = (b"", b"")
    ) -> bytes | None: ...
    def ranged(self, fetched: Any) -> Ranged: ...
    async def instances(self, query: Query) -> list[Instance]: ...
    def reader(self, instances: Sequence[Instance]) -> AbstractAsyncContextManager[AsyncIterator[Window]]: ...
    async def worklist(self, work: Callable[[Worklist], T]) -> T: ...
    async def measured(self) -> Measured: ...
    async def holdings(self) -> Holdings: ...
    def upload(self, origin: Origin, gather_bytes_max: int = 0) -> Upload: ...
    @property
    def journalled(self) -> Bell: ...
    async def changes_page(self, after: str, limit: int, *, catch_up: bool = True) -> list[Change]: ...
    async def last_cursor(self) -> str: ...
    async def several(self, study_uid: str) -> list[Several]: ...
    async def deleted(self, query: Query) -> list[Gone]: ...
    async def promote(
        self, study_uid: str, series_uid: str, sop_instance_uid: str, key: str, *, reason: str, origin: Origin
    ) -> Decided: ...
    async def decide(
        self, kind: Literal["delete", "restore"], query: Query, *, reason: str = "", origin: Origin
    ) -> Decided: ...


class Refused(Exception):
    """The node could not do what was asked of it: one sentence without patient data."""


class KnownPeer(msgspec.Struct, frozen=True):
    """A DICOM application that the node may connect to. ``origin``: ``configuration`` or ``added``."""

    ae_title: str
    host: str
    port: int
    character_set: str
    tls: bool
    tls_ca: str
    tls_name: str
    origin: str


class Echoed(msgspec.Struct, frozen=True):
    """Whether a peer answered a C-ECHO; if not, why."""

    answered: bool
    reason: str


Tell = Callable[[dict[str, Any]], Awaitable[None]]


class Household(Protocol):
    """What the node does for the web beside its archive. All sentences are without patient data."""

    def peers(self) -> Sequence[KnownPeer]:
        """By AE title."""

    async def add_peer(self, said: dict[str, Any]) -> KnownPeer:
        """Known from now on, durably. Raises Invalid."""

    async def remove_peer(self, ae_title: str) -> None:
        """Raises Missing, Invalid for one of the configuration."""

    async def echo(self, ae_title: str) -> Echoed:
        """C-ECHO to a known peer. Raises Missing."""

    async def send(self, query: Query, ae_title: str, tell: Tell) -> None:
        """Every instance below what matches, to a known peer. Raises Missing, Refused."""

    async def verify(self, deep: bool, tell: Tell) -> None:
        """Re-read what is kept."""

    async def reindex(self, tell: Tell) -> None:
        """Build the index anew."""

    async def status(self) -> dict[str, Any]:
        """Figures."""
