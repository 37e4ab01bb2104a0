"""Export: matching instances as Part-10 files, as kept: DIR/STUDY/SERIES/INSTANCE.dcm; TIFF preambles given back."""

import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Literal

import msgspec
import trio

import engine

_UID = re.compile(r"[0-9]+(?:\.[0-9]+)*")


class Exported(msgspec.Struct):
    """How far an export is. ``done`` in the last one. ``older_versions``: kept beside the current ones, not written."""

    files: int = 0
    size_bytes: int = 0
    lost: int = 0
    damaged: int = 0
    older_versions: int = 0
    done: bool = False


class Unwritten(msgspec.Struct, frozen=True):
    """An instance whose bytes are gone (``lost``) or not those that were kept (``damaged``): no file is made of it."""

    sop_instance_uid: str
    why: Literal["lost", "damaged"]


Report = Callable[[Exported | Unwritten], Awaitable[None]]


async def export(archive: engine.Archive, query: engine.Query, folder: Path, report: Report) -> None:
    """Write every instance below what matches. A file is complete and sound under its name or not there."""
    instances = await archive.instances(query)
    counts = Exported(older_versions=sum(instance.version_count - 1 for instance in instances))
    async with archive.reader(instances) as windows:
        async for window in windows:
            for instance in window.lost:
                counts.lost += 1
                await report(Unwritten(instance.sop_instance_uid, "lost"))
            for fetched in window.objects:
                path = folder / relative_path(fetched.instance)
                try:
                    counts.size_bytes += await trio.to_thread.run_sync(_write, path, fetched)
                    counts.files += 1
                except engine.Corrupt:
                    counts.damaged += 1
                    await report(Unwritten(fetched.instance.sop_instance_uid, "damaged"))
            await report(counts)
    counts.done = True
    await report(counts)


def relative_path(instance: engine.Instance) -> Path:
    """STUDY/SERIES/INSTANCE.dcm; whatever is no UID becomes the object's key, so that no name leads elsewhere."""
    uids = (instance.study_uid, instance.series_uid, instance.sop_instance_uid)
    study, series, name = (uid if _UID.fullmatch(uid) and len(uid) <= 64 else f"key-{instance.key}" for uid in uids)
    return Path(study, series, f"{name}.dcm")


def _write(path: Path, fetched: engine.Fetched) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    try:
        with temporary.open("wb") as out:
            size_bytes = sum(map(out.write, engine.checked_pieces(fetched)))
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return size_bytes
