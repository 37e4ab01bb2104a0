"""In, for callers that hold a file: the library and import. (Associations take the lane; see ``native.wire``.)"""

import mmap
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from engine.errors import Invalid, Unavailable
from engine.house import House
from engine.keep.copying import Buffer
from engine.limits import LIMITS
from engine.model import Instance, Origin, Stored, StoreRecord
from native import dataset


def submit(house: House, source: bytes | Path, origin: Origin) -> Stored:
    """Keep one file and wait until it is acknowledged and findable. Raises Invalid, Unavailable, Fenced."""
    if not isinstance(source, Path):
        return _submit_buffer(house, source, origin)
    with source.open("rb") as file:
        # Read, not mapped: of a file that somebody cuts short meanwhile, a mapping would end this process (SIGBUS).
        piece = file.read(LIMITS.gather_bytes_max)
        if len(piece) < LIMITS.gather_bytes_max:
            return _submit_buffer(house, piece, origin)
        with closing(Submission(house, origin)) as submission:
            while piece:
                submission.write(piece)
                piece = file.read(LIMITS.read_bytes)
            return submission.finish()


def append(house: House, source: Buffer, origin: Origin) -> int:
    """Write one file to the intake without waiting; its LSN. Raises Invalid, Unavailable, Fenced."""
    with memoryview(source) as view:
        if len(view) > LIMITS.object_bytes_max:
            raise Invalid(f"larger than the limit of {LIMITS.object_bytes_max} bytes")
        try:
            head, offset, preamble = dataset.canonical(view)
        except dataset.Malformed as error:
            raise Invalid(str(error)) from None
        return house.intake.store(msgspec.structs.replace(origin, preamble=preamble), [head, view[offset:]])


def settle(house: House, lsn: int) -> Stored:
    """Wait until ``lsn`` is acknowledged and folded; what the archive made of it."""
    house.intake.wait(lsn)
    house.ingest.wait_folded(lsn, LIMITS.find_wait_seconds_max)
    known = house.ingest.outcome(lsn)
    if known is None or known.outcome == "act" or not isinstance(known.record, StoreRecord):
        raise Unavailable("stored, but its outcome is no longer at hand")
    return Stored(instance_of(known.record), known.outcome)


def instance_of(record: StoreRecord) -> Instance:
    """The instance that a record stands for."""
    return Instance(
        study_uid=record.study_uid,
        series_uid=record.series_uid,
        sop_instance_uid=record.sop_instance_uid,
        sop_class_uid=record.sop_class_uid,
        transfer_syntax_uid=record.transfer_syntax_uid,
        key=record.key,
        size_bytes=record.size_bytes,
        stamp=record.stamp,
        writer=record.writer,
        lsn=record.lsn,
        blake3_root=record.blake3_root,
        preamble=record.origin.preamble,
    )


def _submit_buffer(house: House, source: Buffer, origin: Origin) -> Stored:
    return settle(house, append(house, source, origin))


class Submission:
    """A file that arrives in pieces: in memory while small, in a temporary file when large."""

    def __init__(self, house: House, origin: Origin) -> None:
        self._house = house
        self._origin = origin
        self._length = 0
        self._file: Any = tempfile.SpooledTemporaryFile(max_size=LIMITS.gather_bytes_max)  # noqa: SIM115

    def write(self, chunk: bytes) -> None:
        """Raises Invalid above the object limit."""
        self._length += len(chunk)
        if self._length > LIMITS.object_bytes_max:
            raise Invalid(f"larger than the limit of {LIMITS.object_bytes_max} bytes")
        self._file.write(chunk)

    def finish(self) -> Stored:
        """Keep what was written. Raises Invalid, Unavailable, Fenced."""
        if self._length <= LIMITS.gather_bytes_max:
            self._file.seek(0)
            return _submit_buffer(self._house, self._file.read(), self._origin)
        self._file.flush()
        mapped = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)  # our own file, without a name
        return _submit_buffer(self._house, memoryview(mapped), self._origin)

    def close(self) -> None:
        self._file.close()
