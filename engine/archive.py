"""The archive: what protocols, the command line and embedding programs talk to."""

from collections.abc import AsyncIterable, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar

import msgspec
import trio

from engine import removal
from engine.bell import Bell
from engine.commitment import Commitments
from engine.errors import Corrupt, Missing, Unavailable
from engine.fetch import Fetch, Fetched, Window, read_checked, used
from engine.find import find
from engine.holdings import Holdings, holdings_of
from engine.house import House
from engine.keep.verify import Finding, verify, verify_journal
from engine.limits import LIMITS
from engine.measures import Measured, Measures
from engine.model import (
    Change,
    Decided,
    Found,
    Gone,
    Instance,
    Kept,
    Level,
    Origin,
    Query,
    Several,
    Stored,
    Version,
)
from engine.query import level_of, query_of
from engine.ranged import Chunks, Ranged
from engine.read_ahead import ReadAhead
from engine.status import Status, measured, status_of
from engine.store import Upload, batches, finish, submit, write_all
from engine.tabular import Row, rows
from engine.threads import in_thread
from engine.worklist import Worklist
from native.lane import Lane

T = TypeVar("T")
LIBRARY = Origin(how="library")


class Archive:
    """One open archive. Made by ``engine.open``; all methods belong to the trio loop that opened it."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._limiter = trio.CapacityLimiter(LIMITS.blocking_threads_count_max)
        self._fetch = Fetch(house.intake, house.near, house.tenant, house.writer)
        self._chunks = Chunks()
        self._measures = Measures(house.clock)
        self.commitments = Commitments(house, self._blocking)

    # -- in --------------------------------------------------------------------------------------------------------

    def lane(self, origin: Origin) -> Lane:
        """A way into the intake for one association or request; opaque to protocols."""
        return self._house.intake.lane(origin)

    async def store(self, source: bytes | Path | AsyncIterable[bytes], origin: Origin = LIBRARY) -> Stored:
        """Keep one DICOM file (Part 10, or a bare data set). Returns when it is acknowledged and findable.

        Raises Invalid when the bytes are no storable DICOM file, Unavailable when the intake is full or the archive is
        closed, OSError when a path cannot be read.
        """
        if isinstance(source, (bytes, bytearray, memoryview, Path)):
            return await self._blocking(submit, self._house, source, origin)
        if not isinstance(source, AsyncIterable):
            kind = type(source).__name__
            raise TypeError(f"store takes bytes, a pathlib.Path or an async iterable of bytes, not {kind}")
        upload = self.upload(origin)
        try:
            async for pieces in batches(source, LIMITS.read_bytes):
                await self._blocking(write_all, upload, pieces)
            return await self._blocking(finish, upload)
        finally:
            upload.close()

    def upload(self, origin: Origin, gather_bytes_max: int = 0) -> Upload:
        """A way in for files that arrive in pieces; see ``engine.store.Upload``. It blocks."""
        return Upload(self._house, origin, gather_bytes_max)

    # -- out -------------------------------------------------------------------------------------------------------

    async def answer(self, query: Query) -> Found:
        """Matches of a query that sees everything acknowledged before this call.

        Raises Invalid for a query that cannot be asked, Unavailable when the index does not catch up in time.
        """
        return await self._blocking(self._find, query)

    async def shaped(self, query: Query, shape: Callable[[Found], T]) -> T:
        """What ``shape`` makes of the answer, in the thread that found it. Raises as ``answer``."""
        return await self._blocking(lambda: shape(self._find(query)))

    def _find(self, query: Query) -> Found:
        with self._measures.queries.timed():
            return find(self._house.view_for(query), query)

    async def shaped_below(self, query: Query, shape: Callable[[Sequence[Kept]], T]) -> T:
        """What ``shape`` makes, in the same thread, of every instance below what matches, in series order. A header may
        be read from disk when it is asked for: ask in a thread."""
        return await self._blocking(lambda: shape(self._house.view_for(query).in_series_order(query)))

    async def find(
        self,
        level: str | Level = Level.STUDY,
        *,
        limit: int | None = None,
        sort: str | Sequence[str] = (),
        as_of: object = None,
        **keys: object,
    ) -> AsyncIterator[Row]:
        """Rows that match ``keys`` (keyword or 8 hex digits = value; PS3.4 C.2.2.2), as mappings of keyword to text.

        ``level``: patient, study, series or instance. Keys of lower levels choose what holds one that has them:
        ``Modality="CT"`` finds the studies with a series of CT.
        ``sort``: keywords, "-" before one for descending.
        ``as_of``: a ``datetime``; the archive is shown as it was then (folded anew from the journal: as slow as
        ``reindex``). Raises Invalid, Unavailable as ``answer``.
        """
        query = query_of(level_of(level), keys, limit=limit, sort=sort, as_of=as_of)
        found = await self.answer(query)
        for row in rows(found):
            yield row

    async def instances(self, query: Query) -> list[Instance]:
        """Every instance below what matches, in series order: what a retrieve sends."""
        return await self._blocking(lambda: self._house.view_for(query).instances(query))

    async def locate(self, study_uid: str, series_uid: str, sop_instance_uid: str) -> Instance:
        """The current version of one instance; at once while nothing acknowledged waits to be folded. Raises Missing,
        Unavailable."""
        view = self._house.view_at_once()
        found = view.known(study_uid, series_uid, sop_instance_uid) if view is not None else None
        if found is None:
            found = await self._blocking(
                lambda: self._house.view().instance_of(study_uid, series_uid, sop_instance_uid)
            )
        if found is None:
            raise Missing("there is no such instance")
        return found

    async def opened(self, instance: Instance, use: Callable[[Window], T]) -> T:
        """What ``use`` makes, in the thread that opened it, of a window of one object. It may keep the window, to close
        it later; not much later, when it ``is_pinned``. When it raises, the window is closed."""
        return await self._blocking(used, self._fetch, instance, use)

    def at_once(
        self, instance: Instance, span: tuple[int, int], around: tuple[bytes, bytes] = (b"", b"")
    ) -> bytes | None:
        """A range (offset, length) of a small object between two pieces, checked against its key, if that takes neither
        a disk nor a thread; None: it does, or something is wrong: ``opened`` says what."""
        if self._house.is_closed or instance.size_bytes > LIMITS.chunk_bytes:
            return None
        return self._fetch.at_once(instance, span, around)

    def ranged(self, fetched: Fetched) -> Ranged:
        """Ranges of an open object, each checked before it is given. Blocking. Raises Corrupt."""
        instance = fetched.instance
        is_known = bool(instance.frames) and instance.size_bytes <= LIMITS.chunk_bytes
        layout = None if is_known else self._house.index.view().layout_of(instance)
        return Ranged(fetched, layout, self._chunks)

    async def fetch(self, *, as_of: object = None, **keys: object) -> AsyncIterator[Instance]:
        """Instances below the matching keys, each with its ``file``, read ahead of the reader.

        A file is a Part-10 file: the data set exactly as it was received, behind a file meta group that is ours.
        ``as_of`` as in ``find``. Raises Corrupt when stored bytes are not what was written.
        """
        wanted = await self.instances(query_of(Level.INSTANCE, keys, as_of=as_of))
        async with self.reader(wanted) as windows:
            async for window in windows:
                for lost in window.lost:
                    raise Corrupt(f"object {lost.key} is gone")
                for fetched in window.objects:
                    file = await self._blocking(read_checked, fetched)
                    yield msgspec.structs.replace(fetched.instance, file=file)

    @asynccontextmanager
    async def reader(self, instances: Sequence[Instance], *, is_begun: bool = True) -> AsyncIterator[ReadAhead]:
        """Windows of open objects, the next one opened while the reader uses this one. Closes what it opened.

        Not ``is_begun``: a thread may open the first one itself (``ReadAhead.first``).
        """
        windows = ReadAhead(self._fetch, instances, self._house.readers, self._measures.first_reads, is_begun=is_begun)
        try:
            yield windows
        finally:
            windows.close()

    async def changes(self, after: str = "") -> AsyncIterator[Change]:
        """What was stored and decided, in journal order, behind a cursor that an earlier change gave (empty: from the
        beginning), to the end of what was acknowledged before this call. Raises Invalid for a foreign cursor."""
        await self._blocking(self._house.catch_up)
        while page := await self._blocking(self._house.changes, after, LIMITS.changes_count_max):
            for change in page:
                yield change
            after = page[-1].cursor

    async def changes_page(self, after: str, limit: int, *, catch_up: bool = True) -> list[Change]:
        """The next changes behind a cursor, ``limit`` or ``LIMITS.changes_count_max`` at most. ``catch_up`` False: of
        what the journal has already; ``journalled`` says when that is more. Raises Invalid, Conflict for a cursor of
        another journal."""
        if catch_up:
            await self._blocking(self._house.catch_up)
        return await self._blocking(self._house.changes, after, limit)

    async def last_cursor(self) -> str:
        """The cursor behind everything that was acknowledged before this call."""
        return await self._blocking(self._house.last_cursor)

    @property
    def journalled(self) -> Bell:
        """Rings when the journal has more."""
        return self._house.ingest.journalled

    # -- removal ---------------------------------------------------------------------------------------------------

    async def delete(self, level: str | Level = Level.STUDY, *, reason: str = "", **keys: object) -> Decided:
        """Hide every instance below what ``find`` with these keys would answer; ``restore`` brings them back until
        ``grace_days`` are over. Raises Invalid without a key, Conflict when ``retention_days`` keeps one of them."""
        return await self.decide("delete", query_of(level_of(level), keys), reason=reason)

    async def restore(self, level: str | Level = Level.STUDY, *, reason: str = "", **keys: object) -> Decided:
        """Bring back what was deleted and matches. Raises Invalid without a key."""
        return await self.decide("restore", query_of(level_of(level), keys), reason=reason)

    async def decide(
        self,
        kind: Literal["delete", "restore"],
        query: Query,
        *,
        reason: str = "",
        origin: Origin = LIBRARY,
        dry_run: bool = False,
    ) -> Decided:
        """Delete or restore what a query names; acknowledged, and seen by the next query, when this returns.

        ``dry_run``: only say what that would be. Raises as ``delete``.
        """
        work = removal.delete if kind == "delete" else removal.restore
        return await self._blocking(work, self._house, query, reason, origin, dry_run)

    async def versions(self, study_uid: str, series_uid: str, sop_instance_uid: str) -> list[Version]:
        """Every version kept under this UID, the current one first. Raises Missing."""
        return await self._blocking(removal.versions, self._house, (study_uid, series_uid, sop_instance_uid))

    async def several(self, study_uid: str) -> list[Several]:
        """Every instance of a study that has more than one version, with them all. Raises Missing."""
        return await self._blocking(removal.several, self._house, study_uid)

    async def deleted(self, query: Query) -> list[Gone]:
        """What can be restored of studies that match, the last deleted first. Raises Invalid as ``restore`` does."""
        return await self._blocking(removal.deleted, self._house, query)

    async def promote(
        self,
        study_uid: str,
        series_uid: str,
        sop_instance_uid: str,
        key: str,
        *,
        reason: str = "",
        origin: Origin = LIBRARY,
    ) -> Decided:
        """Make the version with this object key the current one. Raises Missing."""
        wanted = (study_uid, series_uid, sop_instance_uid)
        return await self._blocking(removal.promote, self._house, wanted, key, reason, origin)

    async def collect(self) -> int:
        """Remove the bytes of what was deleted longer ago than ``grace_days``; the number of objects removed."""
        return await self._blocking(removal.collect, self._house)

    # -- the worklist ----------------------------------------------------------------------------------------------

    async def worklist(self, work: Callable[[Worklist], T]) -> T:
        """What ``work`` makes of the worklist, in a thread. Raises as it does, and Unavailable."""
        return await self._blocking(lambda: work(self._house.worklist()))

    async def tidy_worklist(self) -> int:
        """Remove workitems that ended longer ago than ``worklist_days`` and that nobody has locked; how many."""
        until_us = self._house.passed_us() - self._house.settings.worklist_days * removal.DAY_US
        return await self.worklist(lambda worklist: worklist.tidy(until_us))

    # -- care ------------------------------------------------------------------------------------------------------

    async def verify(
        self, deep: bool = True, *, progress: Callable[[int, int], None] = lambda count, size_bytes: None
    ) -> AsyncIterator[Finding]:
        """Re-read what is kept; yields each damage found. ``progress`` hears, in a thread, how many objects of how many
        bytes are done."""
        await self._blocking(self._house.ingest.wait_spilled, LIMITS.find_wait_seconds_max)
        findings = verify(
            self._house.store,
            self._house.journal,
            lambda: self._house.view().every_instance(),
            deep,
            progress=progress,
        )
        while (finding := await self._blocking(next, findings, None)) is not None:
            yield finding

    async def verify_journal(self) -> list[Finding]:
        """What is wrong with the journal, of which the index is made."""
        return await self._blocking(lambda: list(verify_journal(self._house.store, self._house.tenant)))

    async def reindex(self) -> int:
        """Build the index anew from the journal while the old one serves; returns the records folded."""
        return await self._blocking(self._house.reindex)

    async def status(self) -> Status:
        """Figures of this node, without patient data."""
        return await self._blocking(status_of, self._house)

    async def holdings(self) -> Holdings:
        """What is kept, by modality; every series is looked at. Without patient data."""
        return await self._blocking(lambda: holdings_of(self._house.view(), self._house.clock.now_us()))

    async def measured(self) -> Measured:
        """Figures of this process for whoever watches it, without patient data."""
        return await self._blocking(measured, self._house, self._measures)

    def trouble(self) -> str:
        """Why nothing can be stored now, as one sentence; empty when it can."""
        return self._house.intake.trouble()

    def damage(self) -> str:
        """Why this archive is only read, as one sentence; empty when it is not (see ``StoreSettings.damaged``)."""
        return self._house.damage

    def failure(self) -> str:
        """Why this process will never acknowledge anything again: close the archive, open it anew. Empty: it will."""
        return self._house.intake.log.failure()

    async def _blocking(self, work: Callable[..., T], *arguments: object) -> T:
        with self._measures.counted_errors():
            if self._house.is_closed:
                raise Unavailable("the archive is closed")
            return await in_thread(partial(work, *arguments), self._limiter)
