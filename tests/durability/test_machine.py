"""Histories: store, again, encoded anew, changed, elsewhere; delete, restore, promote, collect; crash (in a decision
too), lose power, index or node, reindex, close; against a dict."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.durability.disk import Disk, Survival, inodes_of
from tests.durability.facts import lose
from tests.durability.files import Encoding, Send
from tests.durability.host import Order
from tests.durability.model import Model
from tests.durability.node import Node
from tests.durability.scale import many
from tests.durability.snapshot import Name

GRACE_DAYS = 30  # the setting's default
KEYS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
LEVELS = ("study", "series", "instance")

days_passed = st.sampled_from((0, GRACE_DAYS - 1, GRACE_DAYS + 1))
levels = st.sampled_from(LEVELS)
numbers = st.integers(0, 3)


class Histories(RuleBasedStateMachine):
    """All is acknowledged before the next step begins, but for a decision in whose midst the node is killed."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = Path(tempfile.mkdtemp(prefix="filmroom-histories-"))
        self._root = self._folder / "disk-0"
        self._root.mkdir()
        self._boots = 0
        self._sends: list[Send] = []
        self._model = Model()
        self._told: list[tuple[str, str, str]] = []
        self._boot()

    @initialize()
    def begin_with_versions(self) -> None:
        """Something to decide about, from the first step on."""
        for send in (Send(5, 1), Send(5, 1, content=1), Send(5, 2), Send(5, 2, elsewhere=True)):
            self._send(send)

    # -- stores ----------------------------------------------------------------------------------------------------

    @rule(number=numbers, content=st.integers(0, 1), encoding=st.sampled_from(("explicit", "implicit")))
    def store(self, number: int, content: int, encoding: Encoding) -> None:
        self._send(Send(5, number, content=content, encoding=encoding, large=number == 0))

    @precondition(lambda self: self._sends)
    @rule(encoding=st.sampled_from(("explicit", "undefined", "implicit")), elsewhere=st.booleans(), data=st.data())
    def send_again(self, encoding: Encoding, elsewhere: bool, data: st.DataObject) -> None:
        again = data.draw(st.sampled_from(self._sends))
        self._send(msgspec.structs.replace(again, encoding=encoding, elsewhere=elsewhere))

    # -- decisions -------------------------------------------------------------------------------------------------

    @precondition(lambda self: self._sends)
    @rule(level=levels, data=st.data())
    def delete(self, level: str, data: st.DataObject) -> None:
        keys, chosen = self._chosen(level, data)
        assert self._node.ask("delete", level, keys) == self._model.delete(chosen)

    @precondition(lambda self: self._sends)
    @rule(level=levels, data=st.data())
    def restore(self, level: str, data: st.DataObject) -> None:
        keys, chosen = self._chosen(level, data)
        assert self._node.ask("restore", level, keys) == self._model.restore(chosen)

    @precondition(lambda self: self._sends)
    @rule(which=st.integers(0, 15))
    def promote(self, which: int) -> None:
        """Which names have versions can depend on when a kill came; what is drawn must not."""
        several = [name for name in self._model.living_names() if len(self._model.versions(name)) > 1]
        if several:
            name = several[which % len(several)]
            self._node.ask("promote", name, 1)
            self._model.promote(name, 1)

    @rule(days=days_passed)
    def collect(self, days: int) -> None:
        """As if these days had passed since all that was deleted."""
        self._node.ask("collect", days)
        if days > GRACE_DAYS:
            self._model.collect()

    @precondition(lambda self: self._sends)
    @rule(what=st.sampled_from(("delete", "restore", "collect")), level=levels, data=st.data())
    def crash_in_the_midst(self, what: str, level: str, data: st.DataObject) -> None:
        """It was done or it was not, of each study whole."""
        keys, chosen = self._chosen(level, data)
        before, after = self._model.copy(), self._model.copy()
        if what == "collect":
            after.collect()
            self._node.tell(what, GRACE_DAYS + 1)
        else:
            getattr(after, what)(chosen)
            self._node.tell(what, level, keys)
        self._node.kill()
        self._boot()
        if what == "collect":  # what it had come to is done again, and then all of it is
            self._node.ask("collect", GRACE_DAYS + 1)
            self._model = after
            return
        shown = self._node.snapshot()
        problems = {0: before.problems(shown), 1: after.problems(shown)}
        assert not problems[0] or not problems[1], problems
        self._model = after if not problems[1] else before

    @rule(level=levels, days=days_passed, again=st.booleans(), data=st.data())
    def delete_and_come_back(self, level: str, days: int, again: bool, data: st.DataObject) -> None:
        """With a look for what may go in between, and what was deleted sent again."""
        keys, chosen = self._chosen(level, data)
        assert self._node.ask("delete", level, keys) == self._model.delete(chosen)
        self.collect(days)
        if again:
            self._send(data.draw(st.sampled_from([send for send in self._sends if chosen(send.name)])))
        self.it_answers_as_the_dict_does()
        assert self._node.ask("restore", level, keys) == self._model.restore(chosen)

    # -- loss ------------------------------------------------------------------------------------------------------

    @rule()
    def reindex(self) -> None:
        self._node.ask("reindex")

    @rule()
    def crash(self) -> None:
        self._node.kill()
        self._boot()

    @rule()
    def close_and_open(self) -> None:
        self._node.close()
        self._boot()

    @rule(what=st.sampled_from(("index", "node")))
    def lose_what_is_derived(self, what: str) -> None:
        self._node.close()
        lose(self._root, what)
        self._boot()

    @rule(survival=st.sampled_from(list(Survival)), seed=st.integers(0, 1 << 30), last=numbers, decide=st.booleans())
    def lose_power(self, survival: Survival, seed: int, last: int, decide: bool) -> None:
        """Right behind an acknowledgement: its spill has hardly begun."""
        send = Send(5, last, content=seed % 2, large=last == 0)
        self._send(send, "hand_in")
        if decide:
            keys = dict(zip(KEYS, send.name, strict=True))
            hidden = self._model.delete(lambda name: name == send.name)
            assert self._node.ask("delete", "instance", keys) == hidden
        self._node.kill()
        dark = self._folder / f"disk-{self._boots}"
        Disk(self._root, self._base, memoryview(self._log.read_bytes()), None, self._inodes).write(dark, survival, seed)
        self._root = dark
        self._boot()

    # -- what must hold ----------------------------------------------------------------------------------------------

    @invariant()
    def it_answers_as_the_dict_does(self) -> None:
        assert self._model.problems(self._node.snapshot()) == []

    @invariant()
    def the_feed_goes_on_where_it_was_left(self) -> None:
        """Through restarts, reindex and the loss of the node: nothing twice, and nothing told otherwise."""
        after = self._told[-1][0] if self._told else ""
        self._told += self._node.ask("changes", after)
        assert [told[1:] for told in self._node.ask("changes", "")] == [told[1:] for told in self._told]

    def teardown(self) -> None:
        try:
            assert self._node.ask("verify") == []
        finally:
            self._node.kill()
            shutil.rmtree(self._folder)

    def _send(self, send: Send, how: str = "store") -> None:
        self._sends.append(send)
        self._node.ask(how, send)
        self._model.store(send)

    def _chosen(self, level: str, data: st.DataObject) -> tuple[dict[str, str], Callable[[Name], bool]]:
        """Keys down to a level of something that was sent, and which instances are below it."""
        depth = LEVELS.index(level) + 1
        above = data.draw(st.sampled_from(self._sends)).name[:depth]
        return dict(zip(KEYS, above, strict=False)), lambda name: name[:depth] == above

    def _boot(self) -> None:
        self._boots += 1
        self._log, self._base = self._folder / f"log-{self._boots}", self._folder / f"base-{self._boots}"
        shutil.copytree(self._root, self._base)
        self._inodes = inodes_of(self._root, self._base)
        self._node = Node(Order(root=str(self._root), log=str(self._log))).opened()


def histories(count: int, *, the_same: bool) -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Histories,
        settings=settings(
            max_examples=count,
            stateful_step_count=14,
            deadline=None,
            derandomize=the_same,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_histories() -> None:
    histories(12, the_same=True)


@pytest.mark.campaign
@pytest.mark.skipif(not many(400), reason="make campaign")
def test_histories_for_long() -> None:
    histories(many(400), the_same=False)
