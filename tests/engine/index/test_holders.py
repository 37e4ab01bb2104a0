"""Fresh rows that are looked up by exact values are those that a look at each of them finds (decision 0012)."""

import random

import pytest

from engine.index.at_hand import HELD_BYTES_MAX, AtHand
from engine.index.attributes import element
from engine.index.holders import STUDIES_COUNT_MAX, Holders, Wanted
from engine.index.matching import AllOf, AnyOf, Predicate, Terms, Wildcard, matcher
from engine.index.memtable import Memtable, Snapshot
from engine.index.schema import GONE, Facts, Row
from engine.model import Level

FIELDS = ("study", "series", "sop", "key", "00100020", "00080060")


def row(level: str, study: int, series: int, instance: int, patient: str) -> Row:
    uids = (f"1.{study}", f"1.{study % 2}.{series}", f"1.{study % 3}.{series}.{instance}")
    count = {Level.STUDY: 1, Level.SERIES: 2}.get(Level(level) if level != GONE else Level.INSTANCE, 3)
    header = element(0x00080060, "CS", "CT" if instance % 2 else "MR") + element(0x00100020, "LO", patient)
    return Row(Facts(level, *(*uids[:count], "", "")[:3]), header)


def some_rows(chance: random.Random) -> list[Row]:
    places = [(chance.randrange(6), chance.randrange(3), chance.randrange(4)) for _ in range(60)]
    levels = [chance.choice((Level.STUDY, Level.SERIES, Level.INSTANCE, GONE)) for _ in places]
    return [row(level, *at, f"P{chance.randrange(4)}") for level, at in zip(levels, places, strict=True)]


def some_predicate(chance: random.Random, rows: list[Row]) -> Predicate:
    parts: list[Predicate] = []
    for _ in range(chance.randrange(4)):
        field = chance.choice(FIELDS)
        values = [value for one in chance.sample(rows, 2) for value in one.values(field)]
        parts.append(Terms(field, (*values, "nowhere")))
    if chance.random() < 0.3:
        parts.append(AnyOf((Terms("00100020", ("P1",)), Wildcard("00080060", "M*"))))
    chance.shuffle(parts)
    return AllOf((AllOf(tuple(parts[:2])), *parts[2:]))


def looked_through(rows: dict[tuple[str, str], Row], level: str, predicate: Predicate) -> list[str]:
    test = matcher(predicate)
    return sorted(one.key for one in rows.values() if one.facts.level == level and test(one))


@pytest.mark.parametrize("seed", range(40))
def test_what_is_looked_up_is_what_is_found_by_looking_through(seed: int) -> None:
    """Snapshots of before too, whatever is added or replaced behind them."""
    chance = random.Random(seed)
    table, kept = Memtable(), list[tuple[Snapshot, dict[tuple[str, str], Row]]]()
    there: dict[tuple[str, str], Row] = {}
    rows = some_rows(chance)
    for one in rows:
        table.put(one)
        slot = "instance" if one.facts.level == GONE else one.facts.level
        there[slot, one.key] = one
        if chance.random() < 0.2:
            kept.append((table.snapshot(), dict(there)))
    kept.append((table.snapshot(), there))
    for snapshot, held in kept:
        for _ in range(12):
            predicate = some_predicate(chance, rows)
            for level in (*Level, GONE):
                if level != Level.PATIENT:
                    found = sorted(one.key for one in snapshot.select(level, predicate))
                    assert found == looked_through(held, level, predicate), predicate


def test_a_value_of_many_studies_is_found_in_all_of_them() -> None:
    table = Memtable()
    for number in range(STUDIES_COUNT_MAX + 5):
        table.put(row(Level.STUDY, number, 0, 0, "UNKNOWN"))
    found = table.snapshot().select(Level.STUDY, Terms("00100020", ("UNKNOWN",)))
    assert len(found) == STUDIES_COUNT_MAX + 5


def test_what_is_kept_beside_a_common_value_is_bounded() -> None:
    holders = Holders()
    for number in range(STUDIES_COUNT_MAX + 500):
        holders.note(Level.STUDY, row(Level.STUDY, number, 0, 0, "UNKNOWN"))
    assert holders.studies(Level.STUDY, Wanted(Terms("00100020", ("UNKNOWN",)))) is None
    assert sum(len(uids) for known in holders._studies.values() for uids in known.values()) == STUDIES_COUNT_MAX + 1


def test_only_few_rows_are_looked_at() -> None:
    """A question for one study, series, instance or patient among hundreds tests none of the others."""
    holders = Holders()
    for number in range(300):
        for level in (Level.STUDY, Level.SERIES, Level.INSTANCE):
            holders.note(level, row(level, number, number, number, f"P{number}"))
    sought = row(Level.INSTANCE, 7, 7, 7, "P7")
    for level, fields in ((Level.STUDY, "study 00100020"), (Level.INSTANCE, "study series sop 00100020")):
        for field in fields.split():
            uids = holders.studies(level, Wanted(Terms(field, tuple(sought.values(field)))))
            assert uids is not None and list(uids) == ["1.7"], (level, field)


def test_rows_at_hand_have_a_bound_and_end_with_their_index() -> None:
    at_hand, large = AtHand(), Row(Facts(Level.STUDY, "1", "", ""), bytes(HELD_BYTES_MAX // 3))
    for number in range(9):
        at_hand.put((0, number), large)
        assert at_hand.get((0, number)) is large
        assert at_hand.held_bytes <= HELD_BYTES_MAX
    assert at_hand.get((0, 0)) is None
    at_hand.put((1, 0), Row(Facts(Level.STUDY, "1", "", ""), bytes(HELD_BYTES_MAX)))
    assert at_hand.get((1, 0)) is None, "what does not fit is not kept"
    at_hand.close()
    at_hand.put((0, 0), large)
    assert at_hand.get((0, 0)) is None and not at_hand.held_bytes
