"""Data sets as pydicom has them, into the archive and out of it. pydicom is loaded when it is needed."""

import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing
from copy import copy
from io import BytesIO
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio

from engine import Archive, Conflict, Missing

if TYPE_CHECKING:
    from pydicom import Dataset

EXPLICIT_LITTLE, IMPLICIT_LITTLE = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"


def source_of(source: object) -> Any:
    """What ``engine.Archive.store`` takes, of what people have: bytes, a path, a data set, an iterable of bytes.

    Raises TypeError for anything else.
    """
    if isinstance(source, (bytes, bytearray, memoryview, Path)):
        return source
    if isinstance(source, (str, PathLike)):
        return Path(source)
    if is_dataset(source):
        return file_of(source)
    if isinstance(source, Iterable):
        return _pieces(source)
    kind = type(source).__name__
    raise TypeError(f"store takes bytes, a path, a pydicom.Dataset or an iterable of bytes, not {kind}")


def is_dataset(source: object) -> bool:
    """Whether it is one; nobody has one who has not loaded pydicom."""
    pydicom = sys.modules.get("pydicom")
    return pydicom is not None and isinstance(source, pydicom.Dataset)


def file_of(dataset: Any) -> bytes:
    """The Part-10 file of a data set (PS3.10 7), which is left as it is. One that names no transfer syntax is written
    in the encoding it was read in, or in Explicit VR Little Endian. Raises what pydicom raises."""
    from pydicom.dataset import FileMetaDataset

    written = copy(dataset)
    written.file_meta = FileMetaDataset()
    written.file_meta.update(getattr(dataset, "file_meta", None) or {})
    if not written.file_meta.get("TransferSyntaxUID"):
        is_implicit, _ = dataset.original_encoding
        written.file_meta.TransferSyntaxUID = IMPLICIT_LITTLE if is_implicit else EXPLICIT_LITTLE
    file = BytesIO()
    written.save_as(file, enforce_file_format=True)
    return file.getvalue()


async def instance(archive: Archive, sop_instance_uid: str, *, study_uid: str = "", series_uid: str = "") -> "Dataset":
    """One instance, whole. Raises Missing; Conflict when it is kept in several series and none is named; Corrupt."""
    wanted = {"SOPInstanceUID": sop_instance_uid, "StudyInstanceUID": study_uid, "SeriesInstanceUID": series_uid}
    if not sop_instance_uid:
        raise Missing("no SOP Instance UID is given")
    found: list[bytes] = []
    instances: Any = archive.fetch(**{name: uid for name, uid in wanted.items() if uid})
    async with aclosing(instances):
        async for one in instances:
            found.append(one.file)
            if len(found) > 1:
                raise Conflict("this SOP Instance UID is kept in more than one series: name series_uid, or study_uid")
    if not found:
        raise Missing("there is no such instance")
    return await trio.to_thread.run_sync(_read, found[0])


def _read(file: bytes) -> "Dataset":
    from pydicom import dcmread

    return dcmread(BytesIO(file))


async def _pieces(source: Iterable[bytes]) -> AsyncIterator[bytes]:
    """In threads: what is iterated may block."""
    iterator = iter(source)
    while (piece := await trio.to_thread.run_sync(next, iterator, None)) is not None:
        yield piece
