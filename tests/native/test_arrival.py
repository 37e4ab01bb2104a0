"""Files that arrive in pieces: whatever the cuts, what is kept is the canonical file; what is not leaves nothing."""

import os
import random
import zlib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from bench.data import Shape, files
from bench.large import Large
from engine.keep.intake_format import Spooled
from native.arrival import Arrival
from native.dataset import canonical, canonical_head, describe
from native.faults import Malformed
from native.lane import Lane
from native.segment import KIND_INSTANCE, KIND_SPOOLED, Entry, Log

GATHER_BYTES = 8192
SMALL = next(files(Shape(series=1, instances=1, rows=32, seed=5))).data
LARGE = next(files(Shape(series=1, instances=1, rows=128, seed=5))).data
TIFF = b"II*\0" + bytes(124)
OTHER = b"other context"
assert len(SMALL) < GATHER_BYTES < len(LARGE)


class Intake:
    """A log in one segment, and a lane into it."""

    def __init__(self, folder: Path) -> None:
        self.spool = folder / "spool"
        self.spool.mkdir()
        (folder / "segment").write_bytes(bytes(1 << 20))
        self.segment = os.open(folder / "segment", os.O_RDWR)
        self.directory = os.open(self.spool, os.O_RDONLY)
        self.log = Log(first_lsn=1, stamp_floor=0, ring_capacity=64, wait_ms_max=50, external_ack=False)
        self.log.add_segment(self.segment, 0, 1, 1 << 20)

    def lane(self, context: bytes = b"context") -> Lane:
        return Lane(self.log, context, self.directory, "run", object_bytes_max=1 << 20, gather_bytes_max=GATHER_BYTES)

    def spooled(self) -> list[Path]:
        return list(self.spool.iterdir())

    def backlog(self) -> int:
        return self.log.statistics()["backlog_bytes"]

    def kept(self) -> tuple[int, bytes, bytes]:
        """Kind, context and file of the only record that is new."""
        (entry,) = self.log.drain(10, 0)
        return self.read(entry)

    def kept_one(self) -> tuple[int, bytes, bytes]:
        """LSN, context and file of the next record."""
        (entry,) = self.log.drain(1, 0)
        return entry.lsn, *self.read(entry)[1:]

    def read(self, entry: Entry) -> tuple[int, bytes, bytes]:
        payload = os.pread(self.segment, entry.payload_length, entry.payload_offset)
        at = entry.payload_offset - entry.context_length
        context = os.pread(self.segment, entry.context_length, at)
        if entry.kind == KIND_SPOOLED:
            payload = (self.spool / msgspec.msgpack.decode(payload, type=Spooled).name).read_bytes()
        return entry.kind, context, payload


@pytest.fixture
def intake(tmp_path: Path) -> Iterator[Intake]:
    made = Intake(tmp_path)
    yield made
    os.close(made.segment)
    os.close(made.directory)


def canonical_file(data: bytes) -> bytes:
    head, offset, _ = canonical(data)
    return head + data[offset:]


def cut(data: bytes, seed: int) -> Iterator[bytes]:
    chance = random.Random(seed)
    at = 0
    while at < len(data):
        end = at + chance.choice((1, 7, 500, 9000))
        yield data[at:end]
        at = end


def deflated(data: bytes) -> bytes:
    """The same data set in the deflated syntax, stored in it as it is, so that it stays large."""
    offset = canonical(data)[1]
    squeeze = zlib.compressobj(wbits=-15, level=0)
    packed = squeeze.compress(data[offset:]) + squeeze.flush()
    uids = (*canonical_uids(data)[:2], "1.2.840.10008.1.2.1.99")
    return canonical_head(*uids) + packed + b"\0" * (len(packed) & 1)


def canonical_uids(data: bytes) -> list[str]:
    found = describe(data)
    return [found.sop_class_uid, found.sop_instance_uid, found.study_uid, found.series_uid]


FILES = {
    "small": SMALL,
    "large": LARGE,
    "small-bare": SMALL[canonical(SMALL)[1] :],
    "large-bare": LARGE[canonical(LARGE)[1] :],
    "large-deflated": deflated(LARGE),
    "small-deflated": deflated(SMALL),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("seed", range(4))
def test_what_is_kept_is_the_canonical_file_whatever_the_cuts(name: str, seed: int, intake: Intake) -> None:
    data = FILES[name]
    arrival = Arrival(intake.lane())
    for _ in range(2):  # one upload has many files
        for piece in cut(data, seed):
            arrival.write(piece)
        assert arrival.length == len(data)
        assert all(arrival.check())
        lsn = arrival.keep()
        intake.log.wait(lsn)
        kind, context, kept = intake.kept()
        assert kept == canonical_file(data)
        assert context == b"context"
        assert kind == (KIND_SPOOLED if name.startswith("large") else KIND_INSTANCE)
        assert len(intake.spooled()) == (1 if kind == KIND_SPOOLED else 0)
        for one in intake.spool.iterdir():
            one.unlink()
    arrival.close()


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
def test_a_preamble_is_told_and_another_context_taken(data: bytes, intake: Intake) -> None:
    arrival = Arrival(intake.lane())
    arrival.write(TIFF + data[128:])
    arrival.check()
    assert arrival.preamble == TIFF
    arrival.keep(intake.lane(OTHER))
    assert arrival.preamble == b""
    assert intake.kept()[1:] == (OTHER, canonical_file(data))


@pytest.mark.parametrize("cut_at", [0, 5, 131, 140, 400, 2000, 8191, 8192, 8193, len(LARGE) - 1])
def test_what_is_cut_is_refused_and_leaves_nothing(cut_at: int, intake: Intake) -> None:
    arrival = Arrival(intake.lane())
    arrival.write(LARGE[:cut_at])
    with pytest.raises(Malformed):
        arrival.check()
    with pytest.raises(ValueError, match="checked"):
        arrival.keep()
    if cut_at > 2000:
        assert arrival.known == tuple(canonical_uids(LARGE))
    arrival.give_up()
    assert intake.spooled() == [] and intake.backlog() == 0
    arrival.write(SMALL)
    arrival.check()
    arrival.keep()
    assert intake.kept()[2] == canonical_file(SMALL)


def test_what_begins_as_no_dicom_is_refused_before_it_is_spooled(intake: Intake) -> None:
    arrival = Arrival(intake.lane())
    with pytest.raises(Malformed):
        arrival.write(b"\0" * 20_000)
    arrival.give_up()
    assert intake.spooled() == []


def test_a_file_that_is_never_finished_leaves_nothing(intake: Intake) -> None:
    arrival = Arrival(intake.lane())
    arrival.write(LARGE)
    assert len(intake.spooled()) == 1
    assert intake.backlog() > 0
    del arrival
    assert intake.spooled() == [] and intake.backlog() == 0


def test_a_file_above_the_limit_is_refused(intake: Intake) -> None:
    arrival = Arrival(intake.lane())
    arrival.write(LARGE)
    with pytest.raises(ValueError, match="larger than"):
        arrival.write(bytes(1 << 20))


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
def test_a_full_intake_is_told(data: bytes, intake: Intake) -> None:
    intake.log.refuse(True)
    arrival = Arrival(intake.lane())
    with pytest.raises(TimeoutError):
        arrival.write(data)
        arrival.check()
        arrival.keep()
    arrival.give_up()
    assert intake.spooled() == []
    intake.log.refuse(False)
    arrival.write(data)
    arrival.check()
    arrival.keep()
    assert intake.kept()[2] == canonical_file(data)


def test_fewer_bytes_may_be_gathered_than_the_lane_allows(intake: Intake) -> None:
    arrival = Arrival(intake.lane(), 1024)
    arrival.write(SMALL)
    assert len(intake.spooled()) == 1
    arrival.check()
    arrival.keep()
    assert intake.kept()[::2] == (KIND_SPOOLED, canonical_file(SMALL))


def test_a_spooled_file_of_many_small_values_is_checked_in_little_memory(intake: Intake) -> None:
    lane = Lane(intake.log, b"", intake.directory, "large", object_bytes_max=1 << 30, gather_bytes_max=GATHER_BYTES)
    arrival = Arrival(lane)
    for piece in Large(1, 512).pieces():
        arrival.write(piece)
    arrival.check()
    maps = Path("/proc/self/smaps").read_text()
    block = maps[maps.index("/spool/large-") :]
    assert int(block[block.index("Rss:") :].split()[1]) < 16 << 10  # KiB of 256 MiB: the kernel maps some around each
    arrival.close()
