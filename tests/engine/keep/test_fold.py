"""The fold of one instance's records: any order, any repetition, the same state."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import Corrupt
from engine.keep import fold
from engine.keep.state import EMPTY, decode, encode
from engine.model import StoreRecord

from .records import record


def records() -> st.SearchStrategy[list[StoreRecord]]:
    one = st.builds(
        record,
        lsn=st.integers(1, 6),
        stamp=st.integers(1, 4),
        content=st.integers(0, 2),
        writer=st.sampled_from(["w1", "w2"]),
        key=st.sampled_from(["", "a" * 32, "b" * 32]),
        preamble=st.sampled_from([b"", b"II*\0"]),
    )
    return st.lists(one, max_size=8)


@given(records(), st.randoms(use_true_random=False), st.data())
def test_any_order_and_repetition_folds_to_the_same_state(
    given_records: list[StoreRecord], chance: object, data: st.DataObject
) -> None:
    expected = fold.fold(given_records)
    shuffled = data.draw(st.permutations(given_records))
    again = data.draw(st.lists(st.sampled_from(given_records), max_size=5)) if given_records else []
    state = EMPTY
    for one in [*shuffled, *again]:
        state = fold.add(state, one)
    assert state == expected
    assert encode(state) == encode(expected)
    half = len(shuffled) // 2
    assert fold.fold(shuffled[half:], fold.fold(shuffled[:half])) == expected


@given(records())
def test_the_compact_form_round_trips(given_records: list[StoreRecord]) -> None:
    state = fold.fold(given_records)
    assert decode(encode(state)) == state


def described_otherwise() -> st.SearchStrategy[list[StoreRecord]]:
    """Records of distinct identity that say different things of the same objects."""
    one = st.builds(
        lambda made, size: msgspec.structs.replace(made, size_bytes=size),
        st.builds(
            record,
            lsn=st.integers(1, 9),
            stamp=st.integers(1, 3),
            content=st.integers(0, 1),
            writer=st.sampled_from(["w1", "w2"]),
            key=st.sampled_from(["a" * 32, "b" * 32]),
        ),
        st.integers(1, 5),
    )
    return st.lists(one, max_size=8, unique_by=lambda made: (made.writer, made.lsn))


@given(described_otherwise(), st.data())
def test_an_object_is_what_its_first_record_says(given_records: list[StoreRecord], data: st.DataObject) -> None:
    state = EMPTY
    for one in data.draw(st.permutations(given_records)):
        state = fold.add(state, one)
    for version in state.versions:
        for kept in version.objects:
            named = [one for one in given_records if one.key == kept.key]
            first = min(named, key=lambda one: (one.stamp, one.writer, one.lsn))
            if first.content_digest == version.content_digest:
                assert kept.size_bytes == first.size_bytes
    assert state == fold.fold(given_records)


def test_every_cut_and_garbage_of_the_compact_form_is_corrupt() -> None:
    data = encode(fold.fold([record(1), record(2, content=1), record(3, preamble=b"II")]))
    for end in range(len(data)):
        with pytest.raises(Corrupt):
            decode(data[:end])
    with pytest.raises(Corrupt):
        decode(b"\xc1" + data)
    with pytest.raises(Corrupt):
        decode(msgspec.msgpack.encode([2, [], []]))
    with pytest.raises(Corrupt):
        decode(msgspec.msgpack.encode([1, [[b"d", [[1, "w", 1, 7, b""]], []]], []]))


def test_fields_that_a_later_version_adds_at_the_end_do_not_hinder() -> None:
    state = fold.fold([record(1)])
    longer = [*msgspec.msgpack.decode(encode(state)), "later"]
    assert decode(msgspec.msgpack.encode(longer)) == state


def test_the_first_stored_is_current_whatever_comes_first() -> None:
    early, late = record(9, stamp=1, content=1), record(1, stamp=2, content=2)
    for order in ([early, late], [late, early]):
        state = fold.fold(order)
        assert [version.content_digest for version in state.versions] == [early.content_digest, late.content_digest]
        assert state.current is not None
        assert state.current.object.key == early.key


def test_stamps_before_writers_before_numbers() -> None:
    state = fold.fold([record(5, 7, 1, writer="b"), record(6, 7, 2, writer="a"), record(1, 7, 3, writer="b")])
    assert [(v.first.writer, v.first.lsn) for v in state.versions] == [("a", 6), ("b", 1), ("b", 5)]


def test_a_resend_is_a_store_of_the_same_version_and_names_the_object_that_is_there() -> None:
    first = record(1, content=1)
    state = fold.add(EMPTY, first)
    placed = fold.place(state, record(2, content=1, key="c" * 32))
    assert placed.outcome == "same"
    assert placed.record.key == first.key
    assert placed.record.size_bytes == first.size_bytes
    assert placed.record.blake3_root == first.blake3_root
    assert placed.record.lsn == 2
    state = fold.add(state, placed.record)
    assert len(state.versions) == 1
    assert [store.lsn for store in state.versions[0].stores] == [1, 2]
    assert [kept.key for kept in state.versions[0].objects] == [first.key]


def test_outcomes() -> None:
    first, other = record(1, content=1), record(2, content=2)
    assert fold.place(EMPTY, first).outcome == "new"
    state = fold.add(EMPTY, first)
    assert fold.place(state, other).outcome == "version"
    assert fold.place(state, first).outcome == "new"  # the very record again, after a crash
    state = fold.add(state, record(3, content=1))
    assert fold.place(state, record(3, content=1)).outcome == "same"


def test_two_nodes_may_each_have_kept_an_object_of_one_content() -> None:
    here, there = record(1, 5, 1, writer="here", key="a" * 32), record(1, 4, 1, writer="there", key="b" * 32)
    state = fold.fold([here, there])
    assert len(state.versions) == 1
    assert state.versions[0].object.key == there.key
    assert [kept.key for kept in state.versions[0].objects] == [here.key, there.key]


def test_the_current_version_is_answered_as_an_instance() -> None:
    state = fold.fold([record(4, 10, 1, preamble=b"II*\0"), record(5, 11, 2)])
    found = fold.instance(state, "1.2", "1.2.3", "1.2.3.4")
    assert found is not None
    assert (found.stamp, found.writer, found.lsn, found.version_count) == (10, "w1", 4, 2)
    assert found.preamble == b"II*\0"
    assert found.key == record(4, 10, 1).key
    assert fold.instance(EMPTY, "1", "2", "3") is None
