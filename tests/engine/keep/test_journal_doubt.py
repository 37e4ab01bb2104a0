"""The journal and a store whose answers cannot be trusted: what was acknowledged is there once, in order."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.clock import ManualClock, SeededIdentifiers
from engine.errors import Fenced, Unavailable
from engine.keep.bucket import MemoryStore
from engine.keep.journal import Journal
from engine.keep.objects import ObjectStore
from engine.limits import Limits
from engine.model import StoreRecord

from .faulty_store import FaultyStore
from .records import record

NAMES = SeededIdentifiers(7)


def open_journal(store: ObjectStore, writer: str = "w1", limits: Limits | None = None) -> Journal:
    return Journal.open(store, "default", writer, ManualClock(), NAMES, limits or Limits())


def lsns(journal: Journal, after: dict[str, tuple[int, str, int]] | None = None) -> list[int]:
    return [one.lsn for _, batch in journal.read(after or {}) for one in batch.records]


def append_until_sure(journal: Journal, records: list[StoreRecord]) -> None:
    for _ in range(3000):
        try:
            journal.append(records)
            return
        except Unavailable:
            continue
    raise AssertionError("never sure")


def open_until_sure(store: ObjectStore, names: SeededIdentifiers) -> Journal:
    for _ in range(3000):
        try:
            return Journal.open(store, "default", "w1", ManualClock(), names)
        except Unavailable:
            continue
    raise AssertionError("never open")


@given(st.integers(0, 2**32), st.sampled_from([0.05, 0.2, 0.4]))
@settings(max_examples=150, deadline=None)
def test_acknowledged_appends_are_read_exactly_once_in_order_whatever_the_store_does(seed: int, rate: float) -> None:
    store = FaultyStore(seed, rate)
    names = SeededIdentifiers(seed)
    journal = open_until_sure(store, names)
    lsn = 0
    for group in range(12):
        records = [record(lsn + number) for number in range(1, 2 + group % 3)]
        append_until_sure(journal, records)
        lsn = records[-1].lsn
        if group % 5 == 4:
            journal = open_until_sure(store, names)
    store.settle()
    assert lsns(journal) == list(range(1, lsn + 1))


@given(st.integers(0, 2**32))
@settings(max_examples=100, deadline=None)
def test_two_processes_of_one_writer_never_both_acknowledge(seed: int) -> None:
    """Both go on as long as they can; what either acknowledged is there once; the older one is fenced in the end."""
    store = FaultyStore(seed, 0.3)
    older = open_until_sure(store, SeededIdentifiers(1))
    acknowledged: list[int] = []
    newer: Journal | None = None
    fenced = False
    for number in range(1, 25):
        if number == 8:
            newer = open_until_sure(store, SeededIdentifiers(2))
        for journal, lsn in ((older, number), (newer, 100 + number)):
            if journal is None or (journal is older and fenced):
                continue
            try:
                append_until_sure(journal, [record(lsn)])
                acknowledged.append(lsn)
            except Fenced:
                assert journal is older
                fenced = True
    assert fenced
    store.settle()
    assert newer is not None
    found = lsns(newer)
    assert len(found) == len(set(found))
    assert set(acknowledged) <= set(found)
    assert [lsn for lsn in found if lsn in set(acknowledged)] == acknowledged


class _Scripted(MemoryStore):
    """Before each create, the script's next step runs; it may raise before the work, or after it."""

    def __init__(self) -> None:
        super().__init__()
        self.before: list[Callable[[], None]] = []
        self.after: list[Callable[[], None]] = []
        self.unreadable = 0

    def create(self, key: str, parts: object, *, durable: bool) -> None:
        if self.before:
            self.before.pop(0)()
        super().create(key, parts, durable=durable)  # type: ignore[arg-type]
        if self.after:
            self.after.pop(0)()

    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        if self.unreadable:
            self.unreadable -= 1
            raise Unavailable("no answer")
        return super().get(key, offset, length)


def no_answer() -> None:
    raise Unavailable("no answer")


@pytest.mark.parametrize("done", [True, False])
def test_an_append_in_doubt_is_settled_before_another_is_written(done: bool) -> None:
    """Whether or not the first was done, its number is never given to other records of this process."""
    store = _Scripted()
    journal = open_journal(store)
    (store.after if done else store.before).append(no_answer)
    store.unreadable = 1
    with pytest.raises(Unavailable):
        journal.append([record(1)])
    journal.append([record(2)])
    assert lsns(journal) == [1, 2]
    journal.append([record(1)])  # the caller asks again for what it never heard of
    assert lsns(journal) == [1, 2]
    journal.append([record(3)])
    assert lsns(journal) == [1, 2, 3]


def test_a_journal_in_doubt_is_settled_by_its_close() -> None:
    store = _Scripted()
    journal = open_journal(store)
    store.before.append(no_answer)
    store.unreadable = 1
    with pytest.raises(Unavailable):
        journal.append([record(1)])
    journal.close()
    assert lsns(journal) == [1]


def test_of_a_split_append_that_failed_only_the_rest_is_written_again() -> None:
    store = _Scripted()
    journal = open_journal(store, limits=Limits(batch_records_max=1))
    store.before += [lambda: None, *[no_answer] * 10]
    with pytest.raises(Unavailable):
        journal.append([record(1), record(2), record(3)])
    store.before = []
    journal.append([record(1), record(2), record(3)])
    assert lsns(journal) == [1, 2, 3]


@pytest.mark.parametrize("step", [0, 1, 2])
def test_of_two_processes_that_start_at_once_one_is_fenced(step: int) -> None:
    """The other one opens completely before this one's seal, before its note of the seal, before its open record."""
    store = _Scripted()
    open_journal(store).append([record(1)])
    other: list[Journal] = []
    store.before = [lambda: None] * step + [lambda: other.append(open_journal(store))]
    this = open_journal(store)
    this.append([record(2)])
    with pytest.raises(Fenced):
        other[0].append([record(3)])
    assert lsns(this) == [1, 2]
    epochs = [position.epoch for position, _ in this.read({})]
    assert epochs == sorted(epochs)
