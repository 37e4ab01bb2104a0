"""A table of names and bytes that many may change: nothing acknowledged lost, nothing removed left behind."""

from collections.abc import Callable, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.clock import ManualClock, SeededIdentifiers
from engine.errors import Conflict, Corrupt, Unavailable
from engine.keep.bucket import MemoryStore
from engine.keep.formats import TableHead, decode_table_entry, encode_table_entry
from engine.keep.objects import ObjectStore
from engine.keep.shared_table import SharedTable
from engine.limits import Limits

from .faulty_store import FaultyStore

PREFIX = "t/default/u/"
LIMITS = Limits(table_slack_rows_max=4, table_cleaned_entries_count=3)


class Rows(dict[str, bytes]):
    """What a table amounts to."""

    def take(self, name: str, body: bytes | None) -> None:
        self.pop(name, None)
        if body is not None:
            self[name] = body


class Node:
    """One process that has the table open."""

    def __init__(self, store: ObjectStore, seed: int) -> None:
        self.rows = Rows()
        self.table = SharedTable(store, PREFIX, ManualClock(), SeededIdentifiers(seed), self.rows, LIMITS)

    def put(self, **said: bytes | None) -> None:
        self.table.append(lambda: said)

    def seen(self) -> dict[str, bytes]:
        self.table.refresh()
        return dict(self.rows)


def numbers(store: ObjectStore) -> list[int]:
    return [int(key[-16:]) for key in store.list(PREFIX)]


def until_sure(work: Callable[[], None]) -> None:
    for _ in range(3000):
        try:
            return work()
        except Unavailable:
            continue
    raise AssertionError("never sure")


def test_what_one_writes_another_sees_and_so_does_the_next_start() -> None:
    store = MemoryStore()
    one, other = Node(store, 1), Node(store, 2)
    one.put(a=b"1", b=b"2")
    assert other.seen() == {"a": b"1", "b": b"2"}
    other.put(a=None)
    assert one.seen() == Node(store, 3).seen() == {"b": b"2"}


def test_of_two_that_decide_by_the_same_one_decides_anew() -> None:
    store = MemoryStore()
    one, other = Node(store, 1), Node(store, 2)
    asked: list[bool] = []

    def claim() -> Mapping[str, bytes | None]:
        asked.append("owner" in other.rows)
        if not asked[0] and len(asked) == 1:
            one.put(owner=b"one")  # wins the number while the other still decides
        return {} if "owner" in other.rows else {"owner": b"other"}

    other.table.append(claim)
    assert asked == [False, True]
    assert Node(store, 3).rows == {"owner": b"one"}


def test_what_the_decision_raises_leaves_nothing() -> None:
    store = MemoryStore()

    def refuse() -> Mapping[str, bytes | None]:
        raise Conflict("no")

    with pytest.raises(Conflict):
        Node(store, 1).table.append(refuse)
    assert numbers(store) == []


def test_old_entries_go_and_their_meaning_stays() -> None:
    store = MemoryStore()
    node = Node(store, 1)
    node.put(first=b"kept")
    for number in range(100):
        node.put(often=b"%d" % number)
        node.table.clean()
    assert len(numbers(store)) < 12
    assert Node(store, 2).rows == node.rows == {"first": b"kept", "often": b"99"}


def test_of_a_row_that_is_gone_no_byte_is_left_when_everything_is_cleaned() -> None:
    store = MemoryStore()
    node = Node(store, 1)
    node.put(keep=b"this")
    for number in range(10):
        node.put(**{f"patient{number}": b"Doe^Jane" * 3})
    node.put(**{f"patient{number}": None for number in range(10)})
    node.table.clean(everything=True)
    rows = [row for key in store.list(PREFIX) for row in decode_table_entry(store.get(key))[1]]
    assert ("keep", b"this") in rows
    assert all(body is None for name, body in rows if name.startswith("patient"))
    assert Node(store, 2).rows == {"keep": b"this"}


def test_a_number_that_was_removed_is_never_won_again() -> None:
    store = MemoryStore()
    sleeper, node = Node(store, 1), Node(store, 2)
    sleeper.put(a=b"1")
    for number in range(60):
        node.put(often=b"%d" % number)
        node.table.clean()
    assert not store.exists(f"{PREFIX}{2:016d}")
    slept: list[bool] = []

    def decide() -> Mapping[str, bytes | None]:
        if not slept:  # between its look and its write everything moved on
            slept.append(True)
            sleeper.table._number, sleeper.table._floor = 1, 1
        return {"late": b"1"}

    sleeper.table.append(decide)
    assert sleeper.seen() == node.seen() == {"a": b"1", "often": b"59", "late": b"1"}
    assert not store.exists(f"{PREFIX}{2:016d}")


def test_who_fell_behind_what_was_removed_reads_anew() -> None:
    store = MemoryStore()
    sleeper, node = Node(store, 1), Node(store, 2)
    node.put(gone=b"1")
    assert sleeper.seen() == {"gone": b"1"}
    node.put(gone=None)
    for number in range(60):
        node.put(often=b"%d" % number)
        node.table.clean()
    assert sleeper.seen() == {"often": b"59"}


def test_what_was_written_too_late_under_a_removed_number_is_taken_for_nothing() -> None:
    store = MemoryStore()
    sleeper, node = Node(store, 1), Node(store, 2)
    sleeper.put(a=b"1")
    for number in range(60):
        node.put(often=b"%d" % number)
        node.table.clean()
    head = TableHead(number=2, floor=1, nonce="0" * 32, written_us=0)
    store.create(f"{PREFIX}{2:016d}", [encode_table_entry(head, [("late", b"1")])], durable=True)
    assert sleeper.seen() == node.seen() == {"a": b"1", "often": b"59"}
    sleeper.put(then=b"2")
    assert Node(store, 3).rows == {"a": b"1", "often": b"59", "then": b"2"}


def test_removals_that_came_undone_mean_nothing_and_go() -> None:
    store = MemoryStore()
    node = Node(store, 1)
    node.put(gone=b"1")
    first = store.get(f"{PREFIX}{1:016d}")
    node.put(gone=None)
    for number in range(60):
        node.put(often=b"%d" % number)
        node.table.clean()
    store.create(f"{PREFIX}{1:016d}", [first], durable=True)  # as after power loss
    assert Node(store, 2).rows == {"often": b"59"}
    assert not store.exists(f"{PREFIX}{1:016d}")


def test_a_hole_and_a_flipped_bit_are_damage() -> None:
    store = MemoryStore()
    node = Node(store, 1)
    for number in range(3):
        node.put(**{f"n{number}": b"x" * 100})
    whole = store.get(f"{PREFIX}{2:016d}")
    store.delete(f"{PREFIX}{2:016d}")
    with pytest.raises(Corrupt, match="missing"):
        Node(store, 2)
    for at in range(0, len(whole), 7):
        store.put(f"{PREFIX}{2:016d}", [whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]], durable=True)
        with pytest.raises(Corrupt):
            Node(store, 2)
    store.put(f"{PREFIX}{2:016d}", [store.get(f"{PREFIX}{1:016d}")], durable=True)
    with pytest.raises(Corrupt, match="belongs elsewhere"):
        Node(store, 2)


@given(st.integers(0, 2**32), st.sampled_from([0.05, 0.2, 0.4]))
@settings(max_examples=60, deadline=None)
def test_two_nodes_and_a_store_that_cannot_be_trusted(seed: int, rate: float) -> None:
    """Each counts on in one row: every count that was acknowledged is in it exactly once, whoever made it."""
    store = FaultyStore(seed, rate)
    nodes: list[Node] = []
    for number in (1, 2):
        until_sure(lambda number=number: nodes.append(Node(store, seed + number)))  # type: ignore[misc]
    sure = 0
    for turn in range(24):
        node = nodes[turn % 2]

        def count(node: Node = node, turn: int = turn) -> Mapping[str, bytes | None]:
            return {"made": node.rows.get("made", b"") + bytes([turn])}

        try:
            node.table.append(count)
            sure += 1
        except Unavailable:
            continue
        try:
            node.table.clean()
        except Unavailable:
            continue
        assert node.rows["made"][-1] == turn
    store.settle()
    made = nodes[0].seen()["made"]
    assert nodes[1].seen()["made"] == made == Node(store.inner, 9).rows["made"]
    assert len(set(made)) == len(made) >= sure
