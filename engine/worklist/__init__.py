"""The worklist: what is to be done, by whom, and how far it is (Unified Procedure Step, PS3.4 CC)."""

from engine.worklist.attributes import RETURNED
from engine.worklist.events import Event, EventType, scp_status
from engine.worklist.rules import PUSH
from engine.worklist.searching import Matched
from engine.worklist.states import Code, State
from engine.worklist.workitem import checked_ae_title
from engine.worklist.worklist import ALL, FILTERED, Answer, Worklist

__all__ = [
    "ALL",
    "FILTERED",
    "PUSH",
    "RETURNED",
    "Answer",
    "Code",
    "Event",
    "EventType",
    "Matched",
    "State",
    "Worklist",
    "checked_ae_title",
    "scp_status",
]
