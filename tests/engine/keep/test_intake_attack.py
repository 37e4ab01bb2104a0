"""What a hostile sender, a cut and a torn tail can do to the intake: nothing."""

import hashlib
import os
import random
import struct
from pathlib import Path

import msgspec
import pytest
import xxhash

from engine.errors import Corrupt
from engine.keep.node_directory import DiskNode
from engine.model import Origin
from native.segment import Entry, scan
from tests.engine.keep.test_intake import ORIGIN, files, open_intake, spill_all

HEAD_BYTES = 80
SECTOR_BYTES = 512


def forged_record(generation: int, lsn: int) -> bytes:
    """A record as the intake itself would write it, made by somebody who guesses the generation."""
    context = msgspec.msgpack.encode(Origin(tenant="other", how="import"))
    payload = b"forged"
    head = struct.pack("<IHHQQQQIIQ", 0x314D5246, 1, 1, generation, lsn, lsn + 1000, lsn, len(context), 0, len(payload))
    head += xxhash.xxh3_128_digest(payload)
    body = xxhash.xxh3_64_intdigest(context + payload, seed=generation)
    record = head + struct.pack("<Q", xxhash.xxh3_64_intdigest(head, seed=body)) + context + payload
    return record + bytes(-len(record) % 8)


def test_the_forgery_is_one_that_a_scan_would_take(tmp_path: Path) -> None:
    fd = os.memfd_create("segment")
    os.ftruncate(fd, 4096)
    os.pwrite(fd, forged_record(9, 5), 1024)
    assert [(one.lsn, one.generation) for one in scan(fd, 0, 9, 4096).entries] == [(5, 9)]
    os.close(fd)


def test_a_file_full_of_forged_records_is_never_taken_for_the_log(tmp_path: Path) -> None:
    intake = open_intake(DiskNode(tmp_path), segments=1)
    known = max(intake._segments.generations().values())
    padding = bytes(-(HEAD_BYTES + len(msgspec.msgpack.encode(ORIGIN))) % 8)
    guesses = [*range(1, 40), *range(known + 1, known + 40)]
    hostile = padding + b"".join(forged_record(guess, 3 + n % 5) for n, guess in enumerate(guesses))
    for _ in range(5):
        intake.store(ORIGIN, [hostile * (200_000 // len(hostile))])
        intake.log.rotate()
        spill_all(intake)
    sent = [b"one", b"two"]
    lsns = [intake.store(ORIGIN, [one]) for one in sent]
    intake.wait(lsns[-1])
    intake.close()
    again = open_intake(DiskNode(tmp_path), segments=1)
    assert [entry.lsn for entry in again.recovered] == lsns
    assert [bytes(again.payload(entry)) for entry in again.recovered] == sent
    again.close()


def mapped_bytes() -> int:
    smaps = Path("/proc/self/smaps").read_text().split("\n")
    total, inside = 0, False
    for line in smaps:
        if line[:1].isdigit() or line[:1] in "abcdef":
            inside = "/intake/" in line
        elif inside and line.startswith("Rss:"):
            total += int(line.split()[1]) * 1024
    return total


def test_memory_does_not_grow_with_what_passed_through(tmp_path: Path) -> None:
    intake = open_intake(DiskNode(tmp_path), segments=20)
    for one in files(60, largest=250_000) * 3:
        lsn = intake.store(ORIGIN, [one])
        for entry in intake.drain(10, 0):
            assert hashlib.sha256(intake.payload(entry)).digest() == hashlib.sha256(one).digest()
    assert mapped_bytes() <= 9 << 20  # though nothing is spilled yet
    intake.spilled(lsn)
    intake.close()


def tear(node: Path, acknowledged: int, entries: list[Entry], chance: random.Random) -> None:
    """Power loss: of the records above the acknowledged one each sector arrived or did not, in any order."""
    for entry in entries:
        if entry.lsn <= acknowledged:
            continue
        path = node / "intake" / f"{entry.segment:06d}"
        start = entry.payload_offset - entry.context_length - HEAD_BYTES
        with path.open("r+b") as segment:
            for sector in range(start, entry.payload_offset + entry.payload_length, SECTOR_BYTES):
                if chance.random() < 0.5:
                    end = min(sector + SECTOR_BYTES, entry.payload_offset + entry.payload_length)
                    segment.seek(sector)
                    segment.write(bytes(end - sector))


@pytest.mark.parametrize("seed", range(20))
def test_a_torn_tail_takes_only_what_was_not_acknowledged(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    sent: dict[int, bytes] = {}
    acknowledged = 0
    for _ in range(3):
        intake = open_intake(DiskNode(tmp_path))
        kept = {entry.lsn: bytes(intake.payload(entry)) for entry in intake.recovered}
        assert all(kept[lsn] == one for lsn, one in sent.items() if lsn <= acknowledged and lsn in kept)
        assert set(kept) >= {lsn for lsn in sent if lsn <= acknowledged}
        assert all(sent[lsn] == one for lsn, one in kept.items())
        sent = dict(kept)
        for one in files(chance.randrange(1, 20), seed=chance.randrange(1 << 30)):
            lsn = intake.store(ORIGIN, [one])
            assert lsn not in sent
            sent[lsn] = one
            if chance.random() < 0.3:
                intake.wait(lsn)
                acknowledged = lsn
        unsynced = [entry for entry in intake.drain(1000, 0) if entry.lsn > acknowledged]
        intake.close()
        tear(tmp_path, acknowledged, unsynced, chance)


def test_a_damaged_acknowledged_record_stops_the_start(tmp_path: Path) -> None:
    intake = open_intake(DiskNode(tmp_path))
    for one in files(5):
        intake.wait(intake.store(ORIGIN, [one]))
    damaged = intake.drain(100, 0)[2]
    intake.close()
    with (tmp_path / "intake" / f"{damaged.segment:06d}").open("r+b") as segment:
        segment.seek(damaged.payload_offset)
        segment.write(b"\xff" * damaged.payload_length)
    with pytest.raises(Corrupt, match=f"record {damaged.lsn}"):
        open_intake(DiskNode(tmp_path))
