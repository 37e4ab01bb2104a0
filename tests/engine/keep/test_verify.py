"""Verify says what is not as it should be: each kind of damage is made once, and found."""

import random
from pathlib import Path

import msgspec
import pytest

from engine.clock import ManualClock, SeededIdentifiers
from engine.keep import fold, paths
from engine.keep.bucket import MemoryStore
from engine.keep.content_digest import address, prove
from engine.keep.folder import FolderStore
from engine.keep.journal import Journal
from engine.keep.keeping import keep_object
from engine.keep.objects import ObjectStore
from engine.keep.seen import Marks, Seen
from engine.keep.verify import Finding, verify
from engine.limits import MIB, Limits
from engine.model import ActRecord, Instance, StoreRecord, Target

from .records import record

NAMES = SeededIdentifiers(3)


class Archive:
    """Ten instances, one of them large, in batches of two; what tests need to damage it."""

    def __init__(self, store: ObjectStore) -> None:
        self.store = store
        self.journal = Journal.open(store, "default", "w1", ManualClock(), NAMES)
        self.records: list[StoreRecord] = []
        for lsn in range(1, 11):
            self.keep(lsn, b"content %d" % lsn * (200_000 if lsn == 3 else 10))
        for at in range(0, 10, 2):
            self.journal.append(self.records[at : at + 2])

    def keep(self, lsn: int, content: bytes) -> StoreRecord:
        name = keep_object(self.store, "default", address([content]), content)
        proof = prove([content])
        made = msgspec.structs.replace(
            record(lsn, content=lsn, key=name),
            sop_instance_uid=f"1.2.3.{lsn}",
            size_bytes=len(content),
            blake3_root=proof.root,
            blake3_chunks=proof.chunks,
        )
        self.records.append(made)
        return made

    def key(self, lsn: int) -> str:
        return paths.object_key("default", self.records[lsn - 1].key)

    def rows(self) -> list[Instance]:
        found = [fold.instance(fold.fold([one]), "1.2", "1.2.3", one.sop_instance_uid) for one in self.records]
        return [one for one in found if one is not None]

    def findings(self, *, deep: bool = True, rows: list[Instance] | None = None) -> list[Finding]:
        index = self.rows() if rows is None else rows
        return list(verify(self.store, self.journal, lambda: index, deep))

    def kinds(self, *, deep: bool = True, rows: list[Instance] | None = None) -> list[str]:
        return [finding.kind for finding in self.findings(deep=deep, rows=rows)]


@pytest.fixture(params=["memory", "folder"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Archive:
    return Archive(MemoryStore() if request.param == "memory" else FolderStore(tmp_path / "archive"))


@pytest.mark.parametrize("deep", [True, False])
def test_a_sound_archive_has_no_findings(archive: Archive, deep: bool) -> None:
    assert archive.findings(deep=deep) == []
    archive.journal.close()
    archive.journal = Journal.open(archive.store, "default", "w1", ManualClock(), NAMES)
    archive.journal.append([archive.records[0]])
    assert archive.findings(deep=deep) == []


def test_progress_counts_objects(archive: Archive) -> None:
    heard: list[int] = []
    assert list(verify(archive.store, archive.journal, progress=lambda count, size: heard.append(count))) == []
    assert heard == list(range(1, 11))


def test_a_changed_object(archive: Archive) -> None:
    assert len(archive.store.get(archive.key(3))) > MIB
    content = bytearray(archive.store.get(archive.key(3)))
    content[-1] ^= 1
    archive.store.put(archive.key(3), [content], durable=True)
    assert [(f.kind, f.key, f.is_damage) for f in archive.findings()] == [("object-altered", archive.key(3), True)]
    assert archive.kinds(deep=False) == []


def test_a_torn_object(archive: Archive) -> None:
    archive.store.put(archive.key(2), [b"content"], durable=True)
    assert archive.kinds() == ["object-altered"]
    assert archive.kinds(deep=False) == ["record-disagrees"]


@pytest.mark.parametrize("deep", [True, False])
def test_a_lost_object(archive: Archive, deep: bool) -> None:
    archive.store.delete(archive.key(4))
    findings = archive.findings(deep=deep)
    assert [(f.kind, f.key) for f in findings] == [("object-missing", archive.key(4))]


def decide(archive: Archive, lsn: int, kind: str, target: int, named: int) -> None:
    sop = archive.records[target - 1].sop_instance_uid
    act = ActRecord(
        kind=kind,
        writer="w1",
        lsn=lsn,
        stamp=lsn,
        study_uid="1.2",
        targets=(Target("1.2.3", sop, (("w1", named),)),),
    )
    archive.journal.append([act])


def test_what_is_deleted_is_not_in_the_index_and_its_bytes_stay_until_they_are_collected(archive: Archive) -> None:
    decide(archive, 11, "delete", target=4, named=4)
    without = [row for row in archive.rows() if row.sop_instance_uid != "1.2.3.4"]
    assert archive.findings(rows=without) == []
    assert archive.kinds() == ["index-extra"]
    archive.store.delete(archive.key(4))
    assert archive.kinds(rows=without) == ["object-missing"]
    decide(archive, 12, "collect", target=4, named=4)
    assert archive.findings(rows=without) == []


def test_what_was_restored_is_wanted_again(archive: Archive) -> None:
    decide(archive, 11, "delete", target=4, named=4)
    decide(archive, 12, "restore", target=4, named=11)
    assert archive.findings() == []
    assert archive.kinds(rows=[row for row in archive.rows() if row.lsn != 4]) == ["index-lacks"]


def test_a_decision_that_comes_meanwhile_is_not_taken_for_damage(archive: Archive) -> None:
    def rows() -> list[Instance]:
        if len(archive.rows()) == 10 and not decided:
            decide(archive, 11, "delete", target=4, named=4)
            decided.append(True)
        return [row for row in archive.rows() if row.sop_instance_uid != "1.2.3.4"]

    decided: list[bool] = []
    assert list(verify(archive.store, archive.journal, rows)) == []


def test_an_object_under_another_objects_name(archive: Archive) -> None:
    archive.store.put(archive.key(5), [archive.store.get(archive.key(6))], durable=True)
    assert archive.kinds() == ["object-altered"]


@pytest.mark.parametrize("field", ["blake3_root", "blake3_chunks"])
def test_a_record_with_another_proof(archive: Archive, field: str) -> None:
    made = archive.keep(11, b"eleven" * MIB)
    wrong = msgspec.structs.replace(made, **{field: bytes(32 * 6)})
    archive.journal.append([wrong])
    assert archive.kinds() == ["record-disagrees"]


def test_orphans_and_strays_are_named_but_no_damage(archive: Archive) -> None:
    archive.keep(11, b"not journalled")
    archive.store.create("t/default/o/00/notes.txt", [b"somebody's"], durable=True)
    findings = archive.findings(rows=archive.rows()[:10])
    assert sorted(f.kind for f in findings) == ["orphan", "stray"]
    assert not any(f.is_damage for f in findings)


def test_what_is_journalled_during_the_walk_is_no_orphan(archive: Archive) -> None:
    def progress(count: int, size_bytes: int) -> None:
        if count == 10:
            archive.journal.append([archive.keep(11, b"eleven"), archive.keep(12, b"twelve")])

    findings = list(verify(archive.store, archive.journal, archive.rows, progress=progress))
    assert findings == []


@pytest.mark.parametrize("how", ["flipped", "cut", "empty", "another"])
def test_a_damaged_batch_does_not_hide_the_others(archive: Archive, how: str) -> None:
    key = paths.batch_key("default", "w1", 1, 2)
    data = archive.store.get(key)
    damaged = {
        "flipped": data[:-1] + bytes([data[-1] ^ 1]),
        "cut": data[:-5],
        "empty": b"",
        "another": archive.store.get(paths.batch_key("default", "w1", 1, 3)),
    }[how]
    archive.store.put(key, [damaged], durable=True)
    archive.store.delete(archive.key(9))
    findings = archive.findings()
    assert ("journal-damaged", key) in [(f.kind, f.key) for f in findings]
    assert ("object-missing", archive.key(9)) in [(f.kind, f.key) for f in findings]


@pytest.mark.parametrize("number", [1, 3])
def test_a_lost_batch(archive: Archive, number: int) -> None:
    key = paths.batch_key("default", "w1", 1, number)
    archive.store.delete(key)
    assert ("journal-missing", key) in [(f.kind, f.key) for f in archive.findings()]


def test_lost_last_batches_are_noticed_by_the_seal(archive: Archive) -> None:
    archive.journal.close()
    for number in (5, 6):
        archive.store.delete(paths.batch_key("default", "w1", 1, number))
    findings = archive.findings()
    assert ("journal-missing", paths.batch_key("default", "w1", 1, 5)) in [(f.kind, f.key) for f in findings]


def test_a_lost_writers_stream_is_noticed(archive: Archive) -> None:
    archive.store.delete(paths.writers_key("default", 1))
    findings = archive.findings()
    assert ("journal-damaged", paths.batch_key("default", "w1", 1, 1)) in [(f.kind, f.key) for f in findings]


def test_a_damaged_writers_stream_is_noticed(archive: Archive) -> None:
    archive.store.put(paths.writers_key("default", 1), [b"x"], durable=True)
    assert "journal-damaged" in archive.kinds()


def test_an_index_that_lacks_has_more_or_differs(archive: Archive) -> None:
    rows = archive.rows()
    assert archive.kinds(rows=rows[1:]) == ["index-lacks"]
    extra = msgspec.structs.replace(rows[0], sop_instance_uid="1.2.9")
    assert archive.kinds(rows=[*rows, extra]) == ["index-extra"]
    newer = msgspec.structs.replace(extra, lsn=99)  # stored since the walk
    assert archive.kinds(rows=[*rows, newer]) == []
    other = msgspec.structs.replace(rows[0], key=rows[1].key)
    assert archive.kinds(rows=[other, *rows[1:]]) == ["index-differs"]


def test_the_index_shows_the_first_of_several_versions(archive: Archive) -> None:
    again = msgspec.structs.replace(archive.keep(11, b"eleven"), sop_instance_uid="1.2.3.1")
    archive.journal.append([again])
    rows = archive.rows()[:10]
    assert archive.kinds(rows=rows) == ["index-differs"]
    rows[0] = msgspec.structs.replace(rows[0], version_count=2)
    assert archive.kinds(rows=rows) == []


@pytest.mark.parametrize("count", [1, 3, 4, 100])
def test_passes_see_each_instance_once(archive: Archive, count: int) -> None:
    limits = Limits(verify_instances_max=count)
    assert list(verify(archive.store, archive.journal, archive.rows, False, limits=limits)) == []
    lacking = archive.rows()[3:]
    found = list(verify(archive.store, archive.journal, lambda: lacking, False, limits=limits))
    assert sorted(f.key for f in found) == sorted(archive.key(lsn) for lsn in (1, 2, 3))


def test_marks_are_taken_once() -> None:
    chance = random.Random(6)
    marks, oracle = Marks(), dict[int, int]()
    for _ in range(30_000):
        number, mark = chance.choice([chance.getrandbits(64), chance.randrange(1, 5000)]), chance.getrandbits(64) | 1
        assert marks.put(number, mark) == (number not in oracle)
        oracle.setdefault(number, mark)
        if chance.random() < 0.3:
            taken = chance.choice([number, chance.randrange(1, 5000)])
            assert marks.take(taken) == oracle.get(taken, 0)
            oracle.update({taken: 0} if taken in oracle else {})
    assert sorted(marks.left()) == sorted(number for number, mark in oracle.items() if mark)


def test_the_compact_set_is_a_set() -> None:
    chance = random.Random(5)
    seen, oracle = Seen(), set[int]()
    for _ in range(30_000):
        number = chance.choice([chance.getrandbits(64), chance.randrange(1, 5000)])
        assert (number in seen) == (number in oracle)
        assert seen.add(number) == (number not in oracle)
        oracle.add(number)
    assert len(seen) == len(oracle)
