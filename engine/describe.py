"""From one intake entry to the record that journal and index keep."""

from collections.abc import Iterator
from mmap import MADV_DONTNEED, mmap
from typing import Final

import msgspec

from engine.keep.content_digest import prove
from engine.model import ActRecord, Note, Origin, StoreRecord
from native import dataset
from native.segment import Entry

LET_GO_BYTES: Final = 16 << 20


def describe(entry: Entry, file: memoryview, context: bytes, writer: str) -> StoreRecord:
    """The record of one acknowledged canonical file. Raises ``native.dataset.Malformed``.

    ``file`` is the whole canonical object, ``entry.key`` its XXH3-128, ``context`` what its lane was opened with.
    """
    mapped = file.obj if isinstance(file.obj, mmap) and len(file.obj) == len(file) else None
    found = dataset.describe(file, is_mapped=mapped is not None)
    proof = prove(_in_turn(mapped) if mapped is not None else [file])
    return StoreRecord(
        writer=writer,
        lsn=entry.lsn,
        stamp=entry.stamp,
        study_uid=found.study_uid,
        series_uid=found.series_uid,
        sop_instance_uid=found.sop_instance_uid,
        sop_class_uid=found.sop_class_uid,
        transfer_syntax_uid=found.transfer_syntax_uid,
        key=entry.key.hex(),
        size_bytes=len(file),
        content_digest=found.content_digest,
        header=found.header,
        not_indexed=found.not_indexed,
        frames=found.frames,
        blake3_root=proof.root,
        blake3_chunks=proof.chunks,
        origin=msgspec.msgpack.decode(context, type=Origin),
    )


def _in_turn(mapped: mmap) -> Iterator[memoryview]:
    """Piece by piece; the pages of one no longer count as ours when the next one is asked for."""
    with memoryview(mapped) as whole:
        for at in range(0, len(whole), LET_GO_BYTES):
            piece = whole[at : at + LET_GO_BYTES]
            yield piece
            mapped.madvise(MADV_DONTNEED, at, len(piece))


def describe_note(entry: Entry, payload: memoryview, context: bytes, writer: str) -> ActRecord:
    """The record of one decision: what was noted, with the writer, LSN and stamp that the intake gave it."""
    note = msgspec.msgpack.decode(payload, type=Note)
    return ActRecord(
        kind=note.kind,
        writer=writer,
        lsn=entry.lsn,
        stamp=entry.stamp,
        study_uid=note.study_uid,
        targets=note.targets,
        reason=note.reason,
        origin=msgspec.msgpack.decode(context, type=Origin),
    )
