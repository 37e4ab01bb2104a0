"""Asks one statement after the other, each within its time, and cleans up behind itself."""

from collections.abc import Callable, Sequence

import httpx
import trio

from bench.statements.statement import Outcome, Statement, Status, Unmet, Untried
from bench.statements.subject import Subject

STORE_SECONDS_MAX = 120
CLEAN_SECONDS_MAX = 60
REACH_SECONDS_MAX = 15
# What a server does to us that no statement foresees: an answer of another form, a closed connection.
UNFORESEEN = (
    httpx.HTTPError,
    httpx.InvalidURL,
    OSError,
    trio.BrokenResourceError,
    trio.ClosedResourceError,
    trio.TooSlowError,
)
OTHER_FORM = (LookupError, TypeError, ValueError, AttributeError)
Hear = Callable[[Outcome], None]


class Unreached(Exception):
    """Nothing can be asked. One readable sentence."""


async def reach(subject: Subject) -> None:
    """Raises Unreached when nobody listens there, PermissionError when our token is not taken."""
    asked = subject.asked
    for place in (asked.dimse, asked.dimse_tls):
        if place is not None:
            await _reach_port(place.host, place.port)
    if subject.has_web:
        try:
            with trio.fail_after(REACH_SECONDS_MAX):
                answer = await subject.web.get("/studies?limit=1")
        except (httpx.HTTPError, httpx.InvalidURL, OSError, trio.TooSlowError) as error:
            raise Unreached(f"{asked.web} does not answer: {error or type(error).__name__}") from None
        if answer.status in (401, 403):
            raise PermissionError(
                f"{asked.web} answers {answer.status}: give a token by FILMROOM_TOKEN or --token-file"
            )


async def _reach_port(host: str, port: int) -> None:
    try:
        with trio.fail_after(REACH_SECONDS_MAX):
            stream = await trio.open_tcp_stream(host, port)
            await stream.aclose()
    except (OSError, trio.TooSlowError) as error:
        raise Unreached(f"{host}:{port} does not answer: {error or 'no connection in time'}") from None


async def examine(subject: Subject, statements: Sequence[Statement], hear: Hear, keep: bool = False) -> list[Outcome]:
    """Every outcome, in the order of the statements; ``hear`` is told each at once. Deletes what it stored unless
    ``keep``; raises nothing that a server can cause."""
    outcomes = []
    try:
        if any("data" in one.needs and not subject.missing(one.needs) for one in statements):
            await _fill(subject)
        for statement in statements:
            outcome = await ask(subject, statement)
            hear(outcome)
            outcomes.append(outcome)
    finally:
        with trio.CancelScope(shield=True):
            if not keep:
                await clean(subject)
            if subject.has_web:
                await subject.web.close()
    return outcomes


async def ask(subject: Subject, statement: Statement) -> Outcome:
    """One statement, to its end or that of its time."""
    begun = trio.current_time()
    reason, status = subject.missing(statement.needs), Status.NOT_TRIED
    if not reason:
        status, reason = Status.FAIL, f"no end within {statement.seconds_max:g} s"
        with trio.move_on_after(statement.seconds_max):
            status, reason = await _verdict(subject, statement)
    passed = round((trio.current_time() - begun) * 1000)
    return Outcome(statement.name, statement.rows, statement.title, status, reason, passed)


async def _verdict(subject: Subject, statement: Statement) -> tuple[Status, str]:
    try:
        await statement.ask(subject)
    except (Unmet, Untried, *UNFORESEEN, *OTHER_FORM, ExceptionGroup) as error:
        return _told(_leaf(error))
    return Status.PASS, ""


def _leaf(error: Exception) -> Exception:
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


def _told(error: Exception) -> tuple[Status, str]:
    match error:
        case Untried():
            return Status.NOT_TRIED, str(error)
        case Unmet():
            return Status.FAIL, str(error)
        case httpx.TimeoutException() | trio.TooSlowError():
            return Status.FAIL, "no answer in time"
        case httpx.HTTPError() | OSError() | trio.BrokenResourceError() | trio.ClosedResourceError():
            return Status.FAIL, f"the connection ended: {error or type(error).__name__}"
    if isinstance(error, (*OTHER_FORM, httpx.InvalidURL)):
        return Status.FAIL, f"an answer of another form: {type(error).__name__}: {error}"
    raise error


async def _fill(subject: Subject) -> None:
    """Store the collection; ``subject.lost`` says why it could not be."""
    reason = f"its objects were not stored within {STORE_SECONDS_MAX} s"
    with trio.move_on_after(STORE_SECONDS_MAX):
        try:
            await subject.fill()
            reason = ""
        except (Unmet, Untried, *UNFORESEEN, *OTHER_FORM, ExceptionGroup) as error:
            reason = f"its objects could not be stored: {_told(_leaf(error))[1]}"
    subject.lost = reason


async def clean(subject: Subject) -> None:
    """Delete every study that this run stored; those that are still there stay in ``subject.studies``."""
    if not subject.has_web:
        return
    with trio.move_on_after(CLEAN_SECONDS_MAX):
        for study in sorted(subject.studies):
            try:
                answer = await subject.web.ask("DELETE", f"/studies/{study}")
            except UNFORESEEN:
                return
            if answer.status in (200, 202, 204, 404):
                subject.studies.discard(study)
