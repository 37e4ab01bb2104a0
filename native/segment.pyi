"""The intake log: preallocated segments, records, group fdatasync by leader and follower, all without the GIL.

Format: engine/keep/intake_format.py draws the record.
"""

from collections.abc import Sequence
from typing import Final

from typing_extensions import Buffer

from native.scan import Entry as Entry
from native.scan import Scan as Scan
from native.scan import scan as scan

KIND_INSTANCE: Final[int]  # payload is a canonical Part-10 file
KIND_SPOOLED: Final[int]  # payload names a spool file: see formats.Spooled
KIND_NOTE: Final[int]  # payload is the engine's own msgpack (from issue B on: deletes, peers, flow)

class Log:
    """One node's intake. Thread-safe."""

    def __init__(
        self, *, first_lsn: int, stamp_floor: int, ring_capacity: int, wait_ms_max: int, external_ack: bool,
        backlog_bytes_max: int = 0
    ) -> None:
        """external_ack: True for ack=object; then `acknowledge(lsn)` releases waiters instead of the group sync.

        wait_ms_max: how long an append waits for room, and its sync for the disk. backlog_bytes_max: payloads and spool files
        that may stand between their append and their checkpoint (0: the segments are the limit)."""
    def add_segment(self, fd: int, number: int, generation: int, capacity_bytes: int) -> None:
        """A zero-filled, synced file to append to next. The log does not own fd."""
    def append_parts(self, context: bytes, kind: int, parts: Sequence[Buffer], key: bytes | None = None) -> int:
        """Python's way in (library, import, notes). Returns the LSN. Raises TimeoutError when full, ConnectionAbortedError when
        stopped, OSError when failed."""
    def sync(self, lsn: int) -> None:
        """Every record up to ``lsn`` is on disk when this returns, whoever acknowledges it."""
    def rotate(self) -> None:
        """Close the segment that is appended to, so that it can be given back although it is not full."""
    def wait(self, lsn: int) -> None:
        """Blocks without the GIL until acknowledged. Raises TimeoutError (full), ConnectionAbortedError (stopped), OSError (failed)."""
    def drain(self, count_max: int, timeout_ms: int, linger_ms: int = 0, pause_ms: int = 0) -> list[Entry]:
        """Next records in LSN order whose write is complete (synced or not); waits for the first, then up to linger_ms for
        count_max of them, unless somebody is in a hurry, or none comes for pause_ms (0: whole linger). One consumer."""
    def hurry(self) -> None:
        """Somebody waits for what is written to be drained: the drain does not linger."""
    def await_need(self, timeout_ms: int) -> None:
        """Blocks until no empty segment is left, or for a while."""
    def charge(self, bytes_more: int) -> None:
        """More (or less) backlog than the payloads that were appended."""
    def refuse(self, refusing: bool) -> None:
        """The disk is nearly full: appends raise TimeoutError at once."""
    def suspect(self) -> bool:
        """A sync runs for longer than anybody waits for it. Appends are refused until it ends."""
    def latencies(self) -> tuple[list[float], list[int], float]:
        """Waits for the acknowledgement: upper bounds in seconds, counts (one more: above all), seconds in all."""
    def acknowledge(self, lsn: int) -> None: ...
    def retired(self) -> list[tuple[int, int]]:
        """Segments that are full and closed to appends: (number, highest LSN in it)."""
    def remove_segment(self, number: int) -> None: ...
    def acknowledged_lsn(self) -> int: ...
    def written_lsn(self) -> int: ...
    def fail(self, reason: str) -> None:
        """Nothing is acknowledged from now on; all waiters wake with FAILED."""
    def failure(self) -> str: ...
    def stop(self) -> None: ...
    def statistics(self) -> dict[str, int]:
        """appends, bytes, syncs, sync_ns, segments_free, waiting, backlog_bytes."""
