"""The journal: epochs, seals, cursors, damage."""

import msgspec
import pytest

from engine.clock import ManualClock, SeededIdentifiers
from engine.errors import Conflict, Corrupt, Fenced, Invalid
from engine.keep import paths
from engine.keep.bucket import MemoryStore
from engine.keep.folder import FolderStore
from engine.keep.formats import decode_batch, encode_batch
from engine.keep.journal import Journal
from engine.keep.nodes import WritersStream
from engine.keep.objects import ObjectStore
from engine.limits import Limits

from .records import record

NAMES = SeededIdentifiers(7)


def open_journal(store: ObjectStore, writer: str = "w1", limits: Limits | None = None) -> Journal:
    return Journal.open(store, "default", writer, ManualClock(), NAMES, limits or Limits())


def lsns(journal: Journal, after: dict[str, tuple[int, str, int]] | None = None) -> list[int]:
    return [one.lsn for _, batch in journal.read(after or {}) for one in batch.records]


def test_what_is_appended_is_read_in_order() -> None:
    journal = open_journal(MemoryStore())
    for first in range(1, 30, 3):
        journal.append([record(first), record(first + 1), record(first + 2)])
    assert lsns(journal) == list(range(1, 31))


def test_a_folder_has_each_batch_on_disk_when_append_returns(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("archive")
    journal = open_journal(FolderStore(folder))
    journal.append([record(1)])
    assert lsns(open_journal(FolderStore(folder), "w2")) == [1]


def test_positions_resume_behind_what_was_taken() -> None:
    journal = open_journal(MemoryStore())
    positions = [journal.append([record(number)]) for number in range(1, 6)]
    for taken, position in enumerate(positions, 1):
        assert lsns(journal, {"w1": position.mark}) == list(range(taken + 1, 6))
    assert not journal.has_more({"w1": positions[-1].mark})
    assert journal.has_more({"w1": positions[-2].mark})
    assert journal.has_more({})


def test_a_restart_seals_the_epoch_and_goes_on_in_the_next() -> None:
    store = MemoryStore()
    first = open_journal(store)
    position = first.append([record(1), record(2)])
    second = open_journal(store)
    assert second.position.epoch == 2
    assert (second.last_lsn(), second.last_stamp()) == (2, 2)
    later = second.append([record(3)])
    assert lsns(second) == [1, 2, 3]
    assert lsns(second, {"w1": position.mark}) == [3]
    assert lsns(second, {"w1": later.mark}) == []
    assert not second.has_more({"w1": later.mark})
    assert decode_batch(store.get(paths.batch_key("default", "w1", 1, 2))).head.kind == "sealed"


def test_epochs_without_batches_do_not_forget_what_was_numbered() -> None:
    """An LSN that was journalled once must never be given again, however often a node starts and dies in between."""
    store = MemoryStore()
    open_journal(store).append([record(7, 70)])
    for _ in range(3):
        journal = open_journal(store)
        assert (journal.last_lsn(), journal.last_stamp()) == (7, 70)
        assert 7 in journal.lsns_journalled


def test_a_zombie_is_fenced_and_stays_so() -> None:
    store = MemoryStore()
    zombie = open_journal(store)
    zombie.append([record(1)])
    successor = open_journal(store)
    with pytest.raises(Fenced):
        zombie.append([record(2)])
    with pytest.raises(Fenced):
        zombie.append([record(2)])
    zombie.close()
    successor.append([record(2)])
    assert lsns(successor) == [1, 2]


def test_a_zombie_that_has_written_nothing_is_fenced_too() -> None:
    store = MemoryStore()
    zombie, successor = open_journal(store), open_journal(store)
    with pytest.raises(Fenced):
        zombie.append([record(1)])
    zombie.close()  # it knows; a second zombie learns it here
    unaware, successor = successor, open_journal(store)
    with pytest.raises(Fenced):
        unaware.close()
    successor.append([record(2)])
    assert lsns(successor) == [2]


def test_close_seals_and_the_next_start_does_not_seal_again() -> None:
    store = MemoryStore()
    journal = open_journal(store)
    journal.append([record(1)])
    journal.close()
    journal.close()
    with pytest.raises(Fenced):
        journal.append([record(2)])
    assert [e.seal for e in _epochs(store)] == [2]
    open_journal(store)
    assert [(e.epoch, e.seal) for e in _epochs(store)] == [(1, 2), (2, 0)]
    assert len(list(store.list("t/default/j/w1/00000001/"))) == 2


def _epochs(store: ObjectStore) -> list[object]:
    stream = WritersStream(store, "default", ManualClock())
    stream.refresh()
    return list(stream.epochs())


def test_a_crash_between_the_steps_of_an_opening_is_mended_by_the_next() -> None:
    """The seal is won, then the process dies; or the seal is noted, and it dies before its open record."""
    for surviving in range(1, 4):
        store = _Dying()
        journal = Journal.open(store, "default", "w1", ManualClock(), NAMES)
        journal.append([record(1)])
        store.creates_left = surviving
        while True:
            try:
                journal = Journal.open(store, "default", "w1", ManualClock(), NAMES)
                break
            except _Died:
                store.creates_left = 100
        journal.append([record(2)])
        assert lsns(journal) == [1, 2]


class _Died(BaseException):
    pass


class _Dying(MemoryStore):
    """The process dies after some creates."""

    creates_left = 100

    def create(self, key: str, parts: object, *, durable: bool) -> None:
        self.creates_left -= 1
        if not self.creates_left:
            raise _Died
        super().create(key, parts, durable=durable)  # type: ignore[arg-type]


def test_many_writers_are_read_together() -> None:
    store = MemoryStore()
    journals = [open_journal(store, f"w{number}") for number in range(4)]
    for number in range(1, 13):
        writer = number % 4
        journals[writer].append([record(number, writer=f"w{writer}")])
    assert sorted(lsns(journals[0])) == list(range(1, 13))
    again = [position.writer for position, _ in journals[0].read({})]
    assert again == sorted(again)  # in the order of their opening


def test_large_appends_are_split_by_the_limits() -> None:
    store = MemoryStore()
    journal = open_journal(store, limits=Limits(batch_records_max=3, batch_bytes_max=2000))
    position = journal.append([record(number) for number in range(1, 12)])
    assert position.number >= 4
    assert lsns(journal) == list(range(1, 12))
    huge = msgspec.structs.replace(record(12), header=b"x" * 5000)
    journal.append([huge])
    assert lsns(journal)[-1] == 12


def test_appending_nothing_writes_nothing() -> None:
    store = MemoryStore()
    journal = open_journal(store)
    before = list(store.list(""))
    assert journal.append([]).number == 0
    assert list(store.list("")) == before


def test_records_of_other_writers_are_refused() -> None:
    with pytest.raises(Invalid):
        open_journal(MemoryStore()).append([record(1, writer="w2")])


def test_the_lsns_of_sealed_epochs_are_known_without_reading_all() -> None:
    store = _Counting()
    for start in (1, 101, 201):
        journal = open_journal(store)
        for lsn in range(start, start + 100, 10):
            journal.append([record(number) for number in range(lsn, lsn + 10) if number % 7])
    journal = open_journal(store)
    store.gets = 0
    journalled = journal.lsns_journalled
    assert [lsn for lsn in range(295, 400) if lsn in journalled] == [295, 296, 297, 298, 299, 300]
    assert store.gets == 1
    assert all((lsn in journalled) == bool(lsn % 7) for lsn in range(185, 301))
    assert store.gets <= 13
    assert all((lsn in journalled) == bool(lsn % 7) for lsn in range(1, 301))
    assert 0 not in journalled


class _Counting(MemoryStore):
    gets = 0

    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        self.gets += 1
        return super().get(key, offset, length)


def test_lsns_out_of_order_are_known_too() -> None:
    store = MemoryStore()
    journal = open_journal(store)
    for group in ([10, 11], [1, 2], [12], [3]):
        journal.append([record(lsn) for lsn in group])
    journalled = open_journal(store).lsns_journalled
    assert [lsn for lsn in range(15) if lsn in journalled] == [1, 2, 3, 10, 11, 12]


def test_a_cursor_of_another_journal_is_a_conflict() -> None:
    one, other = open_journal(MemoryStore()), open_journal(MemoryStore())
    mark = one.append([record(1)]).mark
    other.append([record(1)])
    for wrong in (mark, (9, other.position.nonce, 1), (1, other.position.nonce, 2)):
        with pytest.raises(Conflict):
            lsns(other, {"w1": wrong})
    with pytest.raises(Conflict):
        lsns(other, {"w9": mark})


def test_text_cursors_resume_behind_each_record() -> None:
    store = MemoryStore()
    a, b = open_journal(store, "a"), open_journal(store, "b")
    a.append([record(1, writer="a"), record(2, writer="a"), record(3, writer="a")])
    b.append([record(4, writer="b"), record(5, writer="b")])
    a.append([record(6, writer="a")])
    feed = list(a.records(""))
    assert [one.lsn for _, one in feed] == [1, 2, 3, 6, 4, 5]
    for at, (cursor, _) in enumerate(feed):
        assert list(a.records(cursor)) == feed[at + 1 :]
    cursor = feed[4][0]
    a.append([record(7, writer="a")])
    assert [one.lsn for _, one in b.records(cursor)] == [7, 5]


@pytest.mark.parametrize("text", ["x", "é", "AAAA", "ktwB", "=" * 10, "A" * 10_000])
def test_other_texts_are_no_cursors(text: str) -> None:
    with pytest.raises(Invalid):
        list(open_journal(MemoryStore()).records(text))


def test_damage_is_said_and_not_skipped() -> None:
    store = MemoryStore()
    journal = open_journal(store)
    for number in range(1, 5):
        journal.append([record(number)])
    key = paths.batch_key("default", "w1", 1, 2)
    sound = store.get(key)
    store.put(key, [sound[:-1] + bytes([sound[-1] ^ 1])], durable=True)
    with pytest.raises(Corrupt):
        lsns(journal)
    store.put(key, [store.get(paths.batch_key("default", "w1", 1, 3))], durable=True)
    with pytest.raises(Corrupt):
        lsns(journal)
    batch = decode_batch(sound)
    foreign = msgspec.structs.replace(batch.head, nonce="f" * 16)
    store.put(key, [encode_batch(foreign, batch.raw_records)], durable=True)
    with pytest.raises(Corrupt):
        lsns(journal)
    store.put(key, [sound], durable=True)
    journal.close()
    store.delete(key)
    with pytest.raises(Corrupt):
        lsns(journal)


def test_tenants_do_not_see_each_other() -> None:
    store = MemoryStore()
    one = Journal.open(store, "one", "w1", ManualClock(), NAMES)
    other = Journal.open(store, "other", "w1", ManualClock(), NAMES)
    one.append([record(1)])
    assert lsns(other) == []
    assert other.position.epoch == 1


def test_a_failed_sync_fences_the_journal() -> None:
    store = _Unsynced()
    journal = open_journal(store)
    store.broken = True
    with pytest.raises(Fenced):
        journal.append([record(1)])
    store.broken = False
    with pytest.raises(Fenced):
        journal.append([record(1)])


class _Unsynced(MemoryStore):
    broken = False

    def create(self, key: str, parts: object, *, durable: bool) -> None:
        if self.broken:
            raise Fenced("a sync failed")
        super().create(key, parts, durable=durable)  # type: ignore[arg-type]
