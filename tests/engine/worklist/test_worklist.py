"""The worklist: what it answers, what it keeps, and whom it tells."""

import itertools
import threading
from pathlib import Path

import pytest
import trio

import engine
from engine.clock import ManualClock, SeededIdentifiers
from engine.errors import Corrupt, Invalid, Missing, Unavailable
from engine.keep.bucket import MemoryStore
from engine.keep.folder import FolderStore
from engine.keep.formats import decode_table_entry
from engine.keep.objects import ObjectStore
from engine.limits import Limits
from engine.model import Key, Level, Query
from engine.worklist import ALL, FILTERED, Code, Event, EventType, State, Worklist
from engine.worklist.reading import Part
from native.dataset import merge

from . import sets

UID, MINE, YOURS = "1.2.3", "2.25.1", "2.25.2"
LIMITS = Limits(table_slack_rows_max=8, table_cleaned_entries_count=4)


SEEDS = itertools.count(1)


class Desk(Worklist):
    """A worklist whose events are remembered."""

    def __init__(self, store: ObjectStore | None = None, limits: Limits = LIMITS) -> None:
        self.clock = ManualClock()
        self.store = store or MemoryStore()
        super().__init__(self.store, "default", self.clock, SeededIdentifiers(next(SEEDS)), limits)
        self.heard: list[Event] = []
        self.listen(self.heard.extend)

    def told(self) -> list[tuple[str, str, str]]:
        """What was told since it was asked last: kind, state, to whom."""
        told = [(one.type.name, Part(one.data).text(0x00741000), " ".join(sorted(one.ae_titles))) for one in self.heard]
        self.heard.clear()
        return told

    def state(self, uid: str = UID) -> str:
        return Part(self.retrieve(uid)).text(0x00741000)


@pytest.fixture
def desk() -> Desk:
    return Desk()


def query(*keys: tuple[str, str], limit: int | None = None, offset: int = 0) -> Query:
    wanted = tuple(Key(path, (value,)) for path, value in keys)
    return Query(level=Level.INSTANCE, keys=wanted, limit=limit, offset=offset)


def test_a_day_of_a_workitem(desk: Desk) -> None:
    assert desk.create(UID, sets.NEW).code is Code.CREATED_CHANGED
    assert desk.create(UID, sets.NEW).code is Code.DUPLICATE
    assert desk.change_state(UID, State.IN_PROGRESS, MINE).code is Code.DONE
    assert desk.state() == "IN PROGRESS"
    assert desk.change_state(UID, State.IN_PROGRESS, YOURS).code is Code.WRONG_TRANSACTION
    assert desk.change_state(UID, State.IN_PROGRESS, MINE).code is Code.ALREADY_CLAIMED
    assert desk.update(UID, sets.progress("50"), YOURS).code is Code.WRONG_TRANSACTION
    assert desk.update(UID, sets.progress("50"), MINE).code is Code.DONE
    early = desk.change_state(UID, State.COMPLETED, MINE)
    assert early.code is Code.NOT_COMPLETE
    assert "OutputInformationSequence" in early.lacking
    assert desk.update(UID, sets.DONE, MINE).code is Code.DONE
    assert desk.change_state(UID, State.COMPLETED, MINE).code is Code.DONE
    assert desk.change_state(UID, State.COMPLETED, MINE).code is Code.ALREADY_COMPLETED
    assert desk.update(UID, sets.progress("99"), MINE).code is Code.ENDED
    assert desk.request_cancel(UID, b"", "RIS").code is Code.CANNOT_CANCEL
    assert desk.state() == "COMPLETED"


def test_the_transaction_is_a_secret_of_who_claimed(desk: Desk) -> None:
    desk.create(UID, sets.NEW)
    desk.change_state(UID, State.IN_PROGRESS, MINE)
    assert MINE.encode() not in desk.retrieve(UID)
    assert not any(MINE.encode() in row for row in desk.search(query()).rows)


def test_before_it_is_claimed_everybody_may_change_it_and_nobody_end_it(desk: Desk) -> None:
    desk.create(UID, sets.NEW)
    assert desk.update(UID, sets.text(sets.LABEL, "LO", "Other"), "").code is Code.DONE
    assert desk.update(UID, sets.text(sets.LABEL, "LO", "Other"), MINE).code is Code.NOT_CLAIMED
    assert desk.change_state(UID, State.COMPLETED, MINE).code is Code.NOT_CLAIMED
    assert desk.change_state(UID, State.CANCELED, MINE).code is Code.NOT_CLAIMED
    assert desk.change_state(UID, State.CANCELED, "").code is Code.WRONG_TRANSACTION
    assert desk.change_state(UID, State.IN_PROGRESS, "").code is Code.WRONG_TRANSACTION
    assert desk.change_state(UID, State.SCHEDULED, "").code is Code.NEVER_RESCHEDULED
    assert desk.state() == "SCHEDULED"


def test_what_is_not_there(desk: Desk) -> None:
    with pytest.raises(Missing):
        desk.retrieve(UID)
    answers = [
        desk.update(UID, sets.progress("1"), ""),
        desk.change_state(UID, State.IN_PROGRESS, MINE),
        desk.request_cancel(UID, b"", "RIS"),
        desk.subscribe(UID, "WS1", is_locked=False),
        desk.unsubscribe(UID, "WS1"),
        desk.unsubscribe(ALL, "WS1"),
        desk.suspend("WS1"),
    ]
    assert {answer.code for answer in answers} == {Code.MISSING}
    assert list(desk.store.list("t/")) == []


@pytest.mark.parametrize("uid", ["", "1..2", ".1", "1.2a", "1" * 65, "1\n2"])
def test_a_uid_is_one(desk: Desk, uid: str) -> None:
    with pytest.raises(Invalid):
        desk.create(uid, sets.NEW)


@pytest.mark.parametrize("ae_title", ["", " ", "A" * 17, "A\nB", "A\\B", "Ä"])
def test_an_ae_title_is_one(desk: Desk, ae_title: str) -> None:
    with pytest.raises(Invalid):
        desk.subscribe(ALL, ae_title, is_locked=False)


# -- cancel ---------------------------------------------------------------------------------------------------------


def test_what_nobody_claimed_is_canceled_on_request(desk: Desk) -> None:
    desk.create(UID, sets.NEW)
    desk.subscribe(UID, "RIS", is_locked=False)
    desk.told()
    assert desk.request_cancel(UID, sets.text(0x00741238, "LT", "wrong arm"), "RIS").code is Code.DONE
    assert desk.state() == "CANCELED"
    assert [one[:2] for one in desk.told()] == [
        ("CANCEL_REQUESTED", ""),
        ("STATE_REPORT", "IN PROGRESS"),
        ("STATE_REPORT", "CANCELED"),
    ]
    assert desk.request_cancel(UID, b"", "RIS").code is Code.ALREADY_CANCELED


def test_who_performs_is_asked_and_not_overruled(desk: Desk) -> None:
    desk.create(UID, sets.NEW)
    desk.change_state(UID, State.IN_PROGRESS, MINE)
    assert desk.request_cancel(UID, b"", "RIS").code is Code.UNREACHABLE
    desk.subscribe(UID, "WS1", is_locked=False)
    desk.told()
    why = sets.text(0x00741238, "LT", "stop") + sets.text(0x0074100A, "UR", "tel:1") + sets.text(0x0074100C, "LO", "Ed")
    assert desk.request_cancel(UID, merge([why, sets.NEW]), "RIS").code is Code.DONE
    asked = Part(desk.heard[0].data)
    assert [asked.text(tag) for tag in asked] == ["tel:1", "Ed", "RIS", "stop"]
    assert desk.told() == [("CANCEL_REQUESTED", "", "WS1")]
    assert desk.state() == "IN PROGRESS"
    desk.update(UID, sets.STOPPED, MINE)
    assert desk.change_state(UID, State.CANCELED, MINE).code is Code.DONE
    assert desk.change_state(UID, State.CANCELED, MINE).code is Code.ALREADY_CANCELED


# -- who hears ------------------------------------------------------------------------------------------------------


def test_each_change_is_told_to_who_follows(desk: Desk) -> None:
    desk.subscribe(ALL, "PACS", is_locked=False)
    station = sets.nested(sets.STATION, sets.code("WS1", "Workstation"))
    desk.create(UID, merge([sets.NEW, station]))
    assert desk.told() == [("STATE_REPORT", "SCHEDULED", "PACS"), ("ASSIGNED", "", "PACS")]
    desk.subscribe(UID, "WS1", is_locked=False)
    assert desk.told() == [("STATE_REPORT", "SCHEDULED", "WS1")]
    desk.update(UID, sets.text(sets.READINESS, "CS", "INCOMPLETE"), "")
    assert desk.told() == [("STATE_REPORT", "SCHEDULED", "PACS WS1")]
    desk.update(UID, sets.text(sets.LABEL, "LO", "x"), "")
    assert desk.told() == []
    desk.change_state(UID, State.IN_PROGRESS, MINE)
    desk.update(UID, sets.progress("10"), MINE)
    desk.update(UID, sets.progress("10"), MINE)
    assert desk.told() == [("STATE_REPORT", "IN PROGRESS", "PACS WS1"), ("PROGRESS_REPORT", "", "PACS WS1")]
    desk.unsubscribe(UID, "PACS")
    desk.update(UID, sets.nested(sets.STATION, sets.code("WS2", "Other")), MINE)
    assert desk.told() == [("ASSIGNED", "", "WS1")]
    assert Part(desk.retrieve(UID)).items(sets.STATION)[0].text(0x00080100) == "WS2"


def test_who_subscribes_to_all_with_lock_is_told_of_each(desk: Desk) -> None:
    for uid in ("1.1", "1.2"):
        desk.create(uid, sets.NEW)
    desk.subscribe(ALL, "FREE", is_locked=False)
    assert desk.told() == []
    desk.subscribe(ALL, "LOCK", is_locked=True)
    assert desk.told() == [("STATE_REPORT", "SCHEDULED", "LOCK")] * 2
    desk.create("1.3", sets.NEW)
    assert desk.told() == [("STATE_REPORT", "SCHEDULED", "FREE LOCK")]


def test_who_suspends_hears_of_what_he_followed_only(desk: Desk) -> None:
    desk.subscribe(ALL, "PACS", is_locked=False)
    desk.create("1.1", sets.NEW)
    assert desk.suspend("PACS").code is Code.DONE
    assert desk.suspend("PACS").code is Code.MISSING
    desk.told()
    desk.create("1.2", sets.NEW)
    assert desk.told() == []
    desk.change_state("1.1", State.IN_PROGRESS, MINE)
    assert desk.told() == [("STATE_REPORT", "IN PROGRESS", "PACS")]
    assert desk.follows("PACS")
    assert desk.unsubscribe(ALL, "PACS").code is Code.DONE
    assert not desk.follows("PACS")


def test_a_filter_is_asked_when_something_is_created(desk: Desk) -> None:
    high = (Key("00741200", ("HIGH",)),)
    desk.create("1.1", sets.NEW)
    desk.create("1.2", merge([sets.text(sets.PRIORITY, "CS", "LOW"), sets.NEW]))
    with pytest.raises(Invalid):
        desk.subscribe(FILTERED, "PACS", is_locked=True)
    desk.subscribe(FILTERED, "PACS", is_locked=True, keys=high)
    assert [one.uid for one in desk.heard] == ["1.1"]
    desk.heard.clear()
    desk.create("1.3", merge([sets.text(sets.PRIORITY, "CS", "LOW"), sets.NEW]))
    desk.create("1.4", sets.NEW)
    assert [one.uid for one in desk.heard] == ["1.4"]
    desk.heard.clear()
    desk.update("1.1", sets.text(sets.PRIORITY, "CS", "LOW"), "")
    desk.change_state("1.1", State.IN_PROGRESS, MINE)
    assert [one.type for one in desk.heard] == [EventType.STATE_REPORT]


# -- what is kept ---------------------------------------------------------------------------------------------------


def test_a_start_finds_everything_again(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    desk = Desk(store)
    desk.subscribe(ALL, "PACS", is_locked=True)
    for number in range(1, 40):
        desk.create(f"1.{number}", sets.NEW)
    desk.change_state("1.1", State.IN_PROGRESS, MINE)
    store.close()
    again = Desk(FolderStore(tmp_path))
    assert again.search(query()).rows == desk.search(query()).rows
    assert again.change_state("1.1", State.IN_PROGRESS, YOURS).code is Code.WRONG_TRANSACTION
    again.create("1.99", sets.NEW)
    assert again.told() == [("STATE_REPORT", "SCHEDULED", "PACS")]


def test_two_nodes_have_one_worklist() -> None:
    store = MemoryStore()
    one, other = Desk(store), Desk(store)
    one.create(UID, sets.NEW)
    assert other.change_state(UID, State.IN_PROGRESS, MINE).code is Code.DONE
    assert one.change_state(UID, State.IN_PROGRESS, YOURS).code is Code.WRONG_TRANSACTION
    assert one.state() == "IN PROGRESS"


def test_of_many_that_claim_at_once_one_wins() -> None:
    store = MemoryStore()
    desks = [Desk(store) for _ in range(4)]
    desks[0].create(UID, sets.NEW)
    start, won = threading.Barrier(8), list[str]()

    def claim(number: int) -> None:
        start.wait()
        if desks[number % 4].change_state(UID, State.IN_PROGRESS, f"2.25.{number}").code is Code.DONE:
            won.append(f"2.25.{number}")

    claims = [threading.Thread(target=claim, args=(number,)) for number in range(8)]
    for one in claims:
        one.start()
    for one in claims:
        one.join(30)
    assert len(won) == 1
    assert desks[3].update(UID, sets.progress("1"), won[0]).code is Code.DONE


def test_what_ended_goes_after_its_time_unless_it_is_locked(desk: Desk) -> None:
    for uid in ("1.1", "1.2", "1.3"):
        desk.create(uid, merge([sets.NEW, sets.text(sets.NAME, "PN", f"Doe^{uid}")]))
    desk.subscribe("1.2", "PACS", is_locked=True)
    desk.subscribe("1.1", "PACS", is_locked=False)
    for uid in ("1.1", "1.2"):
        desk.request_cancel(uid, b"", "RIS")
    ended_us = desk.clock.now_us()
    desk.clock.advance(100)
    assert desk.tidy(ended_us - 1) == 0
    assert desk.tidy(ended_us) == 1
    assert {uid for uid in ("1.1", "1.2", "1.3") if desk.search(query(("00080018", uid))).total} == {"1.2", "1.3"}
    rows = [row for key in desk.store.list("t/") for row in decode_table_entry(desk.store.get(key))[1]]
    assert any(b"Doe^1.2" in (body or b"") for _, body in rows)
    assert not any(b"Doe^1.1" in (body or b"") for _, body in rows)
    desk.subscribe("1.2", "PACS", is_locked=False)
    assert desk.tidy(ended_us) == 1
    assert Desk(desk.store).search(query()).total == 1


def test_it_says_when_it_is_full() -> None:
    few = Limits(workitems_count_max=2, worklist_followers_count_max=1, worklist_subscriptions_count_max=3)
    desk = Desk(limits=few)
    desk.create("1.1", sets.NEW)
    desk.create("1.2", sets.NEW)
    with pytest.raises(Unavailable, match="full"):
        desk.create("1.3", sets.NEW)
    assert desk.create("1.2", sets.NEW).code is Code.DUPLICATE
    desk.subscribe(ALL, "A", is_locked=False)
    with pytest.raises(Unavailable):
        desk.subscribe(ALL, "B", is_locked=False)
    desk.subscribe("1.1", "B", is_locked=False)
    with pytest.raises(Unavailable):
        desk.subscribe("1.2", "B", is_locked=False)
    small = Desk(limits=Limits(workitems_bytes_max=len(desk.retrieve("1.1")) + 8))
    small.create("1.1", sets.NEW)
    with pytest.raises(Unavailable, match="too large"):
        small.create("1.2", sets.NEW)
    with pytest.raises(Invalid, match="larger than"):
        Desk(limits=Limits(workitem_bytes_max=100)).create("1.1", sets.NEW)


def test_what_was_done_is_said_though_what_is_cleaned_is_damaged(caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk(limits=Limits(table_slack_rows_max=0, table_cleaned_entries_count=2))
    desk.create(UID, sets.NEW)
    (key,) = desk.store.list("t/")
    desk.store.put(key, [desk.store.get(key)[:-1]], durable=True)
    for number in range(2):
        assert desk.update(UID, sets.text(sets.LABEL, "LO", f"changed {number}"), "").code is Code.DONE
    assert key in caplog.text and "Doe" not in caplog.text
    assert Part(desk.retrieve(UID)).text(0x00741204) == "changed 1"


# -- search ---------------------------------------------------------------------------------------------------------

SEARCHES = [
    ([("00741200", "HIGH")], 2),
    ([("00741000", "SCHEDULED"), ("00741200", "LOW")], 1),
    ([("00404005", "20260301")], 2),
    ([("00404005", "20260301080000-20260301090000")], 2),
    ([("00404005", "20260302-")], 1),
    ([("00100010", "m\u00fcller*")], 1),
    ([("00100010", "MULLER")], 1),
    ([("00741204", "Lung*")], 3),
    ([("00404025.00080100", "WS1"), ("00404025.00080102", "DCM")], 1),
    ([("00404025.00080100", "WS1"), ("00404025.00080102", "99X")], 0),
    ([("00080018", "1.2")], 1),
    ([("00080018", "1.9")], 0),
    ([], 3),
]


@pytest.mark.parametrize(("keys", "count"), SEARCHES)
def test_search(desk: Desk, keys: list[tuple[str, str]], count: int) -> None:
    desk.create("1.1", merge([sets.NEW, sets.text(sets.NAME, "PN", "M\u00fcller^Hans")]))
    desk.create("1.2", merge([sets.NEW, sets.nested(sets.STATION, sets.code("WS1", "One"))]))
    later = sets.text(sets.START, "DT", "20260305") + sets.text(sets.PRIORITY, "CS", "LOW")
    desk.create("1.3", merge([later, sets.NEW]))
    assert desk.search(query(*keys)).total == count


def test_pages(desk: Desk) -> None:
    for number in range(7):
        desk.clock.advance(1)
        desk.create(f"1.{number}", sets.NEW)
    desk.update("1.0", sets.text(sets.LABEL, "LO", "changed"), "")
    pages = [desk.search(query(limit=3, offset=offset)) for offset in (0, 3, 6, 9)]
    assert [Part(row).text(0x00080018) for page in pages for row in page.rows] == [f"1.{n}" for n in range(7)]
    assert {page.total for page in pages} == {7}


def test_a_damaged_worklist_stops_no_images(tmp_path: Path) -> None:
    async def work() -> None:
        async with engine.open(str(tmp_path)) as archive:
            await archive.worklist(lambda worklist: worklist.create(UID, sets.NEW))
        (entry,) = (tmp_path / "archive/t/default/u").iterdir()
        entry.write_bytes(entry.read_bytes()[:-1])
        async with engine.open(str(tmp_path)) as archive:
            assert [row async for row in archive.find()] == []
            for _ in range(2):
                with pytest.raises(Corrupt, match="0000000000000001"):
                    await archive.worklist(lambda worklist: worklist.retrieve(UID))

    trio.run(work)
