"""Command sets (PS3.7 9.3, E.1): what we read of requests, and the responses and requests we build."""

from enum import IntEnum

import msgspec

from native import pdu

NO_DATASET = 0x0101
WITH_DATASET = 0x0001

Elements = dict[int, int | str | bytes | list[int]]


class Field(IntEnum):
    """Command Field (0000,0100)."""

    C_STORE_RQ = 0x0001
    C_GET_RQ = 0x0010
    C_FIND_RQ = 0x0020
    C_MOVE_RQ = 0x0021
    C_ECHO_RQ = 0x0030
    N_EVENT_REPORT_RQ = 0x0100
    N_ACTION_RQ = 0x0130
    C_ECHO_RSP = 0x8030
    C_CANCEL_RQ = 0x0FFF


class Element(IntEnum):
    """Element numbers of group 0000 (PS3.7 E.1)."""

    AFFECTED_SOP_CLASS = 0x0002
    REQUESTED_SOP_CLASS = 0x0003
    COMMAND_FIELD = 0x0100
    MESSAGE_ID = 0x0110
    MESSAGE_ID_RESPONDED = 0x0120
    MOVE_DESTINATION = 0x0600
    PRIORITY = 0x0700
    DATASET_TYPE = 0x0800
    STATUS = 0x0900
    ERROR_COMMENT = 0x0902
    AFFECTED_SOP_INSTANCE = 0x1000
    REQUESTED_SOP_INSTANCE = 0x1001
    EVENT_TYPE = 0x1002
    ACTION_TYPE = 0x1008
    REMAINING = 0x1020
    COMPLETED = 0x1021
    FAILED = 0x1022
    WARNING = 0x1023


class Command(msgspec.Struct, frozen=True):
    """A command set as we use it. ``message_id``: the one responded to in a response or C-CANCEL.

    ``sop_class_uid`` and ``sop_instance_uid``: affected or requested; ``type_id``: of the action.
    """

    field: int
    message_id: int
    sop_class_uid: str
    has_dataset: bool
    status: int = 0
    move_destination: str = ""
    sop_instance_uid: str = ""
    type_id: int | None = None

    @property
    def is_response(self) -> bool:
        return bool(self.field & 0x8000)


class Counters(msgspec.Struct, frozen=True):
    """Sub-operation counters (PS3.7 9.3.4.2); ``remaining`` None leaves it out, as final responses do."""

    remaining: int | None = None
    completed: int = 0
    failed: int = 0
    warning: int = 0


def parse(command: bytes) -> Command:
    """Read a command set. Raises ValueError when it is unsound or has no Command Field or message ID."""
    elements = pdu.decode_command(command)
    field = _number(elements, Element.COMMAND_FIELD)
    if field is None:
        raise ValueError("command set without Command Field")
    answers = field & 0x8000 or field == Field.C_CANCEL_RQ
    message_id = _number(elements, Element.MESSAGE_ID_RESPONDED if answers else Element.MESSAGE_ID)
    if message_id is None:
        raise ValueError("command set without message ID")
    return Command(
        field=field,
        message_id=message_id,
        sop_class_uid=_text(elements, Element.AFFECTED_SOP_CLASS) or _text(elements, Element.REQUESTED_SOP_CLASS),
        has_dataset=(_number(elements, Element.DATASET_TYPE) or NO_DATASET) != NO_DATASET,
        status=_number(elements, Element.STATUS) or 0,
        move_destination=_text(elements, Element.MOVE_DESTINATION),
        sop_instance_uid=_text(elements, Element.REQUESTED_SOP_INSTANCE),
        type_id=_number(elements, Element.ACTION_TYPE),
    )


def response(
    request: Command, status: int, *, has_dataset: bool = False, comment: str = "", counters: Counters | None = None
) -> bytes:
    """The response to ``request``. ``comment`` goes to Error Comment (64 characters at most; never a value sent)."""
    elements: Elements = {
        Element.AFFECTED_SOP_CLASS: request.sop_class_uid,
        Element.COMMAND_FIELD: request.field | 0x8000,
        Element.MESSAGE_ID_RESPONDED: request.message_id,
        Element.DATASET_TYPE: WITH_DATASET if has_dataset else NO_DATASET,
        Element.STATUS: status,
    }
    if request.sop_instance_uid:
        elements[Element.AFFECTED_SOP_INSTANCE] = request.sop_instance_uid
    if request.type_id is not None:
        elements[Element.ACTION_TYPE] = request.type_id
    if comment:
        elements[Element.ERROR_COMMENT] = comment.encode("ascii", "replace")[:64].decode("ascii")
    if counters is not None:
        elements.update(_counted(counters))
    return pdu.encode_command(elements)


def echo_request(message_id: int, sop_class_uid: str) -> bytes:
    """C-ECHO-RQ (PS3.7 9.3.5.1)."""
    return pdu.encode_command(
        {
            Element.AFFECTED_SOP_CLASS: sop_class_uid,
            Element.COMMAND_FIELD: int(Field.C_ECHO_RQ),
            Element.MESSAGE_ID: message_id,
            Element.DATASET_TYPE: NO_DATASET,
        }
    )


def event_report(message_id: int, sop_class_uid: str, sop_instance_uid: str, event_type: int) -> bytes:
    """N-EVENT-REPORT-RQ (PS3.7 10.3.1.1)."""
    return pdu.encode_command(
        {
            Element.AFFECTED_SOP_CLASS: sop_class_uid,
            Element.COMMAND_FIELD: int(Field.N_EVENT_REPORT_RQ),
            Element.MESSAGE_ID: message_id,
            Element.DATASET_TYPE: WITH_DATASET,
            Element.AFFECTED_SOP_INSTANCE: sop_instance_uid,
            Element.EVENT_TYPE: event_type,
        }
    )


def _counted(counters: Counters) -> Elements:
    """US counters: a retrieval of more than 65,535 instances says 65,535 until it is below."""
    numbers = {
        Element.REMAINING: counters.remaining,
        Element.COMPLETED: counters.completed,
        Element.FAILED: counters.failed,
        Element.WARNING: counters.warning,
    }
    return {int(element): min(number, 0xFFFF) for element, number in numbers.items() if number is not None}


def _number(elements: Elements, element: int) -> int | None:
    value = elements.get(element)
    return value if isinstance(value, int) else None


def _text(elements: Elements, element: int) -> str:
    value = elements.get(element, "")
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace")
    return value.strip(" \0") if isinstance(value, str) else ""
