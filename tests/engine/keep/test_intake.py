"""Fact 1 for the intake alone: what it acknowledged is there after any end, whole; nothing else passes."""

import hashlib
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from engine.clock import Clock, SeededIdentifiers
from engine.errors import Conflict, Corrupt, Invalid, Unavailable
from engine.keep.intake import Intake
from engine.keep.intake_format import (
    Checkpoint,
    decode_checkpoint,
    decode_promised,
    encode_checkpoint,
    encode_promised,
)
from engine.keep.node_directory import DiskNode, MemoryNode, NodeDirectory
from engine.keep.recovery import recover
from engine.limits import MIB, Limits
from engine.model import Origin
from engine.settings import StoreSettings
from native.segment import Entry

LIMITS = Limits(segment_bytes=2 * MIB, gather_bytes_max=MIB // 4, object_bytes_max=8 * MIB, intake_wait_ms_max=2000)
SETTINGS = StoreSettings(intake_bytes_max=128 * MIB)
ORIGIN = Origin(how="library", calling_ae_title="TEST")


def small_settings(segments: int) -> StoreSettings:
    settings = msgspec.structs.replace(SETTINGS)
    msgspec.structs.force_setattr(settings, "intake_bytes_max", segments * LIMITS.segment_bytes)
    return settings


def open_intake(
    node: NodeDirectory, *, sync: Callable[[], None] = lambda: None, segments: int = 8, floor: int = 0
) -> Intake:
    return Intake(node, small_settings(segments), Clock(), sync_objects=sync, lsn_floor=floor, limits=LIMITS)


def files(count: int, seed: int = 1, largest: int = 40_000) -> list[bytes]:
    chance = random.Random(seed)
    return [chance.randbytes(chance.randrange(1, largest)) for _ in range(count)]


def spools(node: Path) -> list[str]:
    return [path.name for path in (node / "spool").iterdir()]


def spill_all(intake: Intake) -> None:
    entries = intake.drain(10_000, 0)
    if entries:
        intake.spilled(entries[-1].lsn)
    intake.checkpoint()


def test_what_was_acknowledged_is_recovered_byte_for_byte(tmp_path: Path) -> None:
    sent = [*files(20), os.urandom(MIB), os.urandom(MIB + 7)]
    first = open_intake(DiskNode(tmp_path))
    lsns = [first.store(ORIGIN, [one]) for one in sent]
    first.wait(lsns[-1])
    first.close()
    again = open_intake(DiskNode(tmp_path))
    assert [entry.lsn for entry in again.recovered] == lsns
    for entry, one in zip(again.recovered, sent, strict=True):
        assert bytes(again.payload(entry)) == one
        assert msgspec.msgpack.decode(again.context(entry), type=Origin) == ORIGIN
    assert again.store(ORIGIN, [b"next"]) > lsns[-1]
    again.close()


def test_recovered_records_survive_a_second_crash_before_their_spill(tmp_path: Path) -> None:
    sent = files(5)
    for one in sent:
        intake = open_intake(DiskNode(tmp_path))
        intake.wait(intake.store(ORIGIN, [one]))
        intake.close()
    last = open_intake(DiskNode(tmp_path))
    assert [bytes(last.payload(entry)) for entry in last.recovered] == sent
    assert len({entry.lsn for entry in last.recovered}) == 5
    last.close()


def test_after_a_checkpoint_nothing_is_recovered_and_segments_are_used_again(tmp_path: Path) -> None:
    syncs: list[int] = []
    node = DiskNode(tmp_path)
    intake = open_intake(node, sync=lambda: syncs.append(1), segments=3)
    for one in files(400, largest=60_000):
        intake.wait(intake.store(ORIGIN, [one]))
        if intake.checkpoint_due():
            spill_all(intake)
    spill_all(intake)
    intake.close()
    assert len(node.segments()) <= 3 and len(syncs) > 2
    again = open_intake(DiskNode(tmp_path), segments=3)
    assert again.recovered == []
    again.close()


def test_a_segment_that_is_read_is_not_used_again(tmp_path: Path) -> None:
    intake = open_intake(DiskNode(tmp_path), segments=2)
    sent = os.urandom(200_000)
    lsn = intake.store(ORIGIN, [sent])
    intake.drain(10, 0)
    source = intake.pin(lsn)
    assert source is not None
    with pytest.raises(Unavailable):
        for _ in range(100):
            intake.store(ORIGIN, [bytes(200_000)])
            spill_all(intake)
    assert os.pread(source.fd, source.length, source.offset) == sent
    intake.unpin(lsn, source)
    spill_all(intake)
    intake.store(ORIGIN, [bytes(200_000)])
    assert intake.pin(lsn) is None
    intake.close()


def test_a_spooled_file_can_be_read_while_pinned_and_goes_with_its_checkpoint(tmp_path: Path) -> None:
    intake = open_intake(DiskNode(tmp_path))
    sent = os.urandom(MIB)
    lsn = intake.store(ORIGIN, [sent])
    intake.drain(10, 0)
    source = intake.pin(lsn)
    assert source is not None and len(spools(tmp_path)) == 1
    intake.spilled(lsn)
    intake.checkpoint()
    assert spools(tmp_path) == []
    assert os.pread(source.fd, source.length, source.offset) == sent
    intake.unpin(lsn, source)
    intake.close()


def test_spool_files_without_a_record_are_removed(tmp_path: Path) -> None:
    DiskNode(tmp_path).close()
    (tmp_path / "spool" / "left-1").write_bytes(b"half")
    intake = open_intake(DiskNode(tmp_path))
    assert spools(tmp_path) == []
    intake.close()


def test_too_large_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    intake = open_intake(DiskNode(tmp_path))
    with pytest.raises(Invalid):
        intake.store(ORIGIN, [bytes(8 * MIB + 1)])
    assert spools(tmp_path) == []
    intake.close()


def test_lsns_continue_above_the_journal(tmp_path: Path) -> None:
    intake = open_intake(DiskNode(tmp_path), floor=500)
    assert intake.store(ORIGIN, [b"x"]) == 501
    intake.wait(501)
    intake.close()
    again = open_intake(DiskNode(tmp_path))
    assert [entry.lsn for entry in again.recovered] == [501]
    again.close()


def test_one_process_owns_a_node(tmp_path: Path) -> None:
    first, second = DiskNode(tmp_path), DiskNode(tmp_path)
    first.lock()
    with pytest.raises(Conflict):
        second.lock()
    first.close()
    second.lock()
    assert second.writer_id(SeededIdentifiers(1)) == second.writer_id(SeededIdentifiers(2))
    second.close()


def test_in_memory_it_behaves_the_same() -> None:
    intake = open_intake(MemoryNode())
    sent = [*files(10), os.urandom(MIB)]
    lsns = [intake.store(ORIGIN, [one]) for one in sent]
    intake.wait(lsns[-1])
    assert [bytes(intake.payload(entry)) for entry in intake.drain(100, 0)] == sent
    intake.close()


def entry(lsn: int, synced_to: int = 0) -> Entry:
    return Entry(lsn, lsn, 1, 0, 1, b"", 0, 0, 0, b"", synced_to)


@pytest.mark.parametrize(
    ("found", "voids", "kept"),
    [
        ([1, 2, 3], (), [1, 2, 3]),
        ([3, 1, 2], (), [1, 2, 3]),
        ([1, 2, 4], (), [1, 2]),
        ([2, 3], (), []),
        ([1, 2, 10, 11], ((2, 10),), [1, 2, 10, 11]),
        ([1, 2, 5, 10, 11], ((2, 10),), [1, 2, 10, 11]),
        ([10, 12], ((0, 10),), [10]),
    ],
)
def test_only_a_prefix_without_holes_is_kept(
    found: list[int], voids: tuple[tuple[int, int], ...], kept: list[int]
) -> None:
    recovered = recover([entry(lsn) for lsn in found], Checkpoint(voids=voids))
    assert [one.lsn for one in recovered.entries] == kept
    assert recovered.last_seen >= max(found)


def test_a_hole_below_what_was_synced_is_damage() -> None:
    with pytest.raises(Corrupt, match="record 2"):
        recover([entry(1), entry(3, synced_to=2)], Checkpoint())
    with pytest.raises(Corrupt, match="record 11"):
        recover([entry(12, synced_to=11)], Checkpoint(lsn=5, voids=((5, 11),)))


def test_a_last_record_that_was_promised_is_damage_and_one_that_was_not_is_torn(tmp_path: Path) -> None:
    with pytest.raises(Corrupt, match="record 3"):
        recover([entry(1), entry(2)], Checkpoint(), 3)
    assert [one.lsn for one in recover([entry(1), entry(2)], Checkpoint(), 2).entries] == [1, 2]
    assert recover([], Checkpoint(lsn=9), 9).last_seen == 9
    for promised in (True, False):
        folder = tmp_path / str(promised)
        intake = open_intake(DiskNode(folder))
        intake.wait(intake.store(ORIGIN, [b"first"]))
        intake.wait(intake.store(ORIGIN, [b"second"]))
        if promised:
            intake.remember_promised()
        intake.close()
        (segment,) = (path for path in (folder / "intake").iterdir() if b"second" in path.read_bytes())
        segment.write_bytes(segment.read_bytes().replace(b"second", b"sacond"))
        if promised:
            with pytest.raises(Corrupt, match="record 2"):
                open_intake(DiskNode(folder))
        else:
            again = open_intake(DiskNode(folder))
            assert [bytes(again.payload(one)) for one in again.recovered] == [b"first"]
            again.close()


def test_a_promise_that_is_not_whole_says_nothing() -> None:
    whole = encode_promised(77)
    assert decode_promised(whole) == 77
    assert [decode_promised(half) for half in (None, b"", whole[:-1], bytes([*whole[:-1], 1]))] == [0, 0, 0, 0]


def test_a_segment_or_a_name_that_is_not_what_was_written_is_damage(tmp_path: Path) -> None:
    node = DiskNode(tmp_path)
    node.writer_id(SeededIdentifiers(1))
    open_intake(node).close()
    writer = (tmp_path / "writer").read_bytes()
    for at in range(len(writer)):
        (tmp_path / "writer").write_bytes(bytes([*writer[:at], writer[at] ^ 1, *writer[at + 1 :]]))
        with pytest.raises(Corrupt):
            node.writer_id(SeededIdentifiers(2))
    segment = next((tmp_path / "intake").iterdir())
    os.truncate(segment, segment.stat().st_size - 1)
    with pytest.raises(Corrupt, match="cut short"):
        open_intake(DiskNode(tmp_path))


def test_a_checkpoint_file_round_trips_and_garbage_is_damage() -> None:
    checkpoint = Checkpoint(lsn=7, generation=3, segments={1: 2, 2: 3}, voids=((7, 9),))
    data = encode_checkpoint(checkpoint)
    assert decode_checkpoint(data) == checkpoint
    for at in range(len(data)):
        with pytest.raises(Corrupt):
            decode_checkpoint(data[:at])
        with pytest.raises(Corrupt):
            decode_checkpoint(bytes([*data[:at], data[at] ^ 4, *data[at + 1 :]]))


CHILD = """
import hashlib, random, sys, threading
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from tests.engine.keep.test_intake import ORIGIN, open_intake, spill_all
from engine.keep.node_directory import DiskNode
intake = open_intake(DiskNode(Path(sys.argv[1])), segments=64)
lock = threading.Lock()
def send(seed):
    chance = random.Random(seed)
    while True:
        one = chance.randbytes(chance.randrange(1, 300_000))
        lsn = intake.store(ORIGIN, [one])
        intake.wait(lsn)
        with lock:
            print(lsn, hashlib.sha256(one).hexdigest(), flush=True)
threads = [threading.Thread(target=send, args=(f"{sys.argv[2]}/{n}",), daemon=True) for n in range(4)]
for thread in threads: thread.start()
threads[0].join()
"""


@pytest.mark.parametrize("seed", range(20))
def test_kill_9_loses_nothing_acknowledged(tmp_path: Path, seed: int) -> None:
    root = Path(__file__).parents[3]
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path), str(seed), str(root)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    lines = [child.stdout.readline() for _ in range(random.Random(seed).randrange(1, 60))]
    child.send_signal(signal.SIGKILL)
    # A child that has filled its intake before it was read has ended: then there are fewer lines than asked for.
    acknowledged = [line.split() for line in (*lines, *child.stdout) if line.endswith("\n")]
    child.wait()
    intake = open_intake(DiskNode(tmp_path), segments=4)
    recovered = {one.lsn: hashlib.sha256(intake.payload(one)).hexdigest() for one in intake.recovered}
    intake.close()
    lost = [lsn for lsn, digest in acknowledged if recovered.get(int(lsn)) != digest]
    assert lost == [] and len(acknowledged) > 0


def test_a_start_makes_the_names_durable_that_an_earlier_process_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have died between a segment's rename and the sync of the folder; the next one fills that segment."""
    DiskNode(tmp_path).close()
    synced: list[str] = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(str(Path(f"/proc/self/fd/{fd}").readlink())) or fsync(fd))
    DiskNode(tmp_path).close()
    assert {str(tmp_path / name) for name in ("intake", "spool", "commitment")} <= set(synced)
