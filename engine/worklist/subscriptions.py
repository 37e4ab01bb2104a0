"""Who hears of what: PS3.4 CC.2.3, Table CC.2.3-2, as one table. Pure."""

from enum import StrEnum
from typing import Final

import msgspec

from engine.worklist.workitem import Subscription


class Heard(StrEnum):
    """What changes the subscription of one AE to one workitem."""

    CREATED = "created while not subscribed globally"
    CREATED_LOCKED = "created while subscribed globally with lock"
    CREATED_FREE = "created while subscribed globally without lock"
    ALL_LOCKED = "subscribes globally with lock"
    ALL_FREE = "subscribes globally without lock"
    ONE_LOCKED = "subscribes with lock"
    ONE_FREE = "subscribes without lock"
    NOT_ONE = "unsubscribes"
    NOT_ALL = "unsubscribes globally"
    SUSPENDED = "suspends the global subscription"


class Turn(msgspec.Struct, frozen=True):
    """What becomes of it. ``is_told``: the AE is told the workitem's state at once."""

    to: Subscription | None
    is_told: bool = False


ENDINGS: Final = frozenset((Heard.NOT_ONE, Heard.NOT_ALL, Heard.SUSPENDED))
LOCKED: Final = Subscription(True)
FREE: Final = Subscription(False)
# From: not subscribed (or not created before), subscribed with lock, subscribed without.
_STATES: Final = (None, LOCKED, FREE)
_ROWS: Final[dict[Heard, tuple[Turn, ...]]] = {
    Heard.CREATED: (Turn(None),),
    Heard.CREATED_LOCKED: (Turn(LOCKED, True),),
    Heard.CREATED_FREE: (Turn(FREE, True),),
    Heard.ALL_LOCKED: (Turn(LOCKED, True), Turn(LOCKED), Turn(FREE)),
    Heard.ALL_FREE: (Turn(FREE), Turn(LOCKED), Turn(FREE)),
    Heard.ONE_LOCKED: (Turn(LOCKED, True), Turn(LOCKED, True), Turn(LOCKED, True)),
    Heard.ONE_FREE: (Turn(FREE, True), Turn(FREE, True), Turn(FREE, True)),
    Heard.NOT_ONE: (Turn(None), Turn(None), Turn(None)),
    Heard.NOT_ALL: (Turn(None), Turn(None), Turn(None)),
    Heard.SUSPENDED: (Turn(None), Turn(LOCKED), Turn(FREE)),
}
TABLE: Final[dict[tuple[Heard, Subscription | None], Turn]] = {
    (heard, state): turn for heard, row in _ROWS.items() for state, turn in zip(_STATES, row, strict=False)
}
