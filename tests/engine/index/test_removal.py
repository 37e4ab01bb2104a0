"""Any history of stores, deletes, restores and promotes, in any order, settled whenever: the rows of what lives."""

import random
from collections.abc import Sequence

import msgspec
import pytest

from engine.find import find
from engine.index import Index
from engine.index.matching import AllOf
from engine.index.members import StudyMembers
from engine.index.schema import ABSENT
from engine.index.texts import text_of
from engine.keep import fold
from engine.keep.state import EMPTY, InstanceState
from engine.model import ActRecord, Key, Level, Query, Record, StoreRecord, Target
from tests.engine.index.test_index import query, record

Place = tuple[str, str, str]

Step = tuple[str, int, int, int, int, str, int]
KINDS = ("store", "store", "store", "delete", "restore", "promote", "collect")


def steps_of(chance: random.Random) -> list[Step]:
    """Few places, so that much happens at each: study, series, instance, content or how many stores, writer, stamp."""
    return [
        (
            chance.choice(KINDS),
            chance.randint(0, 1), chance.randint(1, 2), chance.randint(1, 2),
            chance.randint(0, 2),
            chance.choice(("w1", "w2")),
            chance.randint(1, 9),
        )
        for _ in range(chance.randint(4, 24))
    ]  # fmt: skip


def history(steps: Sequence[Step]) -> list[Record]:
    """Records as a journal has them: placed by an index that saw them in this order."""
    index, journal = Index.open(None), []
    for lsn, (kind, study, series, instance, choice, writer, stamp) in enumerate(steps, 1):
        place = (f"1.2.{study}", f"1.2.{study}.{series}", f"1.2.{study}.{series}.{instance}")
        if kind == "store":
            modality = ("CT", "MR", "US")[choice]
            made = record(
                study,
                series,
                instance,
                lsn,
                content=f"c{choice}",
                key=f"{choice}" * 32,
                modality=modality,
                description=f"{lsn}",
            )
            one: Record = msgspec.structs.replace(made, writer=writer, stamp=stamp * 10**6)
        else:
            wanted = [
                other for other in journal
                if isinstance(other, ActRecord if kind == "restore" else StoreRecord)
                and (place[2] == other.sop_instance_uid if isinstance(other, StoreRecord) else other.kind == "delete")
            ]  # fmt: skip
            named = tuple((other.writer, other.lsn) for other in wanted[: choice + 1])
            target = Target(place[1], place[2], named)
            one = ActRecord(
                kind=kind, writer=writer, lsn=lsn, stamp=stamp * 10**6, study_uid=place[0], targets=(target,)
            )
        journal += [outcome.record for outcome in index.fold([one])]
    return journal


def states(journal: Sequence[Record]) -> dict[Place, InstanceState]:
    """Slow and obvious: all stores of an instance folded at once, then each act."""
    stores: dict[Place, list[StoreRecord]] = {}
    for one in journal:
        if isinstance(one, StoreRecord):
            stores.setdefault((one.study_uid, one.series_uid, one.sop_instance_uid), []).append(one)
    kept = {place: fold.fold(records) for place, records in stores.items()}
    for one in journal:
        if isinstance(one, ActRecord):
            for (series, sop), act in fold.acts_of(one).items():
                place = (one.study_uid, series, sop)
                kept[place] = fold.act_on(kept.get(place, EMPTY), act)
    return kept


def expected_header(state: InstanceState, journal: Sequence[Record], place: Place) -> bytes:
    """Of the current version's very first store."""
    assert state.current is not None
    own = [
        one
        for one in journal
        if isinstance(one, StoreRecord)
        and (one.study_uid, one.series_uid, one.sop_instance_uid) == place
        and one.content_digest == state.current.content_digest
    ]
    return min(own, key=lambda one: (one.stamp, one.writer, one.lsn)).header


def check(index: Index, journal: Sequence[Record]) -> None:
    kept, view = states(journal), index.view()
    living = {place: state for place, state in kept.items() if state.current}
    instances = find(view, query("instance")).matches
    assert {(m.study_uid, m.series_uid, m.sop_instance_uid): m.header for m in instances} == {
        place: expected_header(state, journal, place) for place, state in living.items()
    }
    assert len(instances) == len(living)
    for match in instances:
        place = (match.study_uid, match.series_uid, match.sop_instance_uid)
        assert match.instance == fold.instance(living[place], *place)
    for level, size in ((Level.STUDY, 1), (Level.SERIES, 2)):
        rows = find(view, query(level)).matches
        assert {(m.study_uid, m.series_uid)[:size] for m in rows} == {place[:size] for place in living}
        assert len(rows) == len({place[:size] for place in living})
    for match in find(view, query("study")).matches:
        below = {place: state for place, state in living.items() if place[0] == match.study_uid}
        headers = [expected_header(state, journal, place) for place, state in below.items()]
        assert text_of(match.header, 0x00201208) == str(len(below))
        assert text_of(match.header, 0x00201206) == str(len({place[1] for place in below}))
        assert text_of(match.header, 0x00080061).split("\\") == sorted({text_of(one, 0x00080060) for one in headers})
        assert view.rows_below(query("study", ("0020000D", match.study_uid)))
    assert view.counts() == (len({p[0] for p in living}), len({p[:2] for p in living}), len(living))
    gone = {place for place, state in kept.items() if not state.current}
    found = view.gone(Query(level=Level.STUDY))
    assert {(r.facts.study_uid, r.facts.series_uid, r.facts.sop_instance_uid) for r in found} == gone
    until = 4
    due = {row.key for row in view.gone_until(until)}
    for place, state in kept.items():
        if state.collectable(until * 10**6 + 999_999):
            assert "/".join(place) in due


def everything(index: Index) -> str:
    view = index.view()
    answers = [find(view, query(level)) for level in ("patient", "study", "series", "instance")]
    gone = sorted((row.key, row.header, row.facts) for row in view.gone(Query(level=Level.STUDY)))
    instances = [match.instance for answer in answers for match in answer.matches]
    return repr((answers, instances, gone, view.counts()))


@pytest.mark.parametrize("seed", range(24))
def test_any_order_any_settle(seed: int) -> None:
    chance = random.Random(seed)
    journal = history(steps_of(chance))
    answers = set()
    for number in range(3):
        order = journal if number == 0 else chance.sample(journal, len(journal))
        index = Index.open(None)
        for at, one in enumerate(order):
            index.fold([one], placed=True)
            if chance.random() < 0.5:
                index.view()
            if chance.random() < 0.25:
                index.settle()
            if number == 0:
                check(index, order[: at + 1])
        check(index, journal)
        answers.add(everything(index))
        index.settle()
        assert index._settled.count(ABSENT, AllOf(())) == 0
        index.fold(order[::2], placed=True)
        answers.add(everything(index))
    assert len(answers) == 1


def test_gone_rows_are_asked_for_by_their_own_header() -> None:
    index = Index.open(None)
    stores = [record(1, 1, 1, 1), record(1, 1, 2, 2), record(2, 1, 1, 3)]
    index.fold(stores)
    targets = tuple(Target(one.series_uid, one.sop_instance_uid, ((one.writer, one.lsn),)) for one in stores[:2])
    index.fold([ActRecord(kind="delete", writer="w", lsn=9, stamp=7 * 10**6, study_uid="1.2.1", targets=targets)])
    for _ in range(2):
        view = index.view()
        for keys, found in (
            ((("00100020", ("P1",)),), 2),
            ((("00200013", ("2",)),), 1),
            ((("0020000D", ("1.2.1",)), ("00100010", ("pat1*",))), 2),
            ((("0020000D", ("1.2.2",)),), 0),
        ):
            asked = Query(level=Level.STUDY, keys=tuple(Key(path, values) for path, values in keys))
            assert len(view.gone(asked)) == found
        assert [len(view.gone_until(second)) for second in (6, 7, 8)] == [0, 2, 2]
        assert view.row_of("1.2.1", "1.2.1.1", "1.2.1.1.1") is None
        assert view.row_of("1.2.2", "1.2.2.1", "1.2.2.1.1") is not None
        index.settle()


def test_a_study_that_goes_instance_by_instance_is_gathered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    gathered: list[str] = []
    real = Index._gathered

    def counting(self: Index, study_uid: str) -> StudyMembers:
        gathered.append(study_uid)
        return real(self, study_uid)

    monkeypatch.setattr(Index, "_gathered", counting)
    index = Index.open(None)
    stored = [outcome.record for n in range(1, 101) for outcome in index.fold([record(1, 1, n, n)])]
    index.view()
    gathered.clear()
    targets = tuple(
        Target(one.series_uid, one.sop_instance_uid, ((one.writer, one.lsn),))
        for one in stored[:-1]
        if isinstance(one, StoreRecord)
    )
    study_uid = "1.2.1"
    index.fold([ActRecord(kind="delete", writer="w1", lsn=101, stamp=10**9, study_uid=study_uid, targets=targets)])
    assert [match.sop_instance_uid for match in find(index.view(), query("instance")).matches] == ["1.2.1.1.100"]
    assert len(gathered) <= 1
