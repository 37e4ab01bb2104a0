"""Whether a workitem is as ``attributes`` says, when it is created, changed and ended. Pure."""

from collections.abc import Iterator
from typing import Final

from engine.clock import text_of_moment
from engine.errors import Invalid
from engine.worklist.attributes import CODE_MEANING, CODE_VALUES, CODED, ENUMERATED, RULES
from engine.worklist.reading import CHARACTER_SET, Part, only, sequence, texts, without
from engine.worklist.states import State
from native import dataset
from native.dictionary import keyword_of
from native.explicit import item
from native.parts import representation

PUSH: Final = "1.2.840.10008.5.1.4.34.6.1"  # the SOP class of every workitem (PS3.4 CC.2.5.1.3.1)
LABEL: Final = "DEFAULT"  # of the worklist, when a client names none
CLASS_UID, INSTANCE_UID, TRANSACTION_UID = 0x00080016, 0x00080018, 0x00081195
STATE, MODIFIED, WORKLIST_LABEL = 0x00741000, 0x00404010, 0x00741202
PROGRESS, DISCONTINUED = 0x00741002, 0x0074100E
# Of a request that gives no reason (PS3.16 CID 9300).
_UNSPECIFIED: Final = texts(
    (0x00080100, "SH", "110513"), (0x00080102, "SH", "DCM"), (0x00080104, "LO", "Discontinued for unspecified reason")
)
_OURS: Final = frozenset((0x00080005, CLASS_UID, INSTANCE_UID, TRANSACTION_UID, STATE, MODIFIED))
_BLANK: Final = {rule.way[0] for rule in RULES if len(rule.way) == 1 and rule.create in "20"} - {TRANSACTION_UID}
_Way = tuple[int, ...]


def created(data: bytes, uid: str, now_us: int) -> tuple[bytes, bool]:
    """The workitem that a request to create one makes, and whether that is more than what was sent: what may be empty
    is there then, and what we say of it. Raises Invalid."""
    said = Part(data)
    for tag, allowed in ((CLASS_UID, PUSH), (INSTANCE_UID, uid), (STATE, State.SCHEDULED)):
        if said.has_value(tag) and said.text(tag) != allowed:
            raise Invalid(f"{keyword_of(tag)} can only be {allowed}")
    _check(said, "create")
    blank = _BLANK - set(said)
    if not said.has_value(WORKLIST_LABEL):
        blank.add(WORKLIST_LABEL)
        data = without(data, frozenset((WORKLIST_LABEL,)))
    filled = {tag: LABEL.encode() if tag == WORKLIST_LABEL else b"" for tag in blank}
    added = b"".join(dataset.element(tag, representation(tag), value) for tag, value in filled.items())
    return dataset.merge((_identity(uid, State.SCHEDULED, now_us), without(data, _OURS), added)), bool(blank)


def changed(data: bytes, change: bytes, now_us: int) -> bytes:
    """The workitem with what a request to change it says; a sequence is replaced as a whole (PS3.4 CC.2.6.2). Raises
    Invalid."""
    said = Part(without(change, frozenset((TRANSACTION_UID,))))
    _check(said, "change")
    return dataset.merge((CHARACTER_SET + _moment(now_us), without(change, _OURS), data))


def moved(data: bytes, state: State, now_us: int) -> bytes:
    """The workitem in another state."""
    return dataset.merge((_moment(now_us) + texts((STATE, "CS", state)), data))


def canceled(data: bytes, why: bytes, now_us: int) -> bytes:
    """The workitem with what it needs to be CANCELED on somebody's request: when, and why."""
    said = Part(why)
    codes = said.value(DISCONTINUED) or item(_UNSPECIFIED)
    told = only(why, frozenset((0x00741238,))) + dataset.element(DISCONTINUED, "SQ", codes)
    progress = dataset.merge((told, texts((0x00404052, "DT", dicom_moment(now_us)))))
    return dataset.merge((sequence(PROGRESS, [progress]), data))


def lacking(data: bytes, state: State) -> list[str]:
    """Keywords of what a workitem must have before it may end so (PS3.4 CC.2.5.1.1)."""
    wanted = "RP" if state is State.COMPLETED else "RX"
    part, found = Part(data), []
    for rule in RULES:
        if rule.final in wanted:
            *above, last = rule.way
            places = list(_places(part, tuple(above)))
            if not places or not all(place.has_value(last) for place in places):
                found.append(keyword_of(last))
    return found


def dicom_moment(now_us: int) -> str:
    """A moment as DT, in UTC."""
    return "".join(c for c in text_of_moment(now_us) if c.isdigit() or c == ".") + "+0000"


def _identity(uid: str, state: State, now_us: int) -> bytes:
    own = texts((CLASS_UID, "UI", PUSH), (INSTANCE_UID, "UI", uid))
    return CHARACTER_SET + own + _moment(now_us) + texts((STATE, "CS", state))


def _moment(now_us: int) -> bytes:
    return texts((MODIFIED, "DT", dicom_moment(now_us)))


def _check(said: Part, column: str) -> None:
    """Raises Invalid with the first thing that is wrong."""
    for rule in RULES:
        *above, tag = rule.way
        kind = rule.create if column == "create" else rule.change
        for place in _places(said, tuple(above)):
            if (fault := _fault(kind, tag in place, place.has_value(tag))) is not None:
                raise Invalid(f"{'.'.join(map(keyword_of, rule.way))} {fault}")
    for tag, values in ENUMERATED.items():
        if said.has_value(tag) and said.text(tag) not in values:
            raise Invalid(f"{keyword_of(tag)} is one of {', '.join(sorted(values))}")
    for way in CODED:
        for code in _places(said, way):
            if not (code.has_value(CODE_MEANING) and any(map(code.has_value, CODE_VALUES))):
                raise Invalid(f"{'.'.join(map(keyword_of, way))} has a code without meaning or value")


def _fault(kind: str, is_there: bool, has_value: bool) -> str | None:
    match kind:
        case "1" if not has_value:
            return "needs a value"
        case "1?" if is_there and not has_value:
            return "cannot be made empty"
        case "0" if has_value:
            return "must be empty"
        case "-" if is_there:
            return "cannot be set so"
    return None


def _places(part: Part, way: _Way) -> Iterator[Part]:
    """The data set itself, or the items at the end of a way into it."""
    if not way:
        yield part
        return
    for inner in part.items(way[0]):
        yield from _places(inner, way[1:])
