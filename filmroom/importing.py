"""Import: stores every source, several at once, and counts what became of them. Running it again goes on where it
ended: what is kept already is counted as the same."""

import zipfile
import zlib
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import trio

import engine
from filmroom.sources import Source, chunks, holds_no_image, sources

# Stores in flight: they share one group sync, so a few hide its latency.
WORKERS_COUNT = 8
REPORT_EVERY_COUNT = 64
ATTEMPTS_MAX = 5


class Counts(msgspec.Struct):
    """What an import has done so far. ``skipped``: files of a folder or zip that hold no image."""

    new: int = 0
    same: int = 0
    version: int = 0
    elsewhere: int = 0
    bad: int = 0
    skipped: int = 0
    size_bytes: int = 0
    done: bool = False


class Bad(msgspec.Struct, frozen=True):
    """A file that was not kept, and why."""

    file: str
    reason: str


Report = Callable[[Counts | Bad], Awaitable[None]]


async def import_paths(archive: engine.Archive, paths: list[Path], report: Report) -> None:
    """Store all below the paths; reports bad files as met, and the counts now and then and at the end (``done``)."""
    counts = Counts()
    work_in, work_out = trio.open_memory_channel[Source](WORKERS_COUNT)
    report_in, report_out = trio.open_memory_channel[Counts | Bad](WORKERS_COUNT)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_list, paths, work_in)
        async with report_in, work_out:
            for _ in range(WORKERS_COUNT):
                nursery.start_soon(_work, archive, counts, work_out.clone(), report_in.clone())
        async with report_out:
            async for item in report_out:
                await report(item)
    counts.done = True
    await report(counts)


async def _list(paths: list[Path], work: trio.MemorySendChannel[Source]) -> None:
    walk = sources(paths)
    async with work:
        while (source := await trio.to_thread.run_sync(next, walk, None)) is not None:
            await work.send(source)


async def _work(
    archive: engine.Archive,
    counts: Counts,
    work: trio.MemoryReceiveChannel[Source],
    report: trio.MemorySendChannel[Counts | Bad],
) -> None:
    async with work, report:
        async for source in work:
            reason = source.problem or await _store(archive, source, counts)
            if reason:
                counts.bad += 1
                await report.send(Bad(str(source), reason))
            elif (counts.new + counts.same + counts.skipped) % REPORT_EVERY_COUNT == 0:
                await report.send(msgspec.structs.replace(counts))


async def _store(archive: engine.Archive, source: Source, counts: Counts) -> str:
    """Keep one file and count it; the reason when it could not be kept."""
    for attempt in range(ATTEMPTS_MAX):
        try:
            stored = await archive.store(chunks(source) if source.within else source.path, engine.Origin(how="import"))
        except engine.Unavailable as error:  # full or busy: it says so, and loses nothing; wait as it asks
            if attempt + 1 == ATTEMPTS_MAX:
                return str(error)
            await trio.sleep(error.retry_after_seconds)
        except engine.Invalid as error:
            if not source.named and await trio.to_thread.run_sync(holds_no_image, source):
                counts.skipped += 1
                return ""
            return str(error)
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            return f"damaged zip: {error or 'it ends too early'}"
        except (OSError, NotImplementedError, RuntimeError) as error:
            # The last two are what zipfile says of a method that it does not know, and of a password.
            return f"it cannot be read: {error.strerror if isinstance(error, OSError) else error}"
        else:
            setattr(counts, stored.outcome, getattr(counts, stored.outcome) + 1)
            counts.size_bytes += stored.instance.size_bytes
            return ""
    return "the archive stayed busy"
