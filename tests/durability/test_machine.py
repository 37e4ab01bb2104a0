"""Histories: store, again, encoded anew, changed; crash, lose power, reindex, close; against a list of sends."""

import shutil
import tempfile
from pathlib import Path

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from tests.durability.disk import Disk, Survival, inodes_of
from tests.durability.facts import broken
from tests.durability.files import Encoding, Send
from tests.durability.host import Order
from tests.durability.node import Node
from tests.durability.scale import many


class Histories(RuleBasedStateMachine):
    """The model is what was sent, and which of it was acknowledged."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = Path(tempfile.mkdtemp(prefix="filmroom-histories-"))
        self._root = self._folder / "disk-0"
        self._root.mkdir()
        self._boots = 0
        self._sends: list[Send] = []
        self._acknowledged: set[int] = set()
        self._boot()

    @rule(number=st.integers(0, 5), content=st.integers(0, 1), encoding=st.sampled_from(("explicit", "implicit")))
    def store(self, number: int, content: int, encoding: Encoding) -> None:
        self._send(Send(5, number, content=content, encoding=encoding, large=number == 0))

    @rule(encoding=st.sampled_from(("explicit", "undefined", "implicit")), data=st.data())
    def send_again(self, encoding: Encoding, data: st.DataObject) -> None:
        if self._sends:
            self._send(msgspec.structs.replace(data.draw(st.sampled_from(self._sends)), encoding=encoding))

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

    @rule(survival=st.sampled_from(list(Survival)), seed=st.integers(0, 1 << 30), last=st.integers(0, 5))
    def lose_power(self, survival: Survival, seed: int, last: int) -> None:
        """Right behind an acknowledgement: its spill has hardly begun."""
        self._send(Send(5, last, content=seed % 2, large=last == 0), "hand_in")
        self._node.kill()
        dark = self._folder / f"disk-{self._boots}"
        Disk(self._root, self._base, memoryview(self._log.read_bytes()), None, self._inodes).write(dark, survival, seed)
        self._root = dark
        self._boot()

    @invariant()
    def all_that_was_acknowledged_is_there(self) -> None:
        assert broken(self._node.snapshot(), self._sends, self._acknowledged) == []

    def teardown(self) -> None:
        try:
            assert self._node.ask("verify") == []
        finally:
            self._node.kill()
            shutil.rmtree(self._folder)

    def _send(self, send: Send, how: str = "store") -> None:
        self._sends.append(send)
        self._node.ask(how, send)
        self._acknowledged.add(len(self._sends) - 1)

    def _boot(self) -> None:
        self._boots += 1
        self._log, self._base = self._folder / f"log-{self._boots}", self._folder / f"base-{self._boots}"
        shutil.copytree(self._root, self._base)
        self._inodes = inodes_of(self._root, self._base)
        self._node = Node(Order(root=str(self._root), log=str(self._log))).opened()


def test_histories() -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Histories,
        settings=settings(
            max_examples=many(400) or 12,
            stateful_step_count=12,
            deadline=None,
            derandomize=not many(100),
            suppress_health_check=list(HealthCheck),
        ),
    )
