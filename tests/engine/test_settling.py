"""The settle behind everybody's back: nothing reaches the settled index before its record is on disk."""

import errno
import os
import threading
from pathlib import Path

import msgspec
import pytest

import engine
from bench.data import Shape, files
from engine.clock import Clock, Identifiers, ManualClock
from engine.errors import Fenced, Unavailable
from engine.house import House
from engine.index import Index
from engine.index.indexer import FRESH_SECONDS_MAX
from engine.index.shard import Shard
from engine.keep.intake import Intake
from engine.keep.node_directory import DiskNode
from engine.model import Level, Origin, Query
from engine.settings import StoreSettings
from engine.settling import Settler
from engine.store import append, settle
from tests.engine.index.test_index import archive

LIBRARY = Origin(how="library")


def open_intake(node: Path) -> Intake:
    return Intake(DiskNode(node), StoreSettings(), Clock(), sync_objects=lambda: None)


def count(index: Index) -> int:
    return len(index.view().instances(Query(level=Level.INSTANCE)))


def test_a_settle_writes_only_what_was_folded_before_the_sync_of_the_records(tmp_path: Path) -> None:
    records = archive()
    index = Index.open(tmp_path / "index")
    index.fold(records[:10])
    index.settle(lambda: index.fold(records[10:]) and None)
    assert count(index) == len(records)
    index.close()
    assert count(Index.open(tmp_path / "index")) == 10


def test_the_records_are_synced_between_fold_and_settle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record that is folded is written, but perhaps not synced: power loss would take it, and leave its row."""
    intake, index = open_intake(tmp_path / "node"), Index.open(tmp_path / "index")
    wanted = intake.store(LIBRARY, [b"bytes"])
    index.fold(archive())
    assert intake.log.acknowledged_lsn() < wanted
    synced: list[int] = []
    write = Shard.write
    monkeypatch.setattr(Shard, "write", lambda *words: (synced.append(intake.log.acknowledged_lsn()), write(*words))[1])
    settler = Settler(index, intake, lambda: None)
    settler.start()
    settler.stop(30, settle=True)
    assert synced == [wanted]
    intake.close()


def test_what_is_old_settles_with_nobody_saying_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.settling.POLL_SECONDS", 0.01)
    clock, settled = ManualClock(), threading.Event()
    intake, index = open_intake(tmp_path / "node"), Index.open(tmp_path / "index", clock)
    settler = Settler(index, intake, settled.set)
    settler.start()
    index.fold(archive())
    clock.advance(FRESH_SECONDS_MAX)
    assert settled.wait(30)
    settler.stop(30, settle=False)
    index.close()
    intake.close()
    assert count(Index.open(tmp_path / "index")) == len(archive())


def test_a_settle_that_fails_leaves_the_node_at_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    house = House(StoreSettings(url=str(tmp_path / "archive")))
    monkeypatch.setattr(Shard, "write", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
    monkeypatch.setattr(Index, "due", lambda _self, times=1: times == 1)
    sent = list(files(Shape(studies=1, series=1, instances=6, rows=16)))
    for one in sent:
        settle(house, [append(house, one.data, LIBRARY)])
    house.ingest.wait_spilled(30)
    assert house.intake.log.failure() == ""
    assert count(house.index) == len(sent)
    house.close()
    monkeypatch.undo()
    again = House(StoreSettings(url=str(tmp_path / "archive")))
    assert count(again.index) == len(sent)
    again.close()


def test_a_failed_log_ends_the_archive_with_an_error(tmp_path: Path) -> None:
    house = House(StoreSettings(url=str(tmp_path / "archive")))
    house.intake.log.fail("the disk is gone")
    with pytest.raises(Fenced, match="the disk is gone"):
        house.close()
    House(StoreSettings(url=str(tmp_path / "archive"))).close()


def test_a_hung_thread_ends_the_wait_with_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the folder stays held, since that thread may still write to it."""
    house = House(StoreSettings(url=str(tmp_path / "archive")))
    small = msgspec.structs.replace(engine.ingest.LIMITS, close_stalled_seconds_max=0.2)
    monkeypatch.setattr("engine.ingest.LIMITS", small)
    held, release = os.pipe()
    monkeypatch.setattr(house.store, "sync_pending", lambda: os.read(held, 1))
    monkeypatch.setattr(house.intake, "_sync_objects", house.store.sync_pending)
    with pytest.raises(Unavailable, match="does not answer"):
        house.close()
    with pytest.raises(engine.Conflict):
        House(StoreSettings(url=str(tmp_path / "archive")))
    os.write(release, b"x")
    house.ingest.stop()
    house.node.close()


def test_a_large_object_gives_its_thread_more_time_to_close(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that copies 6 GB takes longer than one that hangs may."""
    limits = engine.ingest.LIMITS
    monkeypatch.setattr("engine.ingest.LIMITS", msgspec.structs.replace(limits, disk_bytes_a_second_min=1000))
    house = House(StoreSettings(url=str(tmp_path / "archive")))
    spill, patience = house.ingest._spill.run, []
    monkeypatch.setattr(
        house.ingest._spill, "run", lambda jobs: patience.append(house.ingest._patience_seconds()) or spill(jobs)
    )
    (one,) = files(Shape(studies=1, series=1, instances=1, stub=True))
    append(house, one.data, LIBRARY)
    house.close()
    assert len(patience) == 1
    more = patience[0] - limits.close_stalled_seconds_max
    assert len(one.data) / 1000 < more < len(one.data) / 1000 * 3, "as it is described, and as it is copied"


def test_a_full_disk_at_the_checkpoint_is_asked_again_and_gives_no_segment_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    intake = open_intake(tmp_path / "node")
    intake.wait(intake.store(LIBRARY, [b"first"]))
    intake.drain(10, 0)
    intake.spilled(1)
    intake.log.rotate()
    full = OSError(errno.ENOSPC, "no space")
    with monkeypatch.context() as broken:
        broken.setattr("engine.keep.node_directory.write_all", lambda *_: (_ for _ in ()).throw(full))
        with pytest.raises(Unavailable, match="checkpoint"):
            intake.checkpoint()
    assert len(intake.log.retired()) == 1
    assert not (tmp_path / "node" / "checkpoint.new").exists()
    second = intake.store(LIBRARY, [b"second"])
    intake.wait(second)
    intake.checkpoint()
    assert intake.log.retired() == []
    intake.close()
    again = open_intake(tmp_path / "node")
    assert [bytes(again.payload(entry)) for entry in again.recovered] == [b"second"]
    again.close()


@pytest.mark.parametrize(
    ("number", "kind"), [(errno.ENOSPC, Unavailable), (errno.EMFILE, Unavailable), (errno.EIO, Fenced)]
)
def test_a_node_file_that_cannot_be_written_stands_as_it_stood(
    number: int, kind: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = DiskNode(tmp_path)
    writer = node.writer_id(Identifiers())
    monkeypatch.setattr(os, "fdatasync", lambda _: (_ for _ in ()).throw(OSError(number, "no")))
    with pytest.raises(kind):
        node.replace("writer", b"another")
    with pytest.raises(kind):
        node.make_segment(1, 4096)
    monkeypatch.undo()
    assert node.writer_id(Identifiers()) == writer
    assert node.segments() == []
    assert sorted(path.name for path in (tmp_path / "intake").iterdir()) == []
