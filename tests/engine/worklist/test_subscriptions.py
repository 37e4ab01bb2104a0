"""Every cell of PS3.4 Table CC.2.3-2, written down once more as the standard has it."""

import pytest

from engine.worklist.subscriptions import FREE, LOCKED, TABLE, Heard
from engine.worklist.workitem import Subscription

# From: not subscribed, with lock, without lock. To: none, lock, free; "!" the AE is told the state at once.
STANDARD = {
    Heard.CREATED: "none",
    Heard.CREATED_LOCKED: "lock !",
    Heard.CREATED_FREE: "free !",
    Heard.ALL_LOCKED: "lock ! | lock | free",
    Heard.ALL_FREE: "free | lock | free",
    Heard.ONE_LOCKED: "lock ! | lock ! | lock !",
    Heard.ONE_FREE: "free ! | free ! | free !",
    Heard.NOT_ONE: "none | none | none",
    Heard.NOT_ALL: "none | none | none",
    Heard.SUSPENDED: "none | lock | free",
}
STATES: dict[str, Subscription | None] = {"none": None, "lock": LOCKED, "free": FREE}
CELLS = [
    (heard, state, said.strip())
    for heard, row in STANDARD.items()
    for state, said in zip(STATES.values(), row.split("|"), strict=False)
]


@pytest.mark.parametrize(("heard", "state", "said"), CELLS)
def test_cell(heard: Heard, state: Subscription | None, said: str) -> None:
    turn = TABLE[heard, state]
    assert (turn.to, turn.is_told) == (STATES[said.split()[0]], said.endswith("!"))


def test_no_cell_is_forgotten() -> None:
    assert set(TABLE) == {(heard, state) for heard, state, _ in CELLS}
    assert {heard for heard, _ in TABLE} == set(Heard)
