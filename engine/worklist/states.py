"""The states of a workitem (Unified Procedure Step) and what may happen in each: PS3.4 CC.1.1, Table CC.1.1-2, and for
updates CC.2.6.3. The table, and nothing else.

An event that names a Transaction UID comes in two forms: *correct* is that of the claim (for a claim: any), *wrong* is
another, or none where one must be.
"""

from enum import IntEnum, StrEnum
from typing import Final

import msgspec


class State(StrEnum):
    """Procedure Step State (0074,1000)."""

    SCHEDULED = "SCHEDULED"
    IN_PROGRESS = "IN PROGRESS"
    COMPLETED = "COMPLETED"
    CANCELED = "CANCELED"


FINAL: Final = frozenset((State.COMPLETED, State.CANCELED))


class Happening(StrEnum):
    """What a client asks for."""

    CREATE = "create"
    UPDATE = "update"
    UPDATE_WRONG = "update, wrong transaction"
    CLAIM = "to IN PROGRESS"
    CLAIM_WRONG = "to IN PROGRESS, wrong transaction"
    RESCHEDULE = "to SCHEDULED"
    COMPLETE = "to COMPLETED"
    COMPLETE_WRONG = "to COMPLETED, wrong transaction"
    CANCEL = "to CANCELED"
    CANCEL_WRONG = "to CANCELED, wrong transaction"
    REQUEST_CANCEL = "request to cancel"


class Code(IntEnum):
    """Status of the answer (PS3.4 CC.2.1.4, CC.2.2.4, CC.2.3.4, CC.2.5.4, CC.2.6.4)."""

    DONE = 0x0000
    DUPLICATE = 0x0111
    CREATED_CHANGED = 0xB300
    ALREADY_CANCELED = 0xB304
    ALREADY_COMPLETED = 0xB306
    ENDED = 0xC300
    WRONG_TRANSACTION = 0xC301
    ALREADY_CLAIMED = 0xC302
    NEVER_RESCHEDULED = 0xC303
    NOT_COMPLETE = 0xC304
    MISSING = 0xC307
    NOT_CLAIMED = 0xC310
    CANNOT_CANCEL = 0xC311
    UNREACHABLE = 0xC312

    @property
    def is_failure(self) -> bool:
        """Nothing was done; a warning (Bxxx) means that it was, or had been done before."""
        return self is Code.DUPLICATE or self >= 0xC000


class Cell(msgspec.Struct, frozen=True):
    """What an event does in a state. ``through``: the states that it goes through, the last of which it is left in.
    ``is_judged``: only if the final state's requirements are met, else ``NOT_COMPLETE``."""

    code: Code = Code.DONE
    through: tuple[State, ...] = ()
    is_judged: bool = False


_S, _P, _C, _X = State
_MISSING, _WRONG = Cell(Code.MISSING), Cell(Code.WRONG_TRANSACTION)
_DUPLICATE, _ENDED, _NOT_CLAIMED = Cell(Code.DUPLICATE), Cell(Code.ENDED), Cell(Code.NOT_CLAIMED)
_NEVER, _DONE = Cell(Code.NEVER_RESCHEDULED), Cell()
_CANCELED = Cell(Code.ALREADY_CANCELED)
_COLUMNS: Final = (None, _S, _P, _C, _X)
_ROWS: Final[dict[Happening, tuple[Cell, Cell, Cell, Cell, Cell]]] = {
    # not there, SCHEDULED, IN PROGRESS, COMPLETED, CANCELED
    Happening.CREATE: (Cell(through=(_S,)), _DUPLICATE, _DUPLICATE, _DUPLICATE, _DUPLICATE),
    Happening.UPDATE: (_MISSING, _DONE, _DONE, _ENDED, _ENDED),
    Happening.UPDATE_WRONG: (_MISSING, _NOT_CLAIMED, _WRONG, _ENDED, _ENDED),
    Happening.CLAIM: (_MISSING, Cell(through=(_P,)), Cell(Code.ALREADY_CLAIMED), _ENDED, _ENDED),
    Happening.CLAIM_WRONG: (_MISSING, _WRONG, _WRONG, _WRONG, _WRONG),
    Happening.RESCHEDULE: (_MISSING, _NEVER, _NEVER, _NEVER, _NEVER),
    Happening.COMPLETE: (
        _MISSING, _NOT_CLAIMED, Cell(through=(_C,), is_judged=True), Cell(Code.ALREADY_COMPLETED), _ENDED
    ),
    Happening.COMPLETE_WRONG: (_MISSING, _WRONG, _WRONG, _WRONG, _WRONG),
    Happening.CANCEL: (_MISSING, _NOT_CLAIMED, Cell(through=(_X,), is_judged=True), _ENDED, _CANCELED),
    Happening.CANCEL_WRONG: (_MISSING, _WRONG, _WRONG, _WRONG, _WRONG),
    Happening.REQUEST_CANCEL: (_MISSING, Cell(through=(_P, _X)), _DONE, Cell(Code.CANNOT_CANCEL), _CANCELED),
}  # fmt: skip
TABLE: Final[dict[tuple[Happening, State | None], Cell]] = {
    (event, state): cell for event, row in _ROWS.items() for state, cell in zip(_COLUMNS, row, strict=True)
}
_TO: Final = {
    State.IN_PROGRESS: (Happening.CLAIM, Happening.CLAIM_WRONG),
    State.COMPLETED: (Happening.COMPLETE, Happening.COMPLETE_WRONG),
    State.CANCELED: (Happening.CANCEL, Happening.CANCEL_WRONG),
    State.SCHEDULED: (Happening.RESCHEDULE, Happening.RESCHEDULE),
}


def change(wanted: State, *, is_correct: bool) -> Happening:
    """The event that a request for a state is."""
    return _TO[wanted][0 if is_correct else 1]
