"""C-FIND, C-GET and C-MOVE of our own (PS3.4 C.4): every response is kept."""

import warnings
from collections.abc import Callable, Iterable
from typing import Any

from msgspec import Struct
from pydicom.config import IGNORE
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from bench.lean import Command
from bench.statements.association import (
    C_CANCEL,
    C_FIND,
    C_GET,
    C_MOVE,
    C_STORE,
    RESPONSE,
    Association,
    Message,
    decoded,
    encoded,
)
from bench.statements.statement import Unmet, same

PATIENT_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.1.1"
STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
STUDY_ROOT_MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
STUDY_ROOT_GET = "1.2.840.10008.5.1.4.1.2.2.3"
PATIENT_ROOT_GET = "1.2.840.10008.5.1.4.1.2.1.3"
PENDING = (0xFF00, 0xFF01)
REMAINING, COMPLETED, FAILED, WARNING = 0x1020, 0x1021, 0x1022, 0x1023
FAILED_UIDS = 0x00080058


class Found(Struct, frozen=True):
    """The answer to a C-FIND."""

    rows: list[Dataset]
    statuses: list[int]
    final: int


class Got(Struct, frozen=True):
    """What one sub-operation of C-GET or C-MOVE brought."""

    sop_class: str
    sop: str
    syntax: str
    body: bytes


class Moved(Struct, frozen=True):
    """The answer to a C-GET or C-MOVE: its responses, the last one too, and what C-GET brought."""

    responses: list[Message]
    got: list[Got]
    is_implicit: bool

    @property
    def final(self) -> Message:
        return self.responses[-1]

    @property
    def failed_uids(self) -> list[str]:
        """Of the last response's data set (0008,0058)."""
        if not self.final.data:
            return []
        value = decoded(self.final.data, self.is_implicit).get(FAILED_UIDS)
        values = value.value if value is not None else []
        return [values] if isinstance(values, str) else [str(one) for one in values or []]


def keys_of(level: str, **keywords: str) -> Dataset:
    """An identifier; a value is taken as it stands, wildcards and ranges too."""
    made = Dataset()
    made.add_new(0x00080005, "CS", "ISO_IR 192")
    made.add_new(0x00080052, "CS", level)
    for keyword, value in keywords.items():
        tag = tag_for_keyword(keyword)
        if tag is None:
            raise KeyError(keyword)
        made.add(DataElement(tag, dictionary_VR(tag), value, validation_mode=IGNORE))
    return made


async def find(opened: Association, keys: Dataset, model: str = STUDY_ROOT_FIND, is_cancelled: bool = False) -> Found:
    """Every response of one C-FIND; ``is_cancelled``: C-CANCEL goes out behind it. Raises Unmet at another message."""
    context = opened.context(model)
    is_implicit = opened.is_implicit(context)
    message_id = opened.next_id()
    command: Command = {0x2: model, 0x100: C_FIND, 0x110: message_id, 0x700: 0}
    await opened.send(context, command, encoded(keys, is_implicit))
    if is_cancelled:
        await opened.send(context, {0x100: C_CANCEL, 0x120: message_id})
    rows: list[Dataset] = []
    statuses: list[int] = []
    while True:
        answer = await opened.message()
        same(answer.number(0x100), C_FIND | RESPONSE, "the command field of a response")
        if answer.status not in PENDING:
            return Found(rows, statuses, answer.status)
        statuses.append(answer.status)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            rows.append(decoded(answer.data, is_implicit))


async def found(opened: Association, keys: Dataset, model: str = STUDY_ROOT_FIND) -> list[Dataset]:
    """Rows of a C-FIND that ends in success."""
    answer = await find(opened, keys, model)
    same(f"{answer.final:04X}", "0000", "status of the C-FIND")
    return answer.rows


def taken(sop: str) -> int:
    """Every sub-operation is answered by success."""
    return 0


async def get(
    opened: Association, keys: Dataset, model: str = STUDY_ROOT_GET, answer: Callable[[str], int] = taken
) -> Moved:
    """One C-GET to its end. ``answer``: the status of each C-STORE, by SOP Instance UID."""
    return await _moved(opened, keys, model, {0x100: C_GET}, answer)


async def move(opened: Association, keys: Dataset, destination: str, model: str = STUDY_ROOT_MOVE) -> Moved:
    """One C-MOVE to its end."""
    return await _moved(opened, keys, model, {0x100: C_MOVE, 0x600: destination}, taken)


async def _moved(
    opened: Association, keys: Dataset, model: str, command: Command, answer: Callable[[str], int]
) -> Moved:
    context = opened.context(model)
    whole: Command = {0x2: model, 0x110: opened.next_id(), 0x700: 0, **command}
    await opened.send(context, whole, encoded(keys, opened.is_implicit(context)))
    responses: list[Message] = []
    got: list[Got] = []
    while True:
        message = await opened.message()
        if message.number(0x100) == C_STORE:
            got.append(await _take(opened, message, answer))
            continue
        responses.append(message)
        if message.status not in PENDING:
            return Moved(responses, got, opened.is_implicit(context))


async def _take(opened: Association, message: Message, answer: Callable[[str], int]) -> Got:
    sop_class, sop = message.text(0x2), message.text(0x1000)
    command: Command = {0x2: sop_class, 0x100: C_STORE | RESPONSE, 0x120: message.number(0x110), 0x900: answer(sop)}
    await opened.send(message.context, {**command, 0x1000: sop})
    return Got(sop_class, sop, opened.contexts[message.context][2], message.data)


def texts(rows: Iterable[Dataset], keyword: str) -> set[str]:
    """One attribute of each row."""
    return {str(row.get(keyword, "")) for row in rows}


def number(row: Dataset, keyword: str) -> int:
    """A number of a row; Unmet when it has none."""
    value: Any = row.get(keyword)
    if value in (None, ""):
        raise Unmet(f"{keyword} has no value")
    return int(value)
