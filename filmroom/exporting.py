"""Export: matching instances as Part-10 files, as kept: DIR/STUDY/SERIES/INSTANCE.dcm; TIFF preambles given back."""

import os
import re
from collections.abc import AsyncGenerator
from pathlib import Path

import msgspec
import trio

import engine

_UID = re.compile(r"[0-9]+(?:\.[0-9]+)*")
COPY_BYTES = 1 << 20
PREAMBLE_BYTES = 128


class Exported(msgspec.Struct, frozen=True):
    """How far an export is. ``done`` in the last one."""

    files: int
    size_bytes: int
    lost: int
    done: bool = False


class Lost(msgspec.Struct, frozen=True):
    """An instance whose bytes are not there any more."""

    sop_instance_uid: str


async def export(archive: engine.Archive, query: engine.Query, folder: Path) -> AsyncGenerator[Exported | Lost, None]:
    """Write every instance below what matches. A file is complete under its name or not there."""
    instances = await archive.instances(query)
    files = size_bytes = lost = 0
    async with archive.reader(instances) as windows:
        async for window in windows:
            for instance in window.lost:
                lost += 1
                yield Lost(instance.sop_instance_uid)
            for fetched in window.objects:
                path = folder / relative_path(fetched.instance)
                size_bytes += await trio.to_thread.run_sync(_write, path, fetched)
                files += 1
            yield Exported(files, size_bytes, lost)
    yield Exported(files, size_bytes, lost, done=True)


def relative_path(instance: engine.Instance) -> Path:
    """STUDY/SERIES/INSTANCE.dcm; whatever is no UID becomes the object's key, so that no name leads elsewhere."""
    uids = (instance.study_uid, instance.series_uid, instance.sop_instance_uid)
    study, series, name = (uid if _UID.fullmatch(uid) and len(uid) <= 64 else f"key-{instance.key}" for uid in uids)
    return Path(study, series, f"{name}.dcm")


def _write(path: Path, fetched: engine.Fetched) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    with temporary.open("wb") as out:
        source = fetched.source
        if isinstance(source, bytes):
            out.write(source)
        else:
            _copy(source, out.fileno())
        if len(fetched.instance.preamble) == PREAMBLE_BYTES:
            os.pwrite(out.fileno(), fetched.instance.preamble, 0)
    temporary.replace(path)
    return path.stat().st_size


def _copy(source: engine.FileRange, fd: int) -> None:
    offset, left = source.offset, source.length
    while left:
        piece = os.pread(source.fd, min(left, COPY_BYTES), offset)
        if not piece:
            raise engine.Corrupt("an object is shorter than its record says")
        os.write(fd, piece)
        offset, left = offset + len(piece), left - len(piece)
