"""The intake log: what is acknowledged stands whole in the segment; what is torn, old or foreign never passes."""

import os
import random
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import xxhash

from engine.keep.intake_format import Spooled
from native.lane import Lane
from native.segment import KIND_INSTANCE, KIND_SPOOLED, Log, scan
from tests.native import oracles

CAPACITY = 1 << 20
HEAD_BYTES = 80


def log_over(
    fds: list[int], *, wait_ms: int = 20_000, external: bool = False, ring: int = 1024, generation: int = 7
) -> Log:
    log = Log(first_lsn=1, stamp_floor=0, ring_capacity=ring, wait_ms_max=wait_ms, external_ack=external)
    for number, fd in enumerate(fds):
        log.add_segment(fd, number, generation, CAPACITY)
    return log


@pytest.fixture
def segments(tmp_path: Path) -> Iterator[list[int]]:
    fds = []
    for number in range(3):
        fd = os.open(tmp_path / str(number), os.O_RDWR | os.O_CREAT)
        os.write(fd, bytes(CAPACITY))
        fds.append(fd)
    yield fds
    for fd in fds:
        os.close(fd)


def payloads(count: int, seed: int = 1) -> list[bytes]:
    chance = random.Random(seed)
    return [chance.randbytes(chance.randrange(1, 3000)) for _ in range(count)]


def test_what_is_appended_is_scanned_and_drained(segments: list[int]) -> None:
    log = log_over(segments[:1])
    sent = payloads(40)
    lsns = [log.append_parts(b"context", KIND_INSTANCE, [one[:5], one[5:]]) for one in sent]
    log.wait(lsns[-1])
    assert lsns == list(range(1, 41)) and log.acknowledged_lsn() == 40
    drained = log.drain(1000, 0)
    found = scan(segments[0], 0, 7, CAPACITY).entries
    for one, entry, scanned in zip(sent, drained, found, strict=True):
        assert os.pread(segments[0], entry.payload_length, entry.payload_offset) == one
        assert entry.key == scanned.key == xxhash.xxh3_128_digest(one)
        assert scanned.context == b"context"
        assert (entry.lsn, entry.stamp, entry.payload_offset) == (scanned.lsn, scanned.stamp, scanned.payload_offset)
    assert [e.stamp for e in found] == sorted({e.stamp for e in found})
    assert log.drain(1000, 0) == []


def test_another_generation_never_passes_even_for_equal_sizes(segments: list[int]) -> None:
    old = log_over(segments[:1], generation=7)
    for _ in range(10):
        old.append_parts(b"c", KIND_INSTANCE, [b"o" * 1000])
    new = log_over(segments[:1], generation=8)
    for _ in range(3):
        new.append_parts(b"c", KIND_INSTANCE, [b"n" * 1000])
    found = scan(segments[0], 0, 8, CAPACITY)
    assert [e.lsn for e in found.entries] == [1, 2, 3] and not found.torn


@pytest.mark.parametrize("cut", [0, 3, 79, 80, 85, 200, 1000, 1084])
def test_a_record_cut_anywhere_does_not_pass_and_those_behind_it_are_seen(segments: list[int], cut: int) -> None:
    log = log_over(segments[:1])
    for _ in range(3):
        log.append_parts(b"c1234", KIND_INSTANCE, [b"\x55" * 1000])
    size = (HEAD_BYTES + 5 + 1000 + 7) // 8 * 8
    os.pwrite(segments[0], bytes(HEAD_BYTES + 5 + 1000 - cut), size + cut)
    assert [e.lsn for e in scan(segments[0], 0, 7, CAPACITY).entries] == [1, 3]


def test_the_scan_finds_what_the_slow_oracle_finds_after_any_damage(segments: list[int]) -> None:
    chance = random.Random(5)
    log = log_over(segments[:1])
    for one in payloads(12, seed=5):
        log.append_parts(one[:9], KIND_INSTANCE, [one])
    used = oracles.slow_scan(os.pread(segments[0], CAPACITY, 0), 7).end
    whole, seen = os.pread(segments[0], used + 4096, 0), set()
    for _ in range(300):
        damaged = bytearray(whole)
        for _ in range(chance.randrange(1, 4)):
            at = chance.randrange(used)
            size = chance.choice((1, 8, 80, 1000))
            damaged[at : at + size] = chance.choice((bytes(size), chance.randbytes(size), damaged[:size]))
        damaged = damaged[: len(whole)]
        os.pwrite(segments[0], damaged, 0)
        expected = oracles.slow_scan(bytes(damaged), 7)
        found = scan(segments[0], 0, 7, len(whole))
        assert [entry.lsn for entry in found.entries] == expected.lsns
        assert [entry.context for entry in found.entries] == expected.contexts
        assert (found.end, found.torn) == (expected.end, expected.torn)
        seen.add((len(expected.lsns), expected.torn))
    assert len(seen) > 5


def test_every_cut_of_a_record_does_not_pass(segments: list[int]) -> None:
    log = log_over(segments[:1])
    log.append_parts(b"context", KIND_INSTANCE, [b"payload" * 3])
    size = HEAD_BYTES + 28
    whole = os.pread(segments[0], size, 0)
    for end in range(size):
        os.pwrite(segments[0], whole[:end].ljust(size, b"\0"), 0)
        assert scan(segments[0], 0, 7, CAPACITY).entries == [], end
        assert scan(segments[0], 0, 7, HEAD_BYTES + end if end < 28 else CAPACITY).entries == []
    os.pwrite(segments[0], whole, 0)
    assert len(scan(segments[0], 0, 7, CAPACITY).entries) == 1


def test_garbage_is_no_record(segments: list[int]) -> None:
    chance = random.Random(3)
    os.pwrite(segments[0], chance.randbytes(CAPACITY), 0)
    assert scan(segments[0], 0, 7, CAPACITY).entries == []


def test_every_flipped_bit_of_a_record_is_noticed(segments: list[int]) -> None:
    log = log_over(segments[:1])
    log.append_parts(b"c", KIND_INSTANCE, [b"payload" * 3])
    whole = bytearray(os.pread(segments[0], HEAD_BYTES + 22, 0))
    unused = range(44, 48)
    for at in range(len(whole)):
        whole[at] ^= 1 << at % 8
        os.pwrite(segments[0], whole, 0)
        assert scan(segments[0], 0, 7, CAPACITY).entries == [], (at, at in unused)
        whole[at] ^= 1 << at % 8


def test_many_threads_share_syncs_and_lose_nothing(segments: list[int]) -> None:
    log = log_over(segments)
    sent = payloads(200, seed=5)
    kept: dict[int, bytes] = {}

    def send(part: list[bytes]) -> None:
        for one in part:
            lsn = log.append_parts(b"c", KIND_INSTANCE, [one])
            log.wait(lsn)
            assert log.acknowledged_lsn() >= lsn
            kept[lsn] = one

    threads = [threading.Thread(target=send, args=(sent[i::8],)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(kept) == list(range(1, 201))
    found = {e.lsn: e for number, fd in enumerate(segments) for e in scan(fd, number, 7, CAPACITY).entries}
    for lsn, one in kept.items():
        assert os.pread(segments[found[lsn].segment], len(one), found[lsn].payload_offset) == one
    assert log.statistics()["syncs"] <= 200


def test_a_full_intake_says_so_and_takes_again_when_it_has_room(segments: list[int], tmp_path: Path) -> None:
    log = log_over(segments[:1], wait_ms=50)
    with pytest.raises(TimeoutError):
        for _ in range(3):
            log.append_parts(b"", KIND_INSTANCE, [bytes(400_000)])
    assert log.retired() == [(0, 2)]
    log.add_segment(segments[1], 1, 9, CAPACITY)
    assert log.append_parts(b"", KIND_INSTANCE, [bytes(400_000)]) == 3


def test_a_full_ring_is_a_full_intake(segments: list[int]) -> None:
    log = log_over(segments[:1], ring=4, wait_ms=50)
    for _ in range(4):
        log.append_parts(b"", KIND_INSTANCE, [b"x"])
    with pytest.raises(TimeoutError):
        log.append_parts(b"", KIND_INSTANCE, [b"x"])
    assert len(log.drain(2, 0)) == 2
    assert log.append_parts(b"", KIND_INSTANCE, [b"x"]) == 5


def test_the_drain_lingers_until_nothing_comes_any_more_or_somebody_asks(segments: list[int]) -> None:
    log = log_over(segments[:1])
    log.append_parts(b"", KIND_INSTANCE, [b"x"])
    assert len(log.drain(10, 0, 600_000, 1)) == 1  # ends by the pause
    log.append_parts(b"", KIND_INSTANCE, [b"x"])
    log.hurry()
    assert len(log.drain(10, 0, 600_000, 600_000)) == 1
    for _ in range(3):
        log.append_parts(b"", KIND_INSTANCE, [b"x"])
    assert len(log.drain(3, 0, 600_000, 600_000)) == 3  # as many as it waits for


def test_a_failed_write_acknowledges_nothing_any_more(tmp_path: Path) -> None:
    (tmp_path / "segment").write_bytes(bytes(CAPACITY))
    read_only = os.open(tmp_path / "segment", os.O_RDONLY)
    log = log_over([read_only])
    with pytest.raises(OSError, match="failed"):
        log.append_parts(b"", KIND_INSTANCE, [b"x"])
    with pytest.raises(OSError, match="failed"):
        log.append_parts(b"", KIND_INSTANCE, [b"x"])
    assert log.acknowledged_lsn() == 0 and log.failure()
    os.close(read_only)


def test_a_failed_sync_is_never_tried_again() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    fd = os.memfd_create("segment")
    os.write(fd, bytes(CAPACITY))
    log = log_over([fd])
    lsn = log.append_parts(b"", KIND_INSTANCE, [b"x"])
    os.dup2(writer, fd)  # fdatasync of a pipe is EINVAL
    with pytest.raises(OSError, match="failed"):
        log.wait(lsn)
    os.close(writer)
    os.dup2(os.memfd_create("other"), fd)
    with pytest.raises(OSError, match="failed"):
        log.wait(lsn)
    assert log.acknowledged_lsn() == 0


def test_with_external_acknowledgement_a_sync_is_not_enough(segments: list[int]) -> None:
    log = log_over(segments[:1], external=True, wait_ms=50)
    lsn = log.append_parts(b"", KIND_INSTANCE, [b"x"])
    log.sync(lsn)
    assert log.acknowledged_lsn() == 0
    with pytest.raises(TimeoutError):
        log.wait(lsn)
    log.acknowledge(lsn)
    log.wait(lsn)


def test_a_stopped_log_takes_nothing_more_but_ends_what_it_has(segments: list[int]) -> None:
    log = log_over(segments[:1])
    lsn = log.append_parts(b"", KIND_INSTANCE, [b"x"])
    log.stop()
    log.wait(lsn)
    with pytest.raises(ConnectionAbortedError):
        log.append_parts(b"", KIND_INSTANCE, [b"x"])


def test_a_lane_gathers_small_files_and_spools_large_ones(segments: list[int], tmp_path: Path) -> None:
    log = log_over(segments[:1])
    (tmp_path / "spool").mkdir()
    directory = os.open(tmp_path / "spool", os.O_RDONLY)
    lane = Lane(log, b"who", directory, "run", object_bytes_max=100_000, gather_bytes_max=10_000)
    small, large = b"s" * 10_000, b"l" * 50_001
    log.wait(lane.keep([small[:1], small[1:]]))
    log.wait(lane.keep([large[:7], large[7:]]))
    with pytest.raises(ValueError, match="larger"):
        lane.keep([bytes(100_001)])
    first, second = log.drain(10, 0)
    assert (first.kind, second.kind) == (KIND_INSTANCE, KIND_SPOOLED)
    payload = os.pread(segments[0], second.payload_length, second.payload_offset)
    named = msgspec.msgpack.decode(payload, type=Spooled)
    assert (tmp_path / "spool" / named.name).read_bytes() == large
    assert named.length == len(large) and named.key == second.key == xxhash.xxh3_128_digest(large)
    os.close(directory)
