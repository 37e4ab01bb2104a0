"""C49: every cell of PS3.4 Table CC.1.1-2, and of updates (CC.2.6.3), written down once more as the standard has it."""

import pytest

from engine.worklist.states import TABLE, Cell, Code, Happening, State, change

# null, SCHEDULED, IN PROGRESS, COMPLETED, CANCELED; "> X" goes to X, "? X" if what the final state needs is there
STANDARD = {
    "create": "> SCHEDULED | 0111 | 0111 | 0111 | 0111",
    "to IN PROGRESS": "C307 | > IN PROGRESS | C302 | C300 | C300",
    "to IN PROGRESS, wrong transaction": "C307 | C301 | C301 | C301 | C301",
    "to SCHEDULED": "C307 | C303 | C303 | C303 | C303",
    "to COMPLETED": "C307 | C310 | ? COMPLETED | B306 | C300",
    "to COMPLETED, wrong transaction": "C307 | C301 | C301 | C301 | C301",
    "request to cancel": "C307 | > IN PROGRESS > CANCELED | 0000 | C311 | B304",
    "to CANCELED": "C307 | C310 | ? CANCELED | C300 | B304",
    "to CANCELED, wrong transaction": "C307 | C301 | C301 | C301 | C301",
    "update": "C307 | 0000 | 0000 | C300 | C300",
    "update, wrong transaction": "C307 | C310 | C301 | C300 | C300",
}
STATES = (None, *State)
CELLS = [
    (name, state, said.strip())
    for name, row in STANDARD.items()
    for state, said in zip(STATES, row.split("|"), strict=True)
]


def shown(cell: Cell) -> str:
    if not cell.through:
        return f"{cell.code:04X}"
    return " ".join(f"{'?' if cell.is_judged else '>'} {state}" for state in cell.through)


@pytest.mark.parametrize(("name", "state", "said"), CELLS)
def test_cell(name: str, state: State | None, said: str) -> None:
    assert shown(TABLE[Happening(name), state]) == said


def test_no_cell_is_forgotten() -> None:
    assert set(TABLE) == {(Happening(name), state) for name, state, _ in CELLS}
    assert set(TABLE) == {(event, state) for event in Happening for state in STATES}


@pytest.mark.parametrize("wanted", State)
@pytest.mark.parametrize("is_correct", [True, False])
def test_a_wanted_state_is_one_event(wanted: State, is_correct: bool) -> None:
    name = f"to {wanted}" + ("" if is_correct or wanted is State.SCHEDULED else ", wrong transaction")
    assert change(wanted, is_correct=is_correct) is Happening(name)


def test_what_fails() -> None:
    done = {Code.DONE, Code.CREATED_CHANGED, Code.ALREADY_CANCELED, Code.ALREADY_COMPLETED}
    assert {code for code in Code if not code.is_failure} == done
