"""What came out, for people, for scripts, and as a table of several servers."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence

from msgspec import Struct

from bench.statements.registry import STATEMENTS, UNTESTABLE
from bench.statements.statement import Outcome, Status, of_rows

MARKS = {Status.PASS: "pass", Status.FAIL: "FAIL", Status.NOT_TRIED: "-"}


class Summary(Struct, frozen=True):
    """Rows, not statements."""

    passed: int
    failed: int
    not_tried: int


class Report(Struct, frozen=True):
    """One run. ``left``: studies of ours that are there still. ``rows``: what each came to."""

    against: str
    dimse: str
    summary: Summary
    rows: dict[str, Status]
    statements: list[Outcome]
    cannot_be_asked: Mapping[str, str]
    left: list[str]
    seconds: float


def report(against: str, dimse: str, outcomes: Sequence[Outcome], left: Collection[str], seconds: float) -> Report:
    """Of everything that was asked."""
    rows = of_rows(outcomes)
    counts = Counter(rows.values())
    summary = Summary(counts[Status.PASS], counts[Status.FAIL], counts[Status.NOT_TRIED])
    return Report(against, dimse, summary, rows, [*outcomes], UNTESTABLE, sorted(left), round(seconds, 1))


def line(outcome: Outcome) -> str:
    """One statement; a reason on a line of its own."""
    head = f"{outcome.status:9}  {', '.join(outcome.rows):13}  {outcome.title}"
    return f"{head}\n{' ' * 26}{outcome.reason}" if outcome.reason else head


def last_line(found: Report) -> str:
    """How many rows came out how."""
    one = found.summary
    return f"rows: {one.passed} pass, {one.failed} fail, {one.not_tried} not tried, in {found.seconds:g} s"


def listed() -> Iterator[tuple[str, str, str]]:
    """Rows, needs and title of every statement; then those that cannot be asked."""
    for one in STATEMENTS:
        yield ", ".join(one.rows), ", ".join(sorted(one.needs)), one.title
    for row, reason in UNTESTABLE.items():
        yield row, "cannot be asked from outside", reason
