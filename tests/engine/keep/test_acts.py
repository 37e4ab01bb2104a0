"""Deletes, restores, promotes and collects of one instance: what lives afterwards, in any order."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.keep import fold
from engine.keep.state import EMPTY, Act, Identity, InstanceState, decode, encode
from engine.model import ActRecord, StoreRecord, Target

from .records import record

KINDS = ("delete", "restore", "promote", "collect", "from a later version")


def act(lsn: int, kind: str, *targets: int | Identity, stamp: int | None = None, writer: str = "w1") -> Act:
    named = tuple(sorted(("w1", one) if isinstance(one, int) else one for one in targets))
    return Act(lsn if stamp is None else stamp, writer, lsn, kind, named)


def state_of(*records: StoreRecord | Act) -> InstanceState:
    state = EMPTY
    for one in records:
        state = fold.act_on(state, one) if isinstance(one, Act) else fold.add(state, one)
    return state


def shown(state: InstanceState) -> list[str]:
    """The object keys of what lives, the current version first."""
    return [version.object.key[-1] for version in state.living]


def histories() -> st.SearchStrategy[list[StoreRecord | Act]]:
    identities = st.tuples(st.sampled_from(["w1", "w2"]), st.integers(1, 9))
    store = st.builds(
        record,
        lsn=st.integers(1, 6),
        stamp=st.integers(1, 4),
        content=st.integers(0, 2),
        writer=st.sampled_from(["w1", "w2"]),
    )
    decision = st.builds(
        lambda stamp, identity, kind, targets: Act(stamp, *identity, kind, tuple(sorted(targets))),
        st.integers(1, 6),
        identities,
        st.sampled_from(KINDS),
        st.sets(identities, max_size=3),
    )
    return st.lists(st.one_of(store, decision), max_size=10)


@given(histories(), st.data())
def test_any_order_and_repetition_folds_to_the_same_state(
    history: list[StoreRecord | Act], data: st.DataObject
) -> None:
    again = data.draw(st.lists(st.sampled_from(history), max_size=4)) if history else []
    expected = state_of(*history)
    state = state_of(*data.draw(st.permutations([*history, *again])))
    assert state == expected
    assert encode(state) == encode(expected)
    assert decode(encode(state)) == state
    assert state.living == decode(encode(state)).living


@given(histories())
def test_what_lives_is_what_no_delete_hides_and_no_collect_took(history: list[StoreRecord | Act]) -> None:
    """The same said anew, slowly and from the records alone."""
    state = state_of(*history)
    undone = {one for a in state.acts if a.kind == "restore" for one in a.targets}
    alive = set()
    for version in state.versions:
        for store in version.stores:
            hidden = any(
                a.kind == "delete" and store.identity in a.targets and a.identity not in undone for a in state.acts
            )
            if not hidden and store.identity not in state.collected:
                alive.add(store.identity)
    assert {store.identity for version in state.living for store in version.stores} == alive
    for key in state.removable_keys():
        assert not any(version.object_of(s).key == key for version in state.living for s in version.stores)


def test_a_delete_hides_the_stores_that_it_names_and_a_restore_brings_them_back() -> None:
    stored = (record(1, content=1), record(2, content=2))
    assert shown(state_of(*stored)) == ["1", "2"]
    assert shown(state_of(*stored, act(3, "delete", 1))) == ["2"]
    gone = state_of(*stored, act(3, "delete", 1, 2))
    assert gone.current is None
    assert fold.instance(gone, "1.2", "1.2.3", "1.2.3.4") is None
    back = fold.act_on(gone, act(4, "restore", 3))
    assert shown(back) == ["1", "2"]
    assert shown(fold.act_on(back, act(5, "delete", 2))) == ["1"]


def test_a_store_that_the_delete_did_not_see_keeps_its_version() -> None:
    first, again = record(1, content=1), record(2, content=1)
    state = state_of(first, again, act(3, "delete", 1))
    assert shown(state) == ["1"]
    assert state.current is not None
    assert [store.lsn for store in state.current.stores] == [2]


def test_two_deletes_of_one_store_need_two_restores() -> None:
    state = state_of(record(1), act(2, "delete", 1), act(3, "delete", 1, writer="w2"), act(4, "restore", 2))
    assert state.current is None
    assert fold.act_on(state, act(5, "restore", ("w2", 3))).current is not None


def test_the_last_promote_of_a_living_version_makes_it_current() -> None:
    stored = (record(1, content=1), record(2, content=2), record(3, content=3))
    promoted = state_of(*stored, act(4, "promote", 2), act(5, "promote", 3))
    assert shown(promoted) == ["3", "1", "2"]
    assert shown(fold.act_on(promoted, act(6, "delete", 3))) == ["2", "1"]
    found = fold.instance(promoted, "1.2", "1.2.3", "1.2.3.4")
    assert found is not None
    assert (found.key[-1], found.version_count) == ("3", 3)


def test_the_same_bytes_after_a_delete_are_never_kept_under_the_old_key() -> None:
    state = state_of(record(1, content=1), act(2, "delete", 1))
    placed = fold.place(state, record(3, content=1))
    assert (placed.outcome, placed.carries, placed.record.key) == ("new", True, f"{1:032x}~1")
    state = fold.act_on(fold.add(state, placed.record), act(4, "delete", 3))
    placed = fold.place(state, record(5, content=1))
    assert placed.record.key == f"{1:032x}~2"
    assert shown(fold.add(state, placed.record)) == ["2"]


def test_a_record_that_comes_again_after_a_crash_keeps_the_key_that_it_was_given() -> None:
    state = state_of(record(1, content=1), act(2, "delete", 1))
    raw = record(3, content=1)
    state = fold.add(state, fold.place(state, raw).record)
    again = fold.place(state, raw)
    assert (again.record.key, again.carries) == (f"{1:032x}~1", True)
    pointed = fold.place(state, record(4, content=1, key="c" * 32))
    assert (pointed.outcome, pointed.carries, pointed.record.key) == ("same", False, f"{1:032x}~1")
    state = fold.add(state, pointed.record)
    again = fold.place(state, record(4, content=1, key="c" * 32))
    assert (again.outcome, again.carries, again.record.key) == ("same", False, f"{1:032x}~1")


def test_collected_stores_do_not_come_back() -> None:
    stored, deleted = record(1, content=1), act(2, "delete", 1)
    state = state_of(stored, deleted, act(5, "collect", 1))
    assert state.removable_keys() == {f"{1:032x}"}
    late = fold.act_on(state, act(6, "restore", 2))
    assert late.current is None
    assert late.removable_keys() == {f"{1:032x}"}


def test_a_restore_before_the_collect_wins_whenever_it_arrives() -> None:
    history = (record(1, content=1), act(2, "delete", 1), act(5, "collect", 1), act(3, "restore", 2, writer="w2"))
    for order in permutations(history):
        state = state_of(*order)
        assert shown(state) == ["1"]
        assert not state.removable_keys()


def test_bytes_stay_while_another_store_names_them() -> None:
    """A re-send that came before the delete was pointed at the first one's object."""
    state = state_of(record(1, content=1), record(2, content=1), act(3, "delete", 1), act(9, "collect", 1))
    assert shown(state) == ["1"]
    assert not state.removable_keys()
    state = fold.act_on(fold.act_on(state, act(10, "delete", 2)), act(11, "collect", 2))
    assert state.removable_keys() == {f"{1:032x}"}


def test_grace_counts_from_the_last_delete() -> None:
    state = state_of(record(1), record(2, content=2), act(10, "delete", 1), act(20, "delete", 1, 2))
    assert state.collectable(9) == ()
    assert state.collectable(19) == ()
    assert state.collectable(20) == (("w1", 1), ("w1", 2))
    assert fold.act_on(state, act(30, "collect", 1)).collectable(20) == (("w1", 2),)
    assert fold.act_on(state, act(21, "restore", 20)).collectable(15) == (("w1", 1),)


@pytest.mark.parametrize("kind", KINDS)
def test_a_record_speaks_of_each_instance_of_its_study(kind: str) -> None:
    targets = (Target("1.2.3", "1.2.3.4", (("w2", 9), ("w1", 1))), Target("1.2.3", "1.2.3.5", (("w1", 2),)))
    made = ActRecord(kind=kind, writer="w1", lsn=7, stamp=8, study_uid="1.2", targets=targets)
    assert fold.acts_of(made) == {
        ("1.2.3", "1.2.3.4"): Act(8, "w1", 7, kind, (("w1", 1), ("w2", 9))),
        ("1.2.3", "1.2.3.5"): Act(8, "w1", 7, kind, (("w1", 2),)),
    }
