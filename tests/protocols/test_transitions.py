"""Every cell of PS3.8 table 9-10, against an independent transcription of the standard's rows."""

import pytest

from protocols.dimse.transitions import NEXT_STATE, TABLE, Action, Event, State

ABORT_IF_ASSOCIATED = dict.fromkeys((3, 5, 6, 7, 8, 9, 10, 11, 12), "AA-8")
EXPECTED: dict[int, dict[int, str]] = {
    1: {1: "AE-1"},
    2: {4: "AE-2"},
    3: {**ABORT_IF_ASSOCIATED, 2: "AA-1", 5: "AE-3", 13: "AA-6"},
    4: {**ABORT_IF_ASSOCIATED, 2: "AA-1", 5: "AE-4", 13: "AA-6"},
    5: {1: "AE-5"},
    6: {**ABORT_IF_ASSOCIATED, 2: "AE-6", 13: "AA-7"},
    7: {3: "AE-7"},
    8: {3: "AE-8"},
    9: {6: "DT-1", 8: "AR-7"},
    10: {**ABORT_IF_ASSOCIATED, 2: "AA-1", 6: "DT-2", 7: "AR-6", 13: "AA-6"},
    11: {6: "AR-1"},
    12: {**ABORT_IF_ASSOCIATED, 2: "AA-1", 6: "AR-2", 7: "AR-8", 13: "AA-6"},
    13: {**ABORT_IF_ASSOCIATED, 2: "AA-1", 7: "AR-3", 10: "AR-10", 11: "AR-3", 13: "AA-6"},
    14: {8: "AR-4", 9: "AR-9", 12: "AR-4"},
    15: {**dict.fromkeys((3, 5, 6, 7, 8, 9, 10, 11, 12), "AA-1"), 4: "AA-2"},
    16: {**dict.fromkeys((3, 5, 6, 7, 8, 9, 10, 11, 12), "AA-3"), 2: "AA-2", 13: "AA-2"},
    17: {**dict.fromkeys((3, 4, 5, 6, 7, 8, 9, 10, 11, 12), "AA-4"), 2: "AA-5", 13: "AR-5"},
    18: {2: "AA-2", 13: "AA-2"},
    19: {**ABORT_IF_ASSOCIATED, 2: "AA-1", 13: "AA-7"},
}


@pytest.mark.parametrize("event", list(Event))
@pytest.mark.parametrize("state", list(State))
def test_cell(event: Event, state: State) -> None:
    expected = EXPECTED[event].get(state)
    found = TABLE.get((state, event))
    assert (found.value if found else None) == expected


def test_every_action_leads_somewhere_and_is_used() -> None:
    assert set(NEXT_STATE) == set(Action) == set(TABLE.values())
