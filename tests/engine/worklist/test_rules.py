"""C49: what PS3.4 Table CC.2.5-3 asks of a workitem when it is created, changed, completed and canceled."""

import pytest

from engine.errors import Invalid
from engine.worklist import rules
from engine.worklist.attributes import RULES, Rule
from engine.worklist.reading import Part
from engine.worklist.states import State
from native.dataset import merge
from native.dictionary import keyword_of
from native.parts import representation

from . import sets

NOW = 1_772_352_000_000_000
UID = "1.2.3"
TOP = [rule for rule in RULES if len(rule.way) == 1]
UNSAID = {0x00081195, 0x00080016, 0x00080018, 0x00741000, 0x00404010, 0x00741202}


def first(rule: Rule) -> str:
    return keyword_of(rule.way[0])


def value(tag: int) -> bytes:
    """Something that such an attribute may hold."""
    if tag in sets.DUE:
        return sets.DUE[tag]
    vr = representation(tag)
    if vr == "SQ":
        return sets.nested(tag, sets.code())
    return sets.text(tag, vr, {"DA": "20260101", "DT": "20260101", "UI": "1.2.9", "CS": "M"}.get(vr, "x"))


def created(*said: bytes) -> bytes:
    return rules.created(merge(said), UID, NOW)[0]


def test_what_is_created_says_who_it_is_and_that_it_is_scheduled() -> None:
    part = Part(created(sets.NEW))
    assert part.text(0x00080016) == "1.2.840.10008.5.1.4.34.6.1"
    assert part.text(0x00080018) == UID
    assert part.text(0x00741000) == "SCHEDULED"
    assert part.text(0x00404010) == "20260301080000.000000+0000"
    assert part.text(0x00741202) == "DEFAULT"


def test_what_may_be_empty_is_there_and_the_client_is_told() -> None:
    blank = {rule.way[0] for rule in TOP if rule.create in "20"} - UNSAID
    assert blank
    data, is_more = rules.created(sets.NEW, UID, NOW)
    part = Part(data)
    assert is_more
    assert all(tag in part and not part.has_value(tag) for tag in blank)
    assert rules.created(data, UID, NOW)[1] is False


@pytest.mark.parametrize("tag", sorted(sets.DUE), ids=keyword_of)
def test_what_needs_a_value_is_not_left_out(tag: int) -> None:
    for left in (b"", sets.text(tag, representation(tag), "")):
        with pytest.raises(Invalid, match=f"{keyword_of(tag)} needs a value"):
            created(sets.without(sets.DUE, tag), left)


@pytest.mark.parametrize("rule", [rule for rule in TOP if rule.create == "0"], ids=first)
def test_what_must_be_empty_is_refused_with_a_value(rule: Rule) -> None:
    with pytest.raises(Invalid, match="must be empty"):
        created(sets.NEW, value(rule.way[0]))


@pytest.mark.parametrize(("tag", "said"), [(0x00741000, "IN PROGRESS"), (0x00080016, "1.2"), (0x00080018, "1.2.4")])
def test_what_is_ours_cannot_be_said_otherwise(tag: int, said: str) -> None:
    with pytest.raises(Invalid, match="can only be"):
        created(sets.NEW, sets.text(tag, representation(tag), said))


@pytest.mark.parametrize(("tag", "wrong"), [(sets.PRIORITY, "URGENT"), (sets.READINESS, "SOON")])
def test_enumerated_values(tag: int, wrong: str) -> None:
    with pytest.raises(Invalid, match="is one of"):
        created(sets.without(sets.DUE, tag), sets.text(tag, "CS", wrong))


def test_a_code_has_a_meaning_and_a_value() -> None:
    with pytest.raises(Invalid, match="ScheduledStationNameCodeSequence has a code without meaning"):
        created(sets.NEW, sets.nested(sets.STATION, sets.text(0x00080100, "SH", "x")))
    with pytest.raises(Invalid, match="without meaning or value"):
        created(sets.NEW, sets.nested(sets.STATION, sets.code(), sets.text(0x00080104, "LO", "x")))


def test_items_are_looked_at_too() -> None:
    with pytest.raises(Invalid, match=r"ReferencedRequestSequence\.StudyInstanceUID needs a value"):
        created(sets.NEW, sets.nested(0x0040A370, sets.text(0x00080050, "SH", "A1")))


@pytest.mark.parametrize("rule", [rule for rule in TOP if rule.change == "-"], ids=first)
def test_what_cannot_be_set_is_refused(rule: Rule) -> None:
    if rule.way[0] == 0x00081195:
        return  # names the transaction, it is not of the workitem
    with pytest.raises(Invalid, match="cannot be set so"):
        rules.changed(created(sets.NEW), value(rule.way[0]), NOW)


@pytest.mark.parametrize("rule", [rule for rule in TOP if rule.change == "1?"], ids=first)
def test_what_has_a_value_keeps_one(rule: Rule) -> None:
    tag = rule.way[0]
    with pytest.raises(Invalid, match="cannot be made empty"):
        rules.changed(created(sets.NEW), sets.text(tag, representation(tag), ""), NOW)
    assert Part(rules.changed(created(sets.NEW), value(tag), NOW)).has_value(tag)


def test_a_change_replaces_sequences_and_says_when() -> None:
    before = created(sets.NEW, sets.nested(sets.STATION, sets.code("A", "a"), sets.code("B", "b")))
    after = Part(rules.changed(before, sets.nested(sets.STATION, sets.code("C", "c")), NOW + 1_000_000))
    assert [one.text(0x00080100) for one in after.items(sets.STATION)] == ["C"]
    assert after.text(0x00404010) == "20260301080001.000000+0000"
    assert after.text(sets.LABEL) == "Lung CAD"


def test_a_change_never_holds_the_transaction() -> None:
    assert 0x00081195 not in Part(rules.changed(created(sets.NEW), sets.text(0x00081195, "UI", "1.9"), NOW))


def test_what_was_done_may_be_completed_but_not_canceled() -> None:
    done = rules.changed(created(sets.NEW), sets.DONE, NOW)
    assert rules.lacking(done, State.COMPLETED) == []
    assert "ProcedureStepCancellationDateTime" in rules.lacking(done, State.CANCELED)


@pytest.mark.parametrize("tag", sorted(sets.PERFORMANCE), ids=keyword_of)
def test_each_thing_that_completion_needs(tag: int) -> None:
    half = rules.changed(created(sets.NEW), sets.nested(sets.PERFORMED, sets.without(sets.PERFORMANCE, tag)), NOW)
    assert rules.lacking(half, State.COMPLETED) == [keyword_of(tag)]


def test_every_performance_is_looked_at() -> None:
    second = sets.nested(sets.PERFORMED, merge(sets.PERFORMANCE.values()), sets.without(sets.PERFORMANCE, 0x00404051))
    lacking = rules.lacking(rules.changed(created(sets.NEW), second, NOW), State.COMPLETED)
    assert lacking == ["PerformedProcedureStepEndDateTime"]


@pytest.mark.parametrize("tag", sorted(sets.STOP), ids=keyword_of)
def test_each_thing_that_cancellation_needs(tag: int) -> None:
    half = rules.changed(created(sets.NEW), sets.nested(sets.PROGRESS, sets.without(sets.STOP, tag)), NOW)
    assert rules.lacking(half, State.CANCELED) == [keyword_of(tag)]
    assert rules.lacking(rules.changed(created(sets.NEW), sets.STOPPED, NOW), State.CANCELED) == []


def test_who_asks_to_cancel_leaves_a_sound_workitem() -> None:
    for why in (b"", sets.text(0x00741238, "LT", "wrong patient"), sets.STOP[0x0074100E]):
        data = rules.canceled(created(sets.NEW), why, NOW)
        assert rules.lacking(data, State.CANCELED) == []
    reason = Part(rules.canceled(created(sets.NEW), sets.text(0x00741238, "LT", "wrong patient"), NOW))
    assert reason.items(sets.PROGRESS)[0].text(0x00741238) == "wrong patient"
