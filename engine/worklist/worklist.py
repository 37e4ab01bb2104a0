"""The worklist of one tenant: what is asked, decided by the tables, is kept before it is answered."""

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Final

import msgspec

from engine.clock import Clock, Identifiers
from engine.errors import Corrupt, Invalid, Missing, Unavailable
from engine.keep.objects import ObjectStore
from engine.keep.paths import worklist_prefix
from engine.keep.shared_table import SharedTable
from engine.limits import LIMITS, Limits
from engine.model import Key, Query
from engine.worklist import events, rules, states, subscriptions
from engine.worklist.contents import Contents
from engine.worklist.events import Event
from engine.worklist.searching import Matched, matching, search
from engine.worklist.states import Code, Happening, State
from engine.worklist.subscriptions import Heard
from engine.worklist.workitem import Global, Subscription, Workitem, of_global, of_subscription, of_workitem

log = logging.getLogger("filmroom.worklist")

ALL: Final = "1.2.840.10008.5.1.4.34.5"  # stands for every workitem (PS3.4 CC.2.3.2)
FILTERED: Final = "1.2.840.10008.5.1.4.34.5.1"  # for those that match
REMOVED_COUNT: Final = 1000  # in one go

Rows = dict[str, msgspec.Struct | None]
Hear = Callable[[Sequence[Event]], None]


class Answer(msgspec.Struct, frozen=True):
    """What became of a request. ``lacking``: keywords of what ``NOT_COMPLETE`` misses."""

    code: Code
    lacking: tuple[str, ...] = ()


class _Decision(msgspec.Struct):
    """An answer, the rows that make it true, and what is told to whom."""

    answer: Answer
    rows: Rows = {}
    told: list[Event] = []


class Worklist:
    """Blocking; thread-safe. What it answers is durable, and what others did before is seen (on any node)."""

    def __init__(
        self, store: ObjectStore, tenant: str, clock: Clock, identifiers: Identifiers, limits: Limits = LIMITS
    ) -> None:
        """Reads what is kept. Raises Unavailable, Corrupt."""
        self._clock = clock
        self._limits = limits
        self._lock = threading.Lock()
        self._contents = Contents()
        self._table = SharedTable(store, worklist_prefix(tenant), clock, identifiers, self._contents, limits)
        self._hear: list[Hear] = []

    def listen(self, hear: Hear) -> Callable[[], None]:
        """Have events told, in order, by whatever thread caused them: it must return at once. Returns what ends it."""
        self._hear.append(hear)
        return lambda: self._hear.remove(hear)

    # -- what is asked -----------------------------------------------------------------------------------------------

    def retrieve(self, uid: str) -> bytes:
        """The workitem's attributes. Raises Missing, Unavailable."""
        with self._lock:
            self._table.refresh()
            found = self._contents.workitems.get(uid)
        if found is None:
            raise Missing("there is no such workitem")
        return found.data

    def search(self, query: Query) -> Matched:
        """Raises Invalid, Unavailable."""
        with self._lock:
            self._table.refresh()
            there = dict(self._contents.workitems)
        return search(there, query)

    def follows(self, ae_title: str) -> bool:
        """Whether an AE has any subscription."""
        with self._lock:
            return ae_title in self._contents.globals or any(self._contents.followed(ae_title))

    # -- what is changed ---------------------------------------------------------------------------------------------

    def create(self, uid: str, data: bytes) -> Answer:
        """A new workitem, SCHEDULED (PS3.4 CC.2.5). Raises Invalid, Unavailable when there are too many."""
        now_us = self._clock.now_us()
        whole, is_more = rules.created(data, uid, now_us)
        workitem = Workitem(uid=uid, state=State.SCHEDULED, data=self._bounded(whole), created_us=now_us)

        def decide() -> _Decision:
            cell = states.TABLE[Happening.CREATE, self._contents.state(uid)]
            if cell.code.is_failure:
                return _Decision(Answer(cell.code))
            self._check_room(len(whole))
            rows: Rows = {of_workitem(uid): workitem}
            followers = frozenset(self._followers_from_birth(workitem, rows))
            told = [Event(*report, uid=uid, ae_titles=followers) for report in events.reports(None, whole)]
            return _Decision(Answer(Code.CREATED_CHANGED if is_more else cell.code), rows, told)

        return self._append(decide)

    def update(self, uid: str, change: bytes, transaction_uid: str) -> Answer:
        """Other values (PS3.4 CC.2.6); ``transaction_uid`` empty: none was given. Raises Invalid."""
        now_us = self._clock.now_us()

        def decide() -> _Decision:
            workitem = self._contents.workitems.get(uid)
            is_claimed = workitem is not None and workitem.state is not State.SCHEDULED
            is_correct = _is_of(workitem, transaction_uid) if is_claimed else not transaction_uid
            event = Happening.UPDATE if is_correct else Happening.UPDATE_WRONG
            cell = states.TABLE[event, self._contents.state(uid)]
            if workitem is None or cell.code.is_failure:
                return _Decision(Answer(cell.code))
            data = self._bounded(rules.changed(workitem.data, change, now_us))
            return self._changed(workitem, msgspec.structs.replace(workitem, data=data))

        return self._append(decide)

    def change_state(self, uid: str, wanted: State, transaction_uid: str) -> Answer:
        """Claim a workitem with a Transaction UID, complete it or cancel it with the same (PS3.4 CC.2.1)."""
        now_us = self._clock.now_us()

        def decide() -> _Decision:
            workitem = self._contents.workitems.get(uid)
            event = states.change(wanted, is_correct=_is_of(workitem, transaction_uid))
            cell = states.TABLE[event, self._contents.state(uid)]
            if workitem is None or not cell.through:
                return _Decision(Answer(cell.code))
            if cell.is_judged and (lacking := rules.lacking(workitem.data, wanted)):
                return _Decision(Answer(Code.NOT_COMPLETE, tuple(lacking)))
            return self._changed(workitem, _moved(workitem, wanted, now_us, transaction_uid))

        return self._append(decide)

    def request_cancel(self, uid: str, why: bytes, requester: str) -> Answer:
        """Cancel a workitem that nobody has claimed; ask who did to cancel it (PS3.4 CC.2.2). Who performs it hears of
        it only as a subscriber: without any the answer is UNREACHABLE."""
        now_us = self._clock.now_us()

        def decide() -> _Decision:
            workitem = self._contents.workitems.get(uid)
            cell = states.TABLE[Happening.REQUEST_CANCEL, self._contents.state(uid)]
            if workitem is None or cell.code is not Code.DONE:
                return _Decision(Answer(cell.code))
            followers = frozenset(self._contents.subscriptions(uid))
            asked = Event(*events.cancel_request(why, requester), uid=uid, ae_titles=followers)
            if not cell.through:
                return _Decision(Answer(cell.code if followers else Code.UNREACHABLE), {}, [asked] if followers else [])
            claimed = _moved(workitem, cell.through[0], now_us, "")
            reasoned = msgspec.structs.replace(claimed, data=rules.canceled(claimed.data, why, now_us))
            steps = (workitem, claimed, _moved(reasoned, cell.through[1], now_us, ""))
            decision = self._changed(*steps)
            decision.told.insert(0, asked)
            return decision

        return self._append(decide)

    def subscribe(self, uid: str, ae_title: str, *, is_locked: bool, keys: Sequence[Key] = ()) -> Answer:
        """An AE hears of one workitem from now on, of all (``ALL``) or of those that match (``FILTERED``) (PS3.4
        CC.2.3). Raises Invalid, Unavailable when there are too many."""
        if uid == FILTERED and not keys:
            raise Invalid("a filter names at least one attribute with its value")
        wanted = Global(is_locked, tuple(keys))
        if uid not in (ALL, FILTERED):
            return self._heard(Heard.ONE_LOCKED if is_locked else Heard.ONE_FREE, ae_title, uid)
        return self._heard(Heard.ALL_LOCKED if is_locked else Heard.ALL_FREE, ae_title, wanted=wanted)

    def unsubscribe(self, uid: str, ae_title: str) -> Answer:
        """An AE hears no more of one workitem, or of any; MISSING when it did not."""
        if uid in (ALL, FILTERED):
            return self._heard(Heard.NOT_ALL, ae_title)
        return self._heard(Heard.NOT_ONE, ae_title, uid)

    def suspend(self, ae_title: str) -> Answer:
        """An AE hears of no new workitems any more; of those that it follows it does; MISSING as above."""
        return self._heard(Heard.SUSPENDED, ae_title)

    def tidy(self, until_us: int) -> int:
        """Remove what ended before a moment and nobody has locked, and every byte of it; how many."""
        removed = 0
        while count := self._remove_some(until_us):
            removed += count
        with self._lock:
            self._table.clean(everything=bool(removed))
        return removed

    # -- inside ------------------------------------------------------------------------------------------------------

    def _append(self, decide: Callable[[], _Decision]) -> Answer:
        decision = _Decision(Answer(Code.DONE))

        def rows() -> Mapping[str, bytes | None]:
            nonlocal decision
            decision = decide()
            return {
                name: None if kept is None else msgspec.msgpack.encode(kept) for name, kept in decision.rows.items()
            }

        with self._lock:
            self._table.append(rows)
            told = [event for event in decision.told if event.ae_titles]
            for hear in tuple(self._hear) if told else ():
                hear(told)
            self._clean()
        return decision.answer

    def _clean(self) -> None:
        """What was asked is done and said so, whatever becomes of this: the next one tries again."""
        try:
            self._table.clean()
        except Unavailable:
            pass
        except Corrupt as error:
            log.error(f"the worklist is damaged: {error}")

    def _changed(self, *steps: Workitem) -> _Decision:
        """From one to the next; the last is kept."""
        uid = steps[0].uid
        followers = frozenset(self._contents.subscriptions(uid))
        told = [
            Event(*report, uid=uid, ae_titles=followers)
            for before, after in pairwise(steps)
            for report in events.reports(before.data, after.data)
        ]
        return _Decision(Answer(Code.DONE), {of_workitem(uid): steps[-1]}, told)

    def _followers_from_birth(self, workitem: Workitem, rows: Rows) -> Iterable[str]:
        for ae_title, one in self._contents.globals.items():
            if not one.keys or matching(one.keys)(workitem.data):
                heard = Heard.CREATED_LOCKED if one.is_locked else Heard.CREATED_FREE
                rows[of_subscription(workitem.uid, ae_title)] = subscriptions.TABLE[heard, None].to
                yield ae_title

    def _heard(self, heard: Heard, ae_title: str, uid: str = "", wanted: Global | None = None) -> Answer:
        matches = matching(wanted.keys) if wanted is not None and wanted.keys else None

        def decide() -> _Decision:
            if uid and uid not in self._contents.workitems:
                return _Decision(Answer(Code.MISSING))
            before = self._contents.globals.get(ae_title)
            rows: Rows = {of_global(ae_title): wanted} if not uid and before != wanted else {}
            there = [self._contents.workitems[uid]] if uid else list(self._contents.workitems.values())
            told: list[Event] = []
            for workitem in there:
                if matches is None or matches(workitem.data):
                    told += self._turned(heard, ae_title, workitem, rows)
            self._check_followers(ae_title, rows)
            is_there = bool(rows) or heard not in subscriptions.ENDINGS
            return _Decision(Answer(Code.DONE if is_there else Code.MISSING), rows, told)

        return self._append(decide)

    def _turned(self, heard: Heard, ae_title: str, workitem: Workitem, rows: Rows) -> Iterable[Event]:
        now = self._contents.subscriptions(workitem.uid).get(ae_title)
        turn = subscriptions.TABLE[heard, now]
        if turn.to != now:
            rows[of_subscription(workitem.uid, ae_title)] = turn.to
        if turn.is_told:
            yield Event(*events.state_report(workitem.data), uid=workitem.uid, ae_titles=frozenset((ae_title,)))

    def _check_followers(self, ae_title: str, rows: Rows) -> None:
        new = sum(isinstance(kept, Subscription) for kept in rows.values())
        if self._contents.subscription_count + new > self._limits.worklist_subscriptions_count_max and new:
            raise Unavailable("too many subscriptions to workitems")
        is_new = isinstance(rows.get(of_global(ae_title)), Global) and ae_title not in self._contents.globals
        if is_new and len(self._contents.globals) >= self._limits.worklist_followers_count_max:
            raise Unavailable("too many subscriptions to the worklist")

    def _check_room(self, size_bytes: int) -> None:
        contents, limits = self._contents, self._limits
        if len(contents.workitems) >= limits.workitems_count_max:
            raise Unavailable("the worklist is full: workitems that ended go after store.worklist_days", 60.0)
        if contents.size_bytes + size_bytes > limits.workitems_bytes_max:
            raise Unavailable("the worklist is full: its workitems are too large", 60.0)

    def _bounded(self, data: bytes) -> bytes:
        if len(data) > self._limits.workitem_bytes_max:
            raise Invalid(f"a workitem is larger than {self._limits.workitem_bytes_max} bytes")
        return data

    def _remove_some(self, until_us: int) -> int:
        removed = 0

        def decide() -> _Decision:
            nonlocal removed
            ended = [
                uid
                for uid, one in self._contents.workitems.items()
                if one.is_final and one.ended_us <= until_us and not self._is_locked(uid)
            ][:REMOVED_COUNT]
            removed = len(ended)
            rows: Rows = dict.fromkeys(map(of_workitem, ended))
            rows |= {of_subscription(uid, ae): None for uid in ended for ae in self._contents.subscriptions(uid)}
            return _Decision(Answer(Code.DONE), rows)

        self._append(decide)
        return removed

    def _is_locked(self, uid: str) -> bool:
        return any(one.is_locked for one in self._contents.subscriptions(uid).values())


def _is_of(workitem: Workitem | None, transaction_uid: str) -> bool:
    """Whether the Transaction UID is that of the claim; what nobody has claimed takes any."""
    if workitem is None or workitem.state is State.SCHEDULED:
        return bool(transaction_uid)
    return bool(transaction_uid) and workitem.transaction_uid == transaction_uid


def _moved(workitem: Workitem, state: State, now_us: int, transaction_uid: str) -> Workitem:
    return msgspec.structs.replace(
        workitem,
        state=state,
        data=rules.moved(workitem.data, state, now_us),
        transaction_uid=transaction_uid,
        ended_us=now_us if state in states.FINAL else 0,
    )
