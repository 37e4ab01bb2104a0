"""The archive: what protocols, the command line and embedding programs talk to."""

from collections.abc import AsyncIterable, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import msgspec
import trio

from engine.errors import Corrupt
from engine.fetch import Fetch, Window, read_checked
from engine.find import find
from engine.house import House
from engine.index import View
from engine.keep.verify import Finding, verify
from engine.limits import LIMITS
from engine.model import Change, Found, Instance, Level, Origin, Query, Stored
from engine.query import query_of
from engine.status import Status, status_of
from engine.store import Submission, submit
from engine.tabular import Row, rows
from native.lane import Lane

T = TypeVar("T")
LIBRARY = Origin(how="library")


class Archive:
    """One open archive. Made by ``engine.open``; all methods belong to the trio loop that opened it."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._limiter = trio.CapacityLimiter(LIMITS.blocking_threads_count_max)
        self._fetch = Fetch(house.intake, house.store, house.tenant, house.writer)

    # -- in --------------------------------------------------------------------------------------------------------

    def lane(self, origin: Origin) -> Lane:
        """A way into the intake for one association or request; opaque to protocols."""
        return self._house.intake.lane(origin)

    async def store(self, source: bytes | Path | AsyncIterable[bytes], origin: Origin = LIBRARY) -> Stored:
        """Keep one DICOM file (Part 10, or a bare data set). Returns when it is acknowledged and findable.

        Raises Invalid when the bytes are no storable DICOM file, Unavailable when the intake is full.
        """
        if isinstance(source, (bytes, bytearray, memoryview, Path)):
            return await self._blocking(submit, self._house, source, origin)
        submission = Submission(self._house, origin)
        try:
            async for chunk in source:
                await self._blocking(submission.write, chunk)
            return await self._blocking(submission.finish)
        finally:
            submission.close()

    # -- out -------------------------------------------------------------------------------------------------------

    async def answer(self, query: Query) -> Found:
        """Matches of a query that sees everything acknowledged before this call.

        Raises Invalid for a query that cannot be asked, Unavailable when the index does not catch up in time.
        """
        return await self._blocking(lambda: find(self._view(), query))

    async def find(
        self, level: str | Level = Level.STUDY, *, limit: int | None = None, sort: Sequence[str] = (), **keys: object
    ) -> AsyncIterator[Row]:
        """Rows that match ``keys`` (keyword or 8 hex digits = value; PS3.4 C.2.2.2), as mappings of keyword to text."""
        found = await self.answer(query_of(Level(level), keys, limit=limit, sort=tuple(sort)))
        for row in rows(found):
            yield row

    async def instances(self, query: Query) -> list[Instance]:
        """Every instance below what matches, in series order: what a retrieve sends."""
        return await self._blocking(lambda: self._view().instances(query))

    async def fetch(self, **keys: object) -> AsyncIterator[Instance]:
        """Instances below the matching keys, each with its ``file`` as it came in, read ahead of the reader.

        Raises Corrupt when stored bytes are not what was written.
        """
        wanted = await self.instances(query_of(Level.INSTANCE, keys))
        async with self.reader(wanted) as windows:
            async for window in windows:
                for lost in window.lost:
                    raise Corrupt(f"object {lost.key} is gone")
                for fetched in window.objects:
                    file = await self._blocking(read_checked, fetched)
                    yield msgspec.structs.replace(fetched.instance, file=file)

    @asynccontextmanager
    async def reader(self, instances: Sequence[Instance]) -> AsyncIterator[AsyncIterator[Window]]:
        """Windows of open objects, the next one opened while the reader uses this one. Closes what it opened."""
        send, receive = trio.open_memory_channel[Window](0)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._read_ahead, instances, send)
                try:
                    yield self._closing(receive)
                finally:
                    nursery.cancel_scope.cancel()
        except ExceptionGroup as group:  # the nursery is our own affair: callers catch Corrupt, not a group of one
            first: Exception = group
            while isinstance(first, ExceptionGroup):
                first = first.exceptions[0]
            raise first from None

    async def _read_ahead(self, instances: Sequence[Instance], send: "trio.MemorySendChannel[Window]") -> None:
        async with send:
            for stretch in self._fetch.windows(instances):
                window = await self._blocking(self._fetch.open, stretch)
                try:
                    await send.send(window)
                except BaseException:
                    window.close()
                    raise

    async def _closing(self, receive: "trio.MemoryReceiveChannel[Window]") -> AsyncIterator[Window]:
        async for window in receive:
            try:
                yield window
            finally:
                window.close()

    async def changes(self, after: str = "", limit: int = 1000) -> list[Change]:
        """What was stored, in journal order, after a cursor; with everything that was acknowledged before this call."""
        await self._blocking(self._catch_up)
        return await self._blocking(lambda: self._house.changes(after, limit))

    # -- care ------------------------------------------------------------------------------------------------------

    async def verify(self, deep: bool = True) -> AsyncIterator[Finding]:
        """Re-read what is kept; yields each damage found."""
        await self._blocking(self._house.ingest.wait_spilled, LIMITS.find_wait_seconds_max)
        everything = Query(level=Level.INSTANCE)
        findings = verify(self._house.store, self._house.journal, lambda: self._view().instances(everything), deep)
        while (finding := await self._blocking(next, findings, None)) is not None:
            yield finding

    async def reindex(self) -> int:
        """Build the index anew from the journal while the old one serves; returns the records folded."""
        return await self._blocking(self._house.reindex)

    async def status(self) -> Status:
        """Figures of this node, without patient data."""
        return await self._blocking(status_of, self._house)

    def _catch_up(self) -> None:
        self._view()
        self._house.ingest.wait_spilled(LIMITS.find_wait_seconds_max)

    def _view(self) -> View:
        lsn = self._house.intake.log.acknowledged_lsn()
        self._house.ingest.wait_folded(lsn, LIMITS.find_wait_seconds_max)
        return self._house.index.view()

    async def _blocking(self, work: Callable[..., T], *arguments: object) -> T:
        return await trio.to_thread.run_sync(work, *arguments, limiter=self._limiter)
