"""Each statement about DIMSE fails when a server breaks what it says, and no other does (B08 and C01 to C19)."""

import re
from typing import Any

import msgspec
import pytest
import trio

from bench.lean import Command
from bench.statements import registry, run
from bench.statements.asking import COMPLETED
from bench.statements.association import C_ECHO, C_FIND, C_GET, C_MOVE, C_STORE, N_ACTION, RESPONSE
from bench.statements.statement import DIMSE, Need
from bench.statements.subject import Asked, Subject
from tests.bench.statements.breaking import failing
from tests.bench.statements.pdus import relayed

ACCEPT, REJECT, ABORT = 2, 3, 7
# Half of the time of all: left out where a fault cannot touch them.
DEAR = {"every_class_and_syntax", "a_report_of_what_is_missing", "sixteen_moves_at_once"}
STATEMENTS = [one for one in registry.STATEMENTS if DIMSE in one.needs and Need.MOVE not in one.needs]


def is_answer(command: Command, field: int) -> bool:
    return command.get(0x100) == field | RESPONSE


def status(field: int, found: int, instead: int) -> Any:
    """Answers to this command with a status have another."""

    def change(command: Command, data: bytes) -> tuple[Command, bytes]:
        if is_answer(command, field) and command.get(0x900) == found:
            return {**command, 0x900: instead}, data
        return command, data

    return change


def answered_twice() -> Any:
    """Each C-FIND answer without its retrieve AE title."""

    def change(command: Command, data: bytes) -> tuple[Command, bytes]:
        return command, data.replace(b"\x08\x00\x54\x00", b"\x08\x00\x53\x00") if is_answer(command, C_FIND) else data

    return change


def miscounted(command: Command, data: bytes) -> tuple[Command, bytes]:
    if is_answer(command, C_GET) and command.get(0x900) != 0xFF00:
        return {**command, COMPLETED: 0}, data
    return command, data


def other_reason(kind: int, body: bytes) -> tuple[int, bytes]:
    return kind, bytes([0, 1, 1, 1]) if kind == REJECT else body


def aborted(kind: int, body: bytes) -> tuple[int, bytes]:
    """Who is rejected is aborted instead."""
    return (ABORT, bytes(4)) if kind == REJECT else (kind, body)


def other_result(kind: int, body: bytes) -> tuple[int, bytes]:
    """An unknown abstract syntax is refused without that reason."""
    if kind != ACCEPT:
        return kind, body
    return kind, re.sub(rb"(?s)(\x21\0..\x03\0)\x03", b"\\g<1>\x02", body)


def other_letters(command: Command, data: bytes) -> tuple[Command, bytes]:
    """Names are answered in another character set than they are in."""
    return command, data.replace(b"ISO_IR 192", b"ISO_IR 100") if is_answer(command, C_FIND) else data


def other_numbers(command: Command, data: bytes) -> tuple[Command, bytes]:
    """Numbers of related instances are not counted."""
    return command, data.replace(b"\x20\x00\x08\x12", b"\x20\x00\x09\x92") if is_answer(command, C_FIND) else data


def altered(command: Command, data: bytes) -> tuple[Command, bytes]:
    """Pixels that are sent are others."""
    return command, data.replace(b"\x10\x11\x12\x13", b"\x10\x11\x12\x14") if command.get(0x100) == C_STORE else data


COMMANDS: dict[str, tuple[Any, set[str]]] = {
    "C-ECHO fails": (status(C_ECHO, 0, 0x0110), {"C01", "C02", "C03", "C18"}),
    "a mismatch is success": (status(C_STORE, 0xA900, 0), {"C06"}),
    "an unknown destination is C000": (status(C_MOVE, 0xA801, 0xC000), {"C15"}),
    "a search that ends in B000": (
        status(C_FIND, 0, 0xB000),
        {"C05", "C07", "C08", "C09", "C10", "C11", "C12", "C13", "C14", "C18", "B08", "C03"},
    ),
    "nothing asked is success": (status(N_ACTION, 0x0115, 0), {"C19"}),
    "no retrieve AE title": (answered_twice(), {"C11"}),
    "wrong counters": (miscounted, {"C16", "C17"}),
    "another character set": (other_letters, {"C11"}),
    "no computed keys": (other_numbers, {"C13"}),
    "altered pixels": (altered, {"C16"}),
}
PDUS: dict[str, tuple[Any, set[str]]] = {
    "rejected for another reason": (other_reason, {"C03"}),
    "another result for an unknown class": (other_result, {"C02"}),
    "aborted where it should be rejected": (aborted, {"C03"}),
}


@pytest.fixture(scope="module")
def dimse_alone(asked: Asked) -> Asked:
    return msgspec.structs.replace(asked, web="", move_to="", token="")


def examined(asked: Asked, **changes: Any) -> set[str]:
    """Rows that fail behind a relay."""

    async def work() -> set[str]:
        assert asked.dimse is not None
        async with relayed(asked.dimse, **changes) as target:
            subject = Subject(msgspec.structs.replace(asked, dimse=target))
            chosen = [one for one in STATEMENTS if one.name not in DEAR]
            return failing(await run.examine(subject, chosen, lambda outcome: None))

    return trio.run(work)


def test_the_relay_breaks_nothing_by_itself(dimse_alone: Asked) -> None:
    assert examined(dimse_alone) == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_a_broken_message_fails_its_rows_alone(dimse_alone: Asked, name: str) -> None:
    change, rows = COMMANDS[name]
    assert examined(dimse_alone, command=change) == rows


@pytest.mark.parametrize("name", PDUS)
def test_a_broken_answer_to_an_association_fails_its_rows_alone(dimse_alone: Asked, name: str) -> None:
    change, rows = PDUS[name]
    assert examined(dimse_alone, whole=change) == rows
