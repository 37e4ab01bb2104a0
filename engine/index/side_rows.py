"""Rows that no query sees: headers of versions that are not shown, and where frames stand in large objects."""

import msgspec

from engine.index.schema import VERSION, Facts, Row
from engine.keep import fold
from engine.model import Layout, StoreRecord


def version_key(key: str, content_digest: bytes) -> str:
    """The name of the row that keeps the header of a version that is not shown."""
    return f"{key}#{content_digest.hex()}"


def version_row(instance: Row, content_digest: bytes, header: bytes) -> Row:
    """Keeps the header of a version that is not shown; no query sees it."""
    facts = instance.facts
    name = f"{facts.sop_instance_uid}#{content_digest.hex()}"
    return Row(Facts(VERSION, facts.study_uid, facts.series_uid, name), header)


def layout_name(sop_instance_uid: str, key: str) -> str:
    """What stands for the SOP Instance UID in the row that keeps the layout of an object."""
    return f"{sop_instance_uid}#={key}"


def layout_row(record: StoreRecord) -> Row | None:
    """Keeps where frames stand in a large object, and what its chunks are; None for one that has no need of it. No
    query sees it."""
    if not record.blake3_chunks and record.frames == fold.few(record.frames):
        return None
    name = layout_name(record.sop_instance_uid, record.key)
    layout = msgspec.msgpack.encode(Layout(record.frames, record.blake3_chunks))
    return Row(Facts(VERSION, record.study_uid, record.series_uid, name), layout)
