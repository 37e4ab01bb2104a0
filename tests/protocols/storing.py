"""An archive that can only store: a real lane into a real log, its segments in memory."""

import os

from engine.model import Origin
from native.lane import Lane
from native.segment import Log
from tests.protocols.small_archive import SmallArchive

SEGMENT_BYTES = 64 << 20


class StoringArchive(SmallArchive):
    """``kept()`` is every canonical file in the log, in LSN order."""

    def __init__(self, *, object_bytes_max: int = 1 << 30) -> None:
        super().__init__()
        self.origins: list[Origin] = []
        self._object_bytes_max = object_bytes_max
        self._log = Log(first_lsn=1, stamp_floor=0, ring_capacity=4096, wait_ms_max=5000, external_ack=False)
        self._segment = os.memfd_create("segment")
        os.ftruncate(self._segment, SEGMENT_BYTES)
        self._log.add_segment(self._segment, 1, 1, SEGMENT_BYTES)
        self._spool = os.open("/tmp", os.O_RDONLY | os.O_DIRECTORY)

    def lane(self, origin: Origin) -> Lane:  # type: ignore[override]
        self.origins.append(origin)
        return Lane(
            self._log,
            b"origin",
            self._spool,
            "spool-",
            object_bytes_max=self._object_bytes_max,
            gather_bytes_max=4 << 20,
        )

    def kept(self) -> list[bytes]:
        entries = []
        while batch := self._log.drain(1024, 0):
            entries += batch
        return [os.pread(self._segment, entry.payload_length, entry.payload_offset) for entry in entries]

    def acknowledged(self) -> int:
        return self._log.acknowledged_lsn()
