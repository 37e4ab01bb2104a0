"""A small archive that obeys what DIMSE needs of the engine: instances in memory, matched by plain comparison."""

import fnmatch
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

import msgspec
import xxhash

from engine.model import Found, Instance, Key, Level, Match, Origin, Query
from engine.ports import Peer
from native import dataset
from tests.protocols.small_commitments import SmallCommitments

T = TypeVar("T")
UNIQUE = {Level.PATIENT: "00100020", Level.STUDY: "0020000D", Level.SERIES: "0020000E", Level.INSTANCE: "00080018"}


class Row(msgspec.Struct, frozen=True):
    instance: Instance
    header: bytes


class KeptRow(msgspec.Struct, frozen=True):
    """A row as ``model.Kept`` has it."""

    row: Row

    @property
    def header(self) -> bytes:
        return self.row.header

    def instance(self) -> Instance:
        return self.row.instance


class Fetched(msgspec.Struct, frozen=True):
    instance: Instance
    source: bytes
    dataset_offset: int


class Window(msgspec.Struct, frozen=True):
    objects: list[Fetched]
    lost: list[Instance] = []


class SmallWindows:
    """Implements ``protocols.windows.Windows``."""

    def __init__(self, windows: Sequence[Window]) -> None:
        self.left = list(windows)
        self._is_first = True

    def first(self) -> Window | None:
        assert self._is_first, "asked for before the iteration"
        return self.left[0] if self.left else None

    def __aiter__(self) -> "SmallWindows":
        return self

    async def __anext__(self) -> Window:
        self._is_first = False
        if not self.left:
            raise StopAsyncIteration
        return self.left.pop(0)


def key_of(data: bytes) -> str:
    """Of the object that this data set is kept in."""
    return xxhash.xxh3_128_hexdigest(b"head" + data)


class SmallArchive:
    """``rows`` are in series order. ``page_count`` cuts answers to find."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.datasets: dict[str, bytes] = {}
        self.lost: set[str] = set()
        self.asked: list[Query] = []
        self.commitments = SmallCommitments(lambda: [row.instance for row in self.rows])

    def add(self, header: bytes, data: bytes, sop_class_uid: str, transfer_syntax_uid: str) -> None:
        study, series, sop = dataset.values(header, ["0020000D", "0020000E", "00080018"])
        instance = Instance(
            study_uid=study or "",
            series_uid=series or "",
            sop_instance_uid=sop or "",
            sop_class_uid=sop_class_uid,
            transfer_syntax_uid=transfer_syntax_uid,
            key=key_of(data),
            size_bytes=len(data),
            stamp=0,
            writer="",
            lsn=len(self.rows),
        )
        self.rows.append(Row(instance, header))
        self.datasets[instance.sop_instance_uid] = data

    def replace(self, sop_instance_uid: str, data: bytes) -> None:
        """Other bytes in place of an instance's data set, under their own key."""
        key = xxhash.xxh3_128_hexdigest(b"head" + data)
        self.datasets[sop_instance_uid] = data
        self.rows = [
            Row(msgspec.structs.replace(row.instance, key=key, size_bytes=len(data)), row.header)
            if row.instance.sop_instance_uid == sop_instance_uid
            else row
            for row in self.rows
        ]

    def lane(self, origin: Origin) -> None:
        return None

    async def answer(self, query: Query) -> Found:
        self.asked.append(query)
        rows: dict[str | None, Row] = {}
        for row in self._matching(query):
            rows.setdefault(dataset.values(row.header, [UNIQUE[query.level]])[0], row)
        begin = int(query.page or 0)
        end = begin + (query.limit or len(rows))
        chosen = list(rows.values())[begin:end]
        matches = tuple(Match(level=query.level, header=row.header, kept=KeptRow(row)) for row in chosen)
        return Found(matches=matches, total=len(rows), next_page=str(end) if end < len(rows) else "")

    async def shaped(self, query: Query, shape: Callable[[Found], T]) -> T:
        return shape(await self.answer(query))

    async def instances(self, query: Query) -> list[Instance]:
        return [row.instance for row in self._matching(query)]

    @asynccontextmanager
    async def reader(self, instances: Sequence[Instance], *, is_begun: bool = True) -> AsyncIterator["SmallWindows"]:
        yield SmallWindows([self._window(instances[at : at + 8]) for at in range(0, len(instances), 8)])

    def _window(self, part: Sequence[Instance]) -> Window:
        return Window(
            [
                Fetched(one, b"head" + self.datasets[one.sop_instance_uid], 4)
                for one in part
                if one.sop_instance_uid not in self.lost
            ],
            [one for one in part if one.sop_instance_uid in self.lost],
        )

    def _matching(self, query: Query) -> list[Row]:
        return [row for row in self.rows if all(_matches(row.header, key) for key in query.keys)]


def _matches(header: bytes, key: Key) -> bool:
    if len(key.path) != 8:
        return True
    text = (dataset.values(header, [key.path])[0] or "").lower()
    return any(fnmatch.fnmatchcase(text, value.lower()) for value in key.values)


class SmallPeers:
    def __init__(self, *peers: Peer) -> None:
        self.known = {peer.ae_title: peer for peer in peers}

    def lookup(self, ae_title: str) -> Peer | None:
        return self.known.get(ae_title.strip())

    def all(self) -> list[Peer]:
        return sorted(self.known.values(), key=lambda peer: peer.ae_title)
