"""Filmroom for scripts, notebooks and asyncio programs: the same archive, called without ``await``.

    import filmroom

    with filmroom.blocking.open("./data") as archive:
        archive.store("image.dcm")
        for study in archive.find(PatientID="4711"):
            print(study["StudyInstanceUID"])

The archive runs in a thread of its own until ``close``, the end of ``with``, or the end of the program. Threads may
share it; asyncio programs call it in a thread (``await asyncio.to_thread(archive.store, data)``); a forked child must
not use it. Ctrl-C cancels what is waited for. What is iterated is made while it is pulled, a bounded stretch ahead.
"""

import math
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from inspect import isfunction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import trio

import engine
from engine import (
    Change,
    Conflict,
    Decided,
    Fetched,
    Finding,
    Found,
    Gone,
    Holdings,
    Instance,
    Level,
    Measured,
    Origin,
    Query,
    Ranged,
    Row,
    Several,
    Status,
    Stored,
    StoreSettings,
    Unavailable,
    Upload,
    Version,
    Window,
)
from engine.model import Kept
from engine.worklist import Worklist
from filmroom import datasets
from filmroom.images import Images
from filmroom.portal import AtExit, Portal
from filmroom.volumes import Volume
from native.lane import Lane

if TYPE_CHECKING:
    import numpy
    from pydicom import Dataset

T = TypeVar("T")
Reader = AbstractAsyncContextManager[AsyncIterator[Window]]
LIBRARY = Origin(how="library")
SMALL_BYTES = 1024  # what a row, a change or a finding takes, about


def open(url: str | Path | None = None, settings: StoreSettings | None = None) -> "Archive":
    """Open the archive at ``url``: a folder, a bucket or ``memory://``; without one where the settings say, in
    ./filmroom-data when they say nothing. ``close`` it, or open it by ``with``.

    Raises Conflict when this or another process has it open, Invalid for a URL that is not supported, Corrupt when its
    intake is damaged.
    """
    return Archive(engine.settings_at(None if url is None else str(url), settings))


@asynccontextmanager
async def _opened(settings: StoreSettings) -> AsyncIterator[Images]:
    async with engine.open(settings.url, settings) as archive, Images(archive) as images:
        yield images


class Archive:
    """One open archive, for any thread of this process. Made by ``open``.

    Methods are those of the async ``filmroom.Archive`` and of ``filmroom.Images``, with the same words and errors.
    Every one raises Unavailable when the archive is closed, and RuntimeError in a forked child.
    """

    def __init__(self, settings: StoreSettings) -> None:
        name = settings.url if "://" in settings.url else str(Path(settings.url).resolve())
        try:
            self._portal = Portal(_opened(settings), name)
        except Conflict as error:
            if not AtExit.has(name):
                from filmroom.compose import held_hint  # a node's: scripts seldom need it

                raise Conflict(f"{error} already: {held_hint(settings.url)}") from None
            raise Conflict(f"{error}: this one. Use the archive that is open, or close() it first") from None
        self._images = self._portal.resource
        self._archive = self._images.archive
        self._let_go = weakref.finalize(self, self._portal.stop)
        self._let_go.atexit = False  # AtExit does

    def __enter__(self) -> "Archive":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<filmroom.blocking.Archive {self._portal.name}{' (closed)' if self._portal.is_closed else ''}>"

    def close(self) -> None:
        """Cancel what other threads wait for, and close the archive: everything acknowledged is spilled and settled.
        Closing again does nothing. Raises Unavailable when a disk hangs, Fenced when a write had failed."""
        self._let_go.detach()
        self._portal.close()

    # -- in --------------------------------------------------------------------------------------------------------

    def lane(self, origin: Origin) -> Lane:
        return self._here().lane(origin)

    def store(self, source: "bytes | str | Path | Dataset | Iterable[bytes]", origin: Origin = LIBRARY) -> Stored:
        """Keep one DICOM file (Part 10, or a bare data set). Returns when it is acknowledged and findable.

        ``source``: its bytes, whole or as an iterable of pieces; the path of a file (``str`` is a path too); or a
        ``pydicom.Dataset``, which pydicom encodes: name the file where there is one, and its very bytes are kept.

        Raises Invalid when the bytes are no storable DICOM file, Unavailable when the intake is full or the archive is
        closed, OSError when a path cannot be read, TypeError for anything else.
        """
        self._portal.check()
        given = datasets.source_of(source)
        return self._call(lambda: self._archive.store(given, origin))

    def upload(self, origin: Origin, gather_bytes_max: int = 0) -> Upload:
        return self._here().upload(origin, gather_bytes_max)

    # -- out -------------------------------------------------------------------------------------------------------

    def answer(self, query: Query) -> Found:
        return self._call(lambda: self._archive.answer(query))

    def shaped(self, query: Query, shape: Callable[[Found], T]) -> T:
        return self._call(lambda: self._archive.shaped(query, shape))

    def shaped_below(self, query: Query, shape: Callable[[Sequence[Kept]], T]) -> T:
        return self._call(lambda: self._archive.shaped_below(query, shape))

    def find(
        self,
        level: str | Level = Level.STUDY,
        *,
        limit: int | None = None,
        sort: str | Sequence[str] = (),
        as_of: object = None,
        **keys: object,
    ) -> Iterator[Row]:
        yield from self._portal.pull(
            lambda: self._archive.find(level, limit=limit, sort=sort, as_of=as_of, **keys), _small
        )

    def instances(self, query: Query) -> list[Instance]:
        return self._call(lambda: self._archive.instances(query))

    def locate(self, study_uid: str, series_uid: str, sop_instance_uid: str) -> Instance:
        return self._call(lambda: self._archive.locate(study_uid, series_uid, sop_instance_uid))

    def opened(self, instance: Instance, use: Callable[[Window], T]) -> T:
        return self._call(lambda: self._archive.opened(instance, use))

    def at_once(
        self, instance: Instance, span: tuple[int, int], around: tuple[bytes, bytes] = (b"", b"")
    ) -> bytes | None:
        return self._here().at_once(instance, span, around)

    def ranged(self, fetched: Fetched) -> Ranged:
        return self._here().ranged(fetched)

    def fetch(self, *, as_of: object = None, **keys: object) -> Iterator[Instance]:
        yield from self._portal.pull(lambda: self._archive.fetch(as_of=as_of, **keys), _file_bytes)

    @contextmanager
    def reader(self, instances: Sequence[Instance], *, is_begun: bool = True) -> Iterator[Iterator[Window]]:
        manager, windows = self._call(lambda: _entered(self._archive.reader(instances, is_begun=is_begun)))
        try:
            yield self._each(windows)
        finally:
            with suppress(Unavailable):  # the archive was closed meanwhile, and its windows with it
                self._call(lambda: manager.__aexit__(None, None, None))

    def changes(self, after: str = "") -> Iterator[Change]:
        yield from self._portal.pull(lambda: self._archive.changes(after), _small)

    def changes_page(self, after: str, limit: int, *, catch_up: bool = True) -> list[Change]:
        return self._call(lambda: self._archive.changes_page(after, limit, catch_up=catch_up))

    def last_cursor(self) -> str:
        return self._call(lambda: self._archive.last_cursor())

    # -- removal ---------------------------------------------------------------------------------------------------

    def delete(self, level: str | Level = Level.STUDY, *, reason: str = "", **keys: object) -> Decided:
        return self._call(lambda: self._archive.delete(level, reason=reason, **keys))

    def restore(self, level: str | Level = Level.STUDY, *, reason: str = "", **keys: object) -> Decided:
        return self._call(lambda: self._archive.restore(level, reason=reason, **keys))

    def decide(
        self,
        kind: Literal["delete", "restore"],
        query: Query,
        *,
        reason: str = "",
        origin: Origin = LIBRARY,
        dry_run: bool = False,
    ) -> Decided:
        return self._call(lambda: self._archive.decide(kind, query, reason=reason, origin=origin, dry_run=dry_run))

    def versions(self, study_uid: str, series_uid: str, sop_instance_uid: str) -> list[Version]:
        return self._call(lambda: self._archive.versions(study_uid, series_uid, sop_instance_uid))

    def several(self, study_uid: str) -> list[Several]:
        return self._call(lambda: self._archive.several(study_uid))

    def deleted(self, query: Query) -> list[Gone]:
        return self._call(lambda: self._archive.deleted(query))

    def promote(
        self,
        study_uid: str,
        series_uid: str,
        sop_instance_uid: str,
        key: str,
        *,
        reason: str = "",
        origin: Origin = LIBRARY,
    ) -> Decided:
        return self._call(
            lambda: self._archive.promote(study_uid, series_uid, sop_instance_uid, key, reason=reason, origin=origin)
        )

    def collect(self) -> int:
        return self._call(lambda: self._archive.collect())

    # -- care ------------------------------------------------------------------------------------------------------

    def verify(
        self, deep: bool = True, *, progress: Callable[[int, int], None] = lambda count, size_bytes: None
    ) -> Iterator[Finding]:
        yield from self._portal.pull(lambda: self._archive.verify(deep, progress=progress), _small)

    def worklist(self, work: Callable[[Worklist], T]) -> T:
        return self._call(lambda: self._archive.worklist(work))

    def tidy_worklist(self) -> int:
        return self._call(lambda: self._archive.tidy_worklist())

    def verify_journal(self) -> list[Finding]:
        return self._call(lambda: self._archive.verify_journal())

    def reindex(self) -> int:
        return self._call(lambda: self._archive.reindex())

    def status(self) -> Status:
        return self._call(lambda: self._archive.status())

    def holdings(self) -> Holdings:
        return self._call(lambda: self._archive.holdings())

    def measured(self) -> Measured:
        return self._call(lambda: self._archive.measured())

    def trouble(self) -> str:
        return self._here().trouble()

    def damage(self) -> str:
        return self._here().damage()

    def failure(self) -> str:
        return self._here().failure()

    @property
    def journalled(self) -> "Bell":
        """Rings when the journal has more: ``changes`` then has."""
        return Bell(self._here().journalled, self._portal)

    # -- as pydicom and numpy have it --------------------------------------------------------------------------------

    def instance(self, sop_instance_uid: str, *, study_uid: str = "", series_uid: str = "") -> "Dataset":
        return self._call(lambda: self._images.instance(sop_instance_uid, study_uid=study_uid, series_uid=series_uid))

    def series(
        self, series_uid: str, *, study_uid: str = "", rescale: bool = False
    ) -> "numpy.ndarray[Any, numpy.dtype[Any]]":
        return self.volume(series_uid, study_uid=study_uid, rescale=rescale).array

    def volume(self, series_uid: str, *, study_uid: str = "", rescale: bool = False) -> Volume:
        return self._call(lambda: self._images.volume(series_uid, study_uid=study_uid, rescale=rescale))

    # -- the way in --------------------------------------------------------------------------------------------------

    def _here(self) -> engine.Archive:
        self._portal.check()
        return self._archive

    def _call(self, work: Callable[[], Awaitable[T]]) -> T:
        return self._portal.call(work)

    def _each(self, windows: AsyncIterator[Window]) -> Iterator[Window]:
        while (window := self._call(lambda: _next(windows))) is not None:
            yield window


class Bell:
    """``engine.Bell`` for threads."""

    def __init__(self, bell: engine.Bell, portal: Portal[Images]) -> None:
        self._bell, self._portal = bell, portal

    @property
    def count(self) -> int:
        """How often it has rung: who says how many he knows misses none."""
        return self._bell.count

    def heard(self, known_count: int, seconds_max: float | None = None) -> bool:
        """Wait until it has rung more often than that, ``seconds_max`` at most; whether it has."""

        async def listen() -> None:
            with trio.move_on_after(math.inf if seconds_max is None else seconds_max):
                await self._bell.heard(known_count)

        self._portal.call(listen)
        return self._bell.count > known_count


async def _entered(manager: Reader) -> tuple[Reader, AsyncIterator[Window]]:
    return manager, await manager.__aenter__()


async def _next(windows: AsyncIterator[Window]) -> Window | None:
    try:
        return await anext(windows)
    except StopAsyncIteration:
        return None


def _small(item: object) -> int:
    return SMALL_BYTES


def _file_bytes(instance: Instance) -> int:
    return SMALL_BYTES + len(instance.file)


def _tell() -> None:
    """Methods that say nothing of themselves are what their originals say."""
    for name, method in vars(Archive).items():
        if isfunction(method) and not method.__doc__ and not name.startswith("_"):
            original = engine.Archive if hasattr(engine.Archive, name) else Images
            method.__doc__ = getattr(original, name).__doc__


_tell()
