"""What a statement of conformance is: one function that asks a server, and three ways for it to end."""

import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from enum import StrEnum
from typing import Any, TypeVar

from msgspec import Struct

Found = TypeVar("Found")
SECONDS_MAX = 30.0


class Need(StrEnum):
    """What a statement cannot be asked without."""

    WEB = "web"
    DIMSE = "dimse"
    WRITE = "write"
    DATA = "data"  # the objects that a run stores before the first question
    MOVE = "move"  # a destination of ours that the server knows
    ORIGIN = "origin"  # a web page's origin that the server allows
    TOKEN = "token"
    TLS = "tls"
    LARGE = "large"


WEB, DIMSE, WRITE, DATA = Need.WEB, Need.DIMSE, Need.WRITE, Need.DATA
MOVE, ORIGIN, TOKEN, TLS, LARGE = Need.MOVE, Need.ORIGIN, Need.TOKEN, Need.TLS, Need.LARGE


class Unmet(Exception):
    """The server's answer is another than the statement says. One readable sentence."""


class Untried(Exception):
    """It cannot be asked here; why, and what would let it be asked."""


Ask = Callable[[Any], Awaitable[None]]  # of the subject


class Statement(Struct, frozen=True):
    """``name`` is unique; ``rows`` are those of docs/conformance.md. ``ask`` returns when the statement holds, and
    raises Unmet or Untried."""

    name: str
    rows: tuple[str, ...]
    title: str
    needs: frozenset[Need]
    seconds_max: float
    ask: Ask


class Status(StrEnum):
    """How a statement, or a row of several, came out."""

    PASS = "pass"
    FAIL = "fail"
    NOT_TRIED = "not tried"


class Outcome(Struct, frozen=True):
    """Of one statement. ``reason`` is empty when it passed."""

    statement: str
    rows: tuple[str, ...]
    title: str
    status: Status
    reason: str = ""
    milliseconds: int = 0


class Family:
    """The statements of one file, in its order."""

    def __init__(self) -> None:
        self.statements: list[Statement] = []

    def states(self, *rows: str, needs: Iterable[Need], seconds_max: float = SECONDS_MAX) -> Callable[[Ask], Ask]:
        """The decorated function is a statement of these rows; its docstring is the title."""

        def keep(ask: Ask) -> Ask:
            title = " ".join((ask.__doc__ or "").split()).rstrip(".")
            name = getattr(ask, "__name__", "")
            self.statements.append(Statement(name, rows, title, frozenset(needs), seconds_max, ask))
            return ask

        return keep


def row_of(text: str) -> str:
    """``o7`` and ``O07`` are one row. Raises ValueError for what is none."""
    letter, number = text.strip()[:1].upper(), text.strip()[1:]
    if letter not in "COB" or not letter or not number.isdigit() or not 0 < int(number) < 100:
        raise ValueError(f"{text!r} is no row of docs/conformance.md: C01 to C50, O01 to O16, B01 to B08")
    return f"{letter}{int(number):02}"


def of_rows(outcomes: Iterable[Outcome]) -> dict[str, Status]:
    """Each row's outcome: it fails with any of its statements, and passes when one passed and none failed."""
    found: dict[str, Status] = {}
    for one in outcomes:
        for row in one.rows:
            found[row] = min(found.get(row, Status.NOT_TRIED), one.status, key=_WORST.index)
    return dict(sorted(found.items(), key=lambda item: ("COB".index(item[0][0]), item[0])))


_WORST = (Status.FAIL, Status.PASS, Status.NOT_TRIED)


def holds(condition: object, reason: str) -> None:
    """Raises Unmet with the reason unless the condition holds."""
    if not condition:
        raise Unmet(reason)


def same(found: object, expected: object, what: str) -> None:
    """Raises Unmet unless both are equal."""
    if found != expected:
        raise Unmet(f"{what}: {shown(found)} where {shown(expected)} is expected")


def only(found: Sequence[Found], what: str = "answers") -> Found:
    """The one that is there. Raises Unmet when there is none, or more."""
    if len(found) != 1:
        raise Unmet(f"{len(found)} {what} where one is expected")
    return found[0]


def shown(value: object) -> str:
    """A value in a sentence, cut when it is long."""
    if isinstance(value, set):
        value = sorted(value, key=str)
    text = f"{len(value)} bytes {value[:16].hex(' ')}" if isinstance(value, bytes) else shortened(f"{value!r}")
    return text if len(text) <= 160 else f"{text[:150]}..."


def shortened(text: str) -> str:
    """Without the roots of UIDs of this run."""
    return re.sub(r"\b(?:\d+\.){9,10}\d+(?=\.\d)", "", text)
