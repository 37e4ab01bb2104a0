"""Our DICOM port with nothing behind it: it drops what it is sent, or keeps it in an intake log that nothing drains.

What the port itself costs is seen here, without describing, spilling and indexing.
"""

import os
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import trio

from engine.model import Found, Instance, Origin, Query
from engine.ports import Peer
from native.lane import Lane
from native.segment import Log
from protocols import dimse

SEGMENT_BYTES = 64 << 20
ZEROS = bytes(1 << 20)


class Nothing:
    """An archive that has only a way in, and no peers."""

    def __init__(self, log: Log | None, spool: int) -> None:
        self._log = log
        self._spool = spool

    def lane(self, origin: Origin) -> Lane:
        """The receiver takes no lane for: drop it."""
        if self._log is None:
            return None  # type: ignore[return-value]
        return Lane(self._log, b"bench", self._spool, "spool-", object_bytes_max=1 << 30, gather_bytes_max=4 << 20)

    async def answer(self, query: Query) -> Found:
        raise NotImplementedError

    async def instances(self, query: Query) -> list[Instance]:
        raise NotImplementedError

    def reader(self, instances: Sequence[Instance]) -> AbstractAsyncContextManager[object]:
        raise NotImplementedError

    @property
    def commitments(self) -> "Nothing":
        """Nobody has asked for any."""
        return self

    async def left(self) -> list[object]:
        return []

    def lookup(self, ae_title: str) -> Peer | None:
        return None

    def all(self) -> Sequence[Peer]:
        return ()


def intake_log(folder: Path, segments: int) -> Log:
    """A log over segments that are written full of zeros and synced before use, as the archive's are."""
    log = Log(first_lsn=1, stamp_floor=0, ring_capacity=1 << 17, wait_ms_max=20_000, external_ack=False)
    for number in range(segments):
        segment = os.open(folder / f"segment{number}", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        for _ in range(SEGMENT_BYTES // len(ZEROS)):
            os.write(segment, ZEROS)
        os.fsync(segment)
        log.add_segment(segment, number, 1, SEGMENT_BYTES)
    return log


async def run(folder: Path, segments: int) -> None:
    """Serve until cancelled; prints ``ready PORT``."""
    log = intake_log(folder, segments) if segments else None
    nothing = Nothing(log, os.open(folder, os.O_RDONLY | os.O_DIRECTORY))
    settings = dimse.DimseSettings(port=0, ae_title="SINK")
    async with trio.open_nursery() as nursery:

        async def serve(*, task_status: trio.TaskStatus[tuple[str, int]]) -> None:
            await dimse.serve(nothing, settings, nothing, shutdown=trio.Event(), task_status=task_status)  # type: ignore[arg-type]

        _, port = await nursery.start(serve)
        print(f"ready {port}", flush=True)
