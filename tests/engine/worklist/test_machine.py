"""Two workers on two nodes, with what they ask in any order: one claim of each workitem, and the model is right."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from engine.clock import ManualClock, SeededIdentifiers
from engine.keep.bucket import MemoryStore
from engine.limits import Limits
from engine.model import Level, Query
from engine.worklist import Code, State, Worklist
from engine.worklist.reading import Part

from . import sets

UIDS = ["1.1", "1.2", "1.3"]
TRANSACTIONS = ["2.25.1", "2.25.2"]
LIMITS = Limits(table_slack_rows_max=2, table_cleaned_entries_count=2)
workers = st.sampled_from([0, 1])
uids = st.sampled_from(UIDS)


class Workers(RuleBasedStateMachine):
    """The model: of each workitem its state, who claimed it, and what he reported."""

    def __init__(self) -> None:
        super().__init__()
        self.store, self.clock = MemoryStore(), ManualClock()
        self.nodes = [self.node(seed) for seed in (1, 2)]
        self.model: dict[str, tuple[State, str]] = {}
        self.performed: set[str] = set()
        self.claims: dict[str, int] = {}

    def node(self, seed: int) -> Worklist:
        return Worklist(self.store, "default", self.clock, SeededIdentifiers(seed), LIMITS)

    @rule(worker=workers, uid=uids)
    def create(self, worker: int, uid: str) -> None:
        code = self.nodes[worker].create(uid, sets.NEW).code
        assert code is (Code.DUPLICATE if uid in self.model else Code.CREATED_CHANGED)
        self.model.setdefault(uid, (State.SCHEDULED, ""))

    @rule(worker=workers, uid=uids)
    def claim(self, worker: int, uid: str) -> None:
        code = self.nodes[worker].change_state(uid, State.IN_PROGRESS, TRANSACTIONS[worker]).code
        state, owner = self.model.get(uid, (None, ""))
        assert (code is Code.DONE) == (state is State.SCHEDULED)
        if code is Code.DONE:
            self.model[uid] = (State.IN_PROGRESS, TRANSACTIONS[worker])
            self.claims[uid] = self.claims.get(uid, 0) + 1
        elif state is not None and owner != TRANSACTIONS[worker]:
            assert code is Code.WRONG_TRANSACTION

    @rule(worker=workers, uid=uids)
    def perform(self, worker: int, uid: str) -> None:
        code = self.nodes[worker].update(uid, sets.DONE, TRANSACTIONS[worker]).code
        is_mine = self.model.get(uid) == (State.IN_PROGRESS, TRANSACTIONS[worker])
        assert (code is Code.DONE) == is_mine
        if is_mine:
            self.performed.add(uid)

    @rule(worker=workers, uid=uids)
    def complete(self, worker: int, uid: str) -> None:
        code = self.nodes[worker].change_state(uid, State.COMPLETED, TRANSACTIONS[worker]).code
        is_mine = self.model.get(uid) == (State.IN_PROGRESS, TRANSACTIONS[worker])
        assert (code is Code.DONE) == (is_mine and uid in self.performed)
        if code is Code.DONE:
            self.model[uid] = (State.COMPLETED, TRANSACTIONS[worker])

    @rule(worker=workers, uid=uids)
    def request_cancel(self, worker: int, uid: str) -> None:
        code = self.nodes[worker].request_cancel(uid, b"", "RIS").code
        state, _ = self.model.get(uid, (None, ""))
        assert (code is Code.DONE) == (state is State.SCHEDULED)
        if code is Code.DONE:
            self.model[uid] = (State.CANCELED, "")

    @precondition(lambda self: any(state in (State.COMPLETED, State.CANCELED) for state, _ in self.model.values()))
    @rule(worker=workers)
    def tidy(self, worker: int) -> None:
        ended = {uid for uid, (state, _) in self.model.items() if state in (State.COMPLETED, State.CANCELED)}
        assert self.nodes[worker].tidy(self.clock.now_us()) == len(ended)
        for uid in ended:
            del self.model[uid]
            self.performed.discard(uid)
            self.claims.pop(uid, None)

    @rule(worker=workers)
    def restart(self, worker: int) -> None:
        self.nodes[worker] = self.node(10 + worker)

    @invariant()
    def both_nodes_show_the_model(self) -> None:
        for node in self.nodes:
            rows = [Part(row) for row in node.search(Query(level=Level.INSTANCE)).rows]
            assert {row.text(0x00080018): row.text(0x00741000) for row in rows} == {
                uid: state.value for uid, (state, _) in self.model.items()
            }
        assert all(count == 1 for count in self.claims.values())


TestWorkers = Workers.TestCase
TestWorkers.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
