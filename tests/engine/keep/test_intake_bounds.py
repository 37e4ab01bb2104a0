"""The intake's bounds: its backlog with the spool in it, the space that is kept free, the reserve (H69)."""

import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from engine.clock import Clock
from engine.errors import Fenced, Unavailable
from engine.keep.intake import Intake
from engine.keep.node_directory import DiskNode
from engine.limits import MIB, Limits
from tests.engine.keep.test_intake import LIMITS, ORIGIN, small_settings, spill_all, spools

LARGE = bytes(MIB)  # above the gather limit: a spool file
DISK_BYTES = 100 * MIB
SMALL_RESERVE = Limits(
    segment_bytes=2 * MIB, gather_bytes_max=MIB // 4, object_bytes_max=8 * MIB, reserve_bytes=3 * MIB
)


class SmallDisk(DiskNode):
    """As large, and as full, as it is told to be."""

    free = DISK_BYTES

    def space(self) -> tuple[int, int]:
        return DISK_BYTES, self.free


@pytest.fixture
def disk(tmp_path: Path) -> SmallDisk:
    return SmallDisk(tmp_path)


@pytest.fixture
def intake(disk: SmallDisk) -> Iterator[Intake]:
    opened = open_intake(disk)
    yield opened
    opened.close()


def open_intake(disk: DiskNode, limits: Limits = LIMITS) -> Intake:
    return Intake(disk, small_settings(4), Clock(), sync_objects=lambda: None, limits=limits)


def test_spool_files_count_into_the_bound_of_the_intake(intake: Intake) -> None:
    for _ in range(8):
        intake.wait(intake.store(ORIGIN, [LARGE]))
    assert intake.unspilled()[0] == 0  # nothing is drained yet
    for refused in (LARGE, b"small"):
        with pytest.raises(Unavailable, match="full"):
            intake.store(ORIGIN, [refused])
    spill_all(intake)
    assert intake.log.statistics()["backlog_bytes"] == 0
    intake.wait(intake.store(ORIGIN, [LARGE]))


def test_a_recovered_backlog_counts_as_well(disk: SmallDisk) -> None:
    first = open_intake(disk)
    for part in (LARGE, b"small"):
        first.wait(first.store(ORIGIN, [part]))
    backlog = first.log.statistics()["backlog_bytes"]
    first.close()
    again = open_intake(disk)
    assert again.log.statistics()["backlog_bytes"] == backlog > MIB
    again.spilled(again.recovered[-1].lsn)
    again.checkpoint()
    assert again.log.statistics()["backlog_bytes"] == 0
    again.close()


def test_a_spool_that_is_given_up_gives_its_bytes_back(intake: Intake, disk: SmallDisk, tmp_path: Path) -> None:
    lane = intake.lane(ORIGIN)
    intake.log.refuse(True)
    with pytest.raises(TimeoutError):
        lane.keep([LARGE, LARGE])
    intake.log.refuse(False)
    with pytest.raises(ValueError, match="larger"):
        lane.keep([bytes(9 * MIB)])
    assert intake.log.statistics()["backlog_bytes"] == 0
    assert spools(tmp_path) == []


def test_stores_stop_while_the_backlog_and_five_percent_do_not_fit(intake: Intake, disk: SmallDisk) -> None:
    intake.wait(intake.store(ORIGIN, [LARGE]))
    disk.free = DISK_BYTES // 20 + MIB - 1
    intake.watch_space()
    assert intake.trouble() == "the disk is nearly full"
    for refused in (b"small", LARGE):
        with pytest.raises(Unavailable, match="nearly full"):
            intake.store(ORIGIN, [refused])
    disk.free = DISK_BYTES // 20 + 2 * MIB
    intake.watch_space()
    intake.wait(intake.store(ORIGIN, [b"again"]))
    assert intake.trouble() == ""


def test_a_full_disk_at_the_start_refuses_from_the_first_store_on(disk: SmallDisk) -> None:
    open_intake(disk).close()
    disk.free = 0
    intake = open_intake(disk)
    with pytest.raises(Unavailable):
        intake.store(ORIGIN, [b"small"])
    intake.close()


def test_the_reserve_is_lent_to_who_makes_room_and_comes_back(disk: SmallDisk, tmp_path: Path) -> None:
    intake = open_intake(disk, SMALL_RESERVE)
    reserve = tmp_path / "reserve"
    assert reserve.stat().st_blocks * 512 >= 3 * MIB
    intake.lend_reserve()
    assert reserve.exists()
    disk.free = 0
    intake.watch_space()
    intake.lend_reserve()
    intake.watch_space()
    assert not reserve.exists()
    disk.free = DISK_BYTES
    intake.watch_space()
    assert reserve.stat().st_blocks * 512 >= 3 * MIB
    intake.close()


def test_a_decision_is_taken_on_a_full_disk_and_with_a_full_intake(disk: SmallDisk, tmp_path: Path) -> None:
    """It may be the delete that makes room."""
    intake = open_intake(disk, SMALL_RESERVE)
    for _ in range(8):
        intake.store(ORIGIN, [LARGE])
    disk.free = 0
    intake.watch_space()
    with pytest.raises(Unavailable, match="nearly full"):
        intake.store(ORIGIN, [b"small"])
    intake.wait(intake.note(ORIGIN, b"delete"))
    assert not (tmp_path / "reserve").exists()
    intake.close()


@pytest.mark.parametrize(("free", "stays"), [(DISK_BYTES, False), (DISK_BYTES // 20 + MIB, True)])
def test_the_reserve_of_an_archive_at_rest_stays_where_room_is_scarce(
    free: int, stays: bool, disk: SmallDisk, tmp_path: Path
) -> None:
    intake = open_intake(disk, SMALL_RESERVE)
    disk.free = free
    intake.close()
    assert (tmp_path / "reserve").exists() == stays


def test_a_reserve_for_which_there_is_no_room_takes_none(tmp_path: Path) -> None:
    node = DiskNode(tmp_path)
    node.make_reserve(1 << 50)
    assert (tmp_path / "reserve").stat().st_blocks == 0


class CountingDisk(SmallDisk):
    """Tells of each segment that is made."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.made = threading.Semaphore(0)

    def make_segment(self, number: int, length: int) -> int:
        fd = super().make_segment(number, length)
        self.made.release()
        return fd

    def await_made(self, count: int) -> bool:
        return all(self.made.acquire(timeout=30) for _ in range(count))


def test_segments_are_made_ahead_once_something_was_stored_and_given_back_at_rest(tmp_path: Path) -> None:
    ahead = msgspec.structs.replace(LIMITS, segments_ahead_count=3, segments_at_rest_count=1)
    disk = CountingDisk(tmp_path)
    disk.free = DISK_BYTES * 100
    intake = open_intake(disk, ahead)
    assert disk.await_made(1)
    intake.wait(intake.store(ORIGIN, [b"small"]))
    assert disk.await_made(3)
    spill_all(intake)
    intake.close()
    assert len(disk.segments()) == 1
    again = open_intake(disk, ahead)
    assert again.recovered == []
    again.close()


def test_what_is_not_spilled_keeps_its_segments(disk: SmallDisk) -> None:
    intake = open_intake(disk)
    for _ in range(30):
        intake.wait(intake.store(ORIGIN, [bytes(MIB // 5)]))
    intake.close()
    assert len(disk.segments()) > LIMITS.segments_at_rest_count
    again = open_intake(disk)
    assert len(again.recovered) == 30
    again.close()


def test_no_segment_is_made_while_objects_are_synced_nor_after_that_failed(tmp_path: Path) -> None:
    """A sync of the whole file system that fails may take with it what another thread has just written."""
    disk, syncing, failing = CountingDisk(tmp_path), threading.Event(), threading.Event()
    disk.free = DISK_BYTES * 100

    def sync() -> None:
        syncing.set()
        failing.wait(30)
        raise Fenced("the disk failed")

    ahead = msgspec.structs.replace(LIMITS, segments_ahead_count=3)
    intake = Intake(disk, small_settings(4), Clock(), sync_objects=sync, limits=ahead)
    assert disk.await_made(1)

    def checkpoint() -> None:
        with pytest.raises(Fenced):
            intake.checkpoint()

    spill = threading.Thread(target=checkpoint)
    spill.start()
    assert syncing.wait(30)
    intake.wait(intake.store(ORIGIN, [b"small"]))  # now more segments are wanted
    assert not disk.made.acquire(timeout=1.0)
    failing.set()
    spill.join()
    assert intake.log.failure() == "the disk failed"
    intake.close()
    assert not disk.made.acquire(blocking=False)
