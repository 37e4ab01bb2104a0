"""Building the index anew: the old one answers, nothing that comes meanwhile is lost. When settling is due."""

import random
from pathlib import Path

import pytest

from engine.clock import ManualClock, SeededIdentifiers
from engine.errors import Conflict, Unavailable
from engine.find import find
from engine.index import Index, indexer
from engine.model import Found, StoreRecord
from tests.engine.index.test_index import At, archive, query, record


@pytest.fixture(params=["memory", "folder"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return tmp_path / "index" if request.param == "folder" else None


def everything(index: Index) -> list[Found]:
    return [find(index.view(), query(level)) for level in ("patient", "study", "series", "instance")]


def folded(index: Index, journal: list[StoreRecord], upto: int) -> None:
    index.fold(journal[:upto])
    index.note_position(At("w", (1, "n", upto)))


@pytest.mark.parametrize("seed", range(4))
def test_what_comes_meanwhile_is_in_both(place: Path | None, seed: int) -> None:
    chance = random.Random(seed)
    journal = [*archive(4), record(1, 1, 1, 90, content="b"), record(2, 1, 1, 91)]
    chance.shuffle(journal)
    index = Index.open(place, identifiers=SeededIdentifiers(seed + 1))
    begun, journalled = chance.randrange(5, 12), chance.randrange(12, 18)
    folded(index, journal, begun)
    if chance.random() < 0.5:
        index.settle()
    page = find(index.view(), query("instance", limit=2))

    def replay(successor: Index) -> int:
        folded(successor, journal, journalled)
        assert everything(index)[3].total == len({r.sop_instance_uid for r in journal[:begun]}), "the old one serves"
        for at in range(begun, len(journal), 3):
            index.fold(journal[at : at + 3])
            index.note_position(At("w", (1, "n", min(at + 3, len(journal)))))
            if chance.random() < 0.4:
                index.settle()
            if chance.random() < 0.4:
                successor.settle()
            index.view()
        return journalled

    assert index.rebuild(replay, lambda: None) == journalled
    plain = Index.open(None)
    plain.fold(journal)
    assert everything(index) == everything(plain)
    rest = find(index.view(), query("instance", page=page.next_page))
    assert len(page.matches) + len(rest.matches) == page.total, "pages of before go on"
    index.settle()
    assert index.cursor == {"w": (1, "n", len(journal))}
    assert everything(index) == everything(plain)
    index.close()
    if place is not None:
        reopened = Index.open(place)
        assert everything(reopened) == everything(plain) and reopened.cursor == {"w": (1, "n", len(journal))}
        assert sum(path.is_dir() for path in place.iterdir()) == 1, "the old index is gone"


def test_a_rebuild_that_fails_changes_nothing(place: Path | None) -> None:
    index = Index.open(place)
    folded(index, archive(), 30)
    before = everything(index)

    def fails(successor: Index) -> int:
        successor.fold(archive(1))
        raise Unavailable("the store is away")

    for replay, wait in ((fails, lambda: None), (lambda _: 0, lambda: fails(Index.open(None)))):
        with pytest.raises(Unavailable):
            index.rebuild(replay, wait)
    assert everything(index) == before
    index.fold([record(6, 1, 1, 99)])
    index.settle()
    assert everything(index)[3].total == 31
    if place is not None:
        assert sum(path.is_dir() for path in place.iterdir()) == 1


def test_one_rebuild_at_a_time() -> None:
    index = Index.open(None)

    def again(_: Index) -> int:
        with pytest.raises(Conflict):
            index.rebuild(lambda _: 0, lambda: None)
        return 1

    assert index.rebuild(again, lambda: None) == 1


def test_what_was_taken_out_of_the_journal_is_gone() -> None:
    """Nothing of the old index leaks into the new one but what is folded meanwhile."""
    index = Index.open(None)
    index.fold(archive())
    index.rebuild(lambda successor: len(successor.fold(archive(1))), lambda: None)
    assert index.view().counts() == (1, 2, 6)


def test_settling_is_due_by_count_bytes_superseded_and_age(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = ManualClock()
    index = Index.open(None, clock)
    assert not index.due()
    index.fold(archive(1))
    clock.advance(indexer.FRESH_SECONDS_MAX - 1)
    index.fold(archive(2))
    assert not index.due()
    clock.advance(1)
    assert index.due(), "the oldest row is that old"
    index.settle()
    clock.advance(100)
    assert not index.due(), "an idle index rests"
    index.note_position(At("w", (1, "n", 1)))
    clock.advance(100)
    assert index.due(), "the cursor alone settles, too"
    index.settle()
    assert index.cursor == {"w": (1, "n", 1)} and not index.due()
    for name, few in (("FRESH_COUNT_MAX", 3), ("FRESH_BYTES_MAX", 1000), ("SUPERSEDED_COUNT_MAX", 2)):
        with monkeypatch.context() as changed:
            changed.setattr(indexer, name, few)
            index.fold([record(1, 1, 1, 50 + few, content=name), record(1, 1, 2, 60 + few, content=name)])
            index.view()
            assert index.due(), name
        assert not index.due(), name
        index.settle()


def test_new_studies_supersede_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexer, "SUPERSEDED_COUNT_MAX", 1)
    index = Index.open(None)
    for number in range(3):
        index.fold([record(number, 1, 1, number + 1)])
        index.view()
        assert not index.due()
    index.settle()
    index.fold([record(1, 1, 2, 9)])
    index.view()
    assert index.due()
