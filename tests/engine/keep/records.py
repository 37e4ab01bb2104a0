"""Store records for tests."""

from engine.model import Origin, StoreRecord


def record(
    lsn: int, stamp: int | None = None, content: int = 0, *, writer: str = "w1", key: str = "", preamble: bytes = b""
) -> StoreRecord:
    """One store of instance 1.2.3.4; ``content`` is what it says, ``key`` the object that carries it."""
    name = key or f"{content:032x}"
    return StoreRecord(
        writer=writer,
        lsn=lsn,
        stamp=lsn if stamp is None else stamp,
        study_uid="1.2",
        series_uid="1.2.3",
        sop_instance_uid="1.2.3.4",
        sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        key=name,
        size_bytes=1000 + int(name[:32], 16) % 97,
        content_digest=bytes([content % 256]) * 16,
        header=b"header" * 20,
        blake3_root=name.encode(),
        frames=b"frames",
        origin=Origin(preamble=preamble),
    )
