"""In, for callers that hold a file or get it in pieces: the library, import, the web. (Associations take the lane; see
``native.wire``.)"""

from collections.abc import AsyncIterable, AsyncIterator, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

from engine.errors import Fenced, Invalid, Unavailable
from engine.house import House
from engine.keep.copying import Buffer
from engine.keep.fold import few
from engine.limits import LIMITS
from engine.model import Instance, Origin, Stored, StoreRecord, Uids
from native import dataset
from native.arrival import Arrival
from native.canonical import TIFF
from native.lane import Lane


def submit(house: House, source: bytes | Path, origin: Origin) -> Stored:
    """Keep one file and wait until it is acknowledged and findable. Raises Invalid, Unavailable, Fenced."""
    if not isinstance(source, Path):
        return _submit_buffer(house, source, origin)
    with source.open("rb") as file:
        # Read, not mapped: of a file that somebody cuts short meanwhile, a mapping would end this process (SIGBUS).
        piece = file.read(LIMITS.gather_bytes_max)
        if len(piece) < LIMITS.gather_bytes_max:
            return _submit_buffer(house, piece, origin)
        with closing(Upload(house, origin)) as upload:
            while piece:
                upload.write(piece)
                piece = file.read(LIMITS.read_bytes)
            return finish(upload)


async def batches(source: AsyncIterable[bytes], size_bytes: int) -> AsyncIterator[list[bytes]]:
    """Pieces that come, several at a time: a thread's way is dearer than a piece."""
    pieces: list[bytes] = []
    count = 0
    async for piece in source:
        pieces.append(bytes(piece))
        count += len(piece)
        if count >= size_bytes:
            yield pieces
            pieces, count = [], 0
    if pieces:
        yield pieces


def write_all(upload: "Upload", pieces: Sequence[bytes]) -> None:
    """Raises as ``Upload.write``."""
    for piece in pieces:
        upload.write(piece)


def finish(upload: "Upload") -> Stored:
    """The one file of an upload has come: keep it and wait. Raises Invalid, Unavailable, Fenced."""
    upload.check()
    return upload.settle([upload.keep()])[0]


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


def settle(house: House, lsns: Sequence[int]) -> list[Stored]:
    """Wait until these are acknowledged and folded, with one group sync and one fold; what the archive made of each."""
    if not lsns:
        return []
    last = max(lsns)
    house.intake.log.hurry()  # they are folded while they are synced
    house.intake.wait(last)
    size_bytes, _ = house.intake.unspilled()
    house.ingest.wait_folded(last, LIMITS.find_wait_seconds_max + size_bytes / LIMITS.disk_bytes_a_second_min)
    return [_outcome(house, lsn) for lsn in lsns]


def _outcome(house: House, lsn: int) -> Stored:
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
        frames=few(record.frames),
    )


def _submit_buffer(house: House, source: Buffer, origin: Origin) -> Stored:
    return settle(house, (append(house, source, origin),))[0]


class Upload:
    """Files of one origin on their way in, one after another, each in pieces: in memory while small, in the intake's
    own spool file while they arrive when large. It blocks: for threads, one at a time. ``arrival``: the same, for those
    who write without the GIL (``native.body``)."""

    def __init__(self, house: House, origin: Origin, gather_bytes_max: int = 0) -> None:
        """``gather_bytes_max``: less than the usual limit, when many arrive at once."""
        self._house = house
        self._origin = origin
        self.arrival = Arrival(house.intake.lane(origin), gather_bytes_max)

    @property
    def known(self) -> Uids:
        """What the last check saw of it before it refused it; empty: nothing."""
        return Uids(*self.arrival.known)

    def write(self, piece: Buffer) -> None:
        """More of a file. Raises Invalid, Unavailable, Fenced; then it can only be given up."""
        with self._refusals():
            self.arrival.write(piece)

    def check(self) -> Uids:
        """The file has come: whether it can be kept. Raises Invalid."""
        with self._refusals():
            return Uids(*self.arrival.check())

    def keep(self) -> int:
        """Append what was checked, without waiting; its LSN, for ``settle``. Raises Unavailable, Fenced."""
        preamble = self.arrival.preamble
        with self._refusals():
            if preamble[:4] not in TIFF:
                return self.arrival.keep()
            return self.arrival.keep(self.lane_for(preamble))

    def lane_for(self, preamble: bytes) -> Lane:
        """The way in for a file with a preamble that is kept."""
        return self._house.intake.lane(msgspec.structs.replace(self._origin, preamble=preamble))

    def refused(self, error: OSError) -> Unavailable | Fenced:
        """What the arrival's error means."""
        return self._house.intake.refused(error)

    def settle(self, lsns: Sequence[int]) -> list[Stored]:
        """Wait, once for all, until what was kept is acknowledged and findable; what the archive made of each.

        Raises Unavailable, Fenced: then none of it was acknowledged."""
        return settle(self._house, lsns)

    def give_up(self) -> None:
        """Forget the file that arrives."""
        self.arrival.give_up()

    def close(self) -> None:
        """No more comes; what was not kept leaves nothing."""
        self.arrival.close()

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            yield
        except dataset.Malformed as error:
            raise Invalid(str(error), error.code) from None
        except ValueError as error:
            raise Invalid(str(error)) from None
        except OSError as error:
            raise self.refused(error) from error
