"""A journal under random use against a list: appends, crashes, restarts, zombies, a store that fails; two nodes."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from engine.clock import ManualClock, SeededIdentifiers
from engine.errors import Fenced, Unavailable
from engine.keep.journal import Journal

from .faulty_store import FaultyStore
from .records import record

WRITERS = ("a", "b")


class JournalMachine(RuleBasedStateMachine):
    """``acknowledged`` is the model: for each writer the LSNs that some append promised, in order."""

    @initialize(seed=st.integers(0, 2**32), rate=st.sampled_from([0.0, 0.2, 0.5]))
    def begin(self, seed: int, rate: float) -> None:
        self.store = FaultyStore(seed, rate)
        self.names = SeededIdentifiers(seed)
        self.journals: dict[str, Journal] = {}
        self.zombies: list[Journal] = []
        self.acknowledged: dict[str, list[int]] = {writer: [] for writer in WRITERS}
        self.doubtful: dict[str, list[int]] = {writer: [] for writer in WRITERS}
        self.lsn = 0

    @rule(writer=st.sampled_from(WRITERS), crash=st.booleans())
    def open(self, writer: str, crash: bool) -> None:
        """A new process of this writer; the old one is gone, or lives on as a zombie."""
        old = self.journals.pop(writer, None)
        if old is not None and not crash:
            self.zombies.append(old)
        for _ in range(3000):
            try:
                journal = Journal.open(self.store, "default", writer, ManualClock(), self.names)
                break
            except Unavailable:
                continue
        self.journals[writer] = journal
        found = [lsn for lsn in range(self.lsn + 2) if self._in_journal(journal, lsn)]
        promised = set(self.acknowledged[writer])
        assert promised <= set(found)
        assert set(found) <= promised | set(self.doubtful[writer])
        assert journal.last_lsn() == max(found, default=0)

    @rule(writer=st.sampled_from(WRITERS), count=st.integers(1, 3), tries=st.sampled_from([1, 3000]))
    def append(self, writer: str, count: int, tries: int) -> None:
        journal = self.journals.get(writer)
        if journal is None:
            return
        records = [record(self.lsn + number, writer=writer) for number in range(1, count + 1)]
        self.lsn += count
        lsns = [one.lsn for one in records]
        for _ in range(tries):
            try:
                journal.append(records)
                self.acknowledged[writer] += lsns
                return
            except Unavailable:
                continue
        self.doubtful[writer] += lsns

    @precondition(lambda self: self.zombies)
    @rule(which=st.integers(0, 100))
    def zombie_writes(self, which: int) -> None:
        """It must hear that it is one, and nothing of it may be read."""
        zombie = self.zombies[which % len(self.zombies)]
        self.lsn += 1
        with pytest.raises((Fenced, Unavailable)):
            for _ in range(3000):
                zombie.append([record(self.lsn, writer=zombie.position.writer)])

    @rule(writer=st.sampled_from(WRITERS))
    def close(self, writer: str) -> None:
        journal = self.journals.pop(writer, None)
        if journal is not None:
            try:
                journal.close()
            except Unavailable:
                return

    @invariant()
    def what_was_acknowledged_is_read_once_and_in_order(self) -> None:
        rate, self.store.rate = self.store.rate, 0.0
        reader = Journal.open(self.store.inner, "other", "reader", ManualClock(), self.names)
        reader.tenant = "default"
        found: dict[str, list[int]] = {writer: [] for writer in WRITERS}
        for position, batch in reader.read({}):
            found[position.writer] += [one.lsn for one in batch.records]
        for writer in WRITERS:
            promised = set(self.acknowledged[writer])
            assert len(found[writer]) == len(set(found[writer]))
            assert [lsn for lsn in found[writer] if lsn in promised] == self.acknowledged[writer]
            assert set(found[writer]) <= promised | set(self.doubtful[writer])
        self.store.rate = rate

    def _in_journal(self, journal: Journal, lsn: int) -> bool:
        for _ in range(3000):
            try:
                return lsn in journal.lsns_journalled
            except Unavailable:
                continue
        raise AssertionError("the store never answers")


TestJournal = JournalMachine.TestCase
TestJournal.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
