"""What subscribers are told of a change: PS3.4 CC.2.4, Table CC.2.4-1. Pure."""

from collections.abc import Iterator
from enum import IntEnum
from typing import Final

import msgspec

from engine.worklist.reading import Part, only, texts
from native import dataset

STATE, READINESS = 0x00741000, 0x00404041
PROGRESS: Final = 0x00741002
STATION, PERFORMERS, PERFORMER_CODE, ORGANIZATION = 0x00404025, 0x00404034, 0x00404009, 0x00404036
REQUESTING_AE: Final = 0x00741236
# Of why a workitem should end, or did (PS3.4 Table CC.2.2-1).
REASONS: Final = frozenset((0x00741238, 0x0074100E, 0x0074100A, 0x0074100C))
_PROGRESS_TOLD: Final = (0x00741004, 0x00741006, 0x00741008)


class EventType(IntEnum):
    """Event Type ID (0000,1002)."""

    STATE_REPORT = 1
    CANCEL_REQUESTED = 2
    PROGRESS_REPORT = 3
    SCP_STATUS = 4
    ASSIGNED = 5


class Event(msgspec.Struct, frozen=True):
    """One report. ``data``: its attributes, as a data set; ``uid``: of the workitem; ``ae_titles``: whom
    it is for."""

    type: EventType
    data: bytes
    uid: str
    ae_titles: frozenset[str]


Report = tuple[EventType, bytes]


def state_report(data: bytes) -> Report:
    """Where a workitem is."""
    said = only(data, frozenset((STATE, READINESS)))
    ended = [item for item in Part(data).items(PROGRESS) if item.has_value(0x00741238)]
    why = texts((0x00741238, "LT", ended[0].text(0x00741238))) if ended else b""
    return EventType.STATE_REPORT, said + why


def cancel_request(why: bytes, requester: str) -> Report:
    """Somebody asks the performer to stop."""
    return EventType.CANCEL_REQUESTED, dataset.merge((only(why, REASONS), texts((REQUESTING_AE, "AE", requester))))


def scp_status(status: str) -> Report:
    """The node restarted, or is going down; what it keeps it keeps."""
    return EventType.SCP_STATUS, texts(
        (0x00741242, "CS", status), (0x00741244, "CS", "WARM START"), (0x00741246, "CS", "WARM START")
    )


def reports(before: bytes | None, after: bytes) -> Iterator[Report]:
    """What a change is to those who follow the workitem. ``before`` None: it is new."""
    old, new = Part(before or b""), Part(after)
    if any(old.value(tag) != new.value(tag) for tag in (STATE, READINESS)):
        yield state_report(after)
    if before is not None and _progress(old) != _progress(new):
        yield EventType.PROGRESS_REPORT, only(after, frozenset((PROGRESS,)))
    if any(old.value(tag) != new.value(tag) for tag in (STATION, PERFORMERS)):
        yield EventType.ASSIGNED, _assignment(after, new)


def _progress(part: Part) -> list[tuple[bytes, ...]]:
    told = (tuple(item.value(tag) for tag in _PROGRESS_TOLD) for item in part.items(PROGRESS))
    return [values for values in told if any(values)]


def _assignment(data: bytes, part: Part) -> bytes:
    """To which station, and to whom: code and organization of the first who is named."""
    who = part.items(PERFORMERS)[:1]
    code = b"".join(dataset.element(PERFORMER_CODE, "SQ", one.value(PERFORMER_CODE)) for one in who)
    place = b"".join(texts((ORGANIZATION, "LO", one.text(ORGANIZATION))) for one in who)
    return dataset.merge((code, only(data, frozenset((STATION,))), place))
