"""Answer a query over one view (PS3.4 C.4.1, C.6): match, order, page.

Order, when the query names none: patients by PatientID; studies newest first; series by number; instances by number;
equal ones by UID. A page token names the answer and the next offset (``engine.index.pages``): pages of one answer come
from one view whatever arrives meanwhile, and a token whose answer is gone is refused, never answered from another view.
"""

from operator import attrgetter
from typing import Final

from engine.errors import Invalid
from engine.index import Answer, View
from engine.index.computed import Computed
from engine.index.names import fold_name
from engine.index.schema import Row
from engine.index.texts import text_of
from engine.model import Found, Level, Match, Query

ANSWER_ROWS_COUNT_MAX: Final = 200_000  # rows that are put in order for one answer: some 160 MB for its first page
_ORDERED_ALREADY: Final = {
    Level.STUDY: ("-00080020", "-00080030"),
    Level.SERIES: ("00200011",),
    Level.INSTANCE: ("00200013",),
}
_WHOLE_NUMBERS: Final = frozenset(
    ("00200011", "00200012", "00200013", "00201200", "00201202", "00201204", "00201206", "00201208", "00201209")
)


def find(view: View, query: Query) -> Found:
    """One page of matches with the exact total. Raises Invalid for what cannot be asked, expired pages among it."""
    if query.offset < 0 or (query.limit is not None and query.limit < 0):
        raise Invalid("limit and offset are not below zero")
    if query.page:
        return _next_page(view, query)
    rows, total = _gathered(view, query)
    chosen = rows[query.offset :][: query.limit]
    token = ""
    reached = query.offset + len(chosen)
    if chosen and reached < total:
        answer = Answer(view, query, rows if len(rows) == total else None)
        token = view.pages.token(view.pages.keep(answer), reached)
    return Found(matches=_matches(view, query, chosen), total=total, next_page=token)


def _next_page(view: View, query: Query) -> Found:
    name, answer, offset = view.pages.resume(query.page, query)
    rows = answer.rows
    if rows is None:
        rows, _ = _gathered(answer.view, answer.question)
        answer.rows = rows
    view.pages.touch(name, answer)
    chosen = rows[offset:][: query.limit]
    reached = offset + len(chosen)
    token = view.pages.token(name, reached) if chosen and reached < len(rows) else ""
    return Found(matches=_matches(answer.view, query, list(chosen)), total=len(rows), next_page=token)


def _gathered(view: View, query: Query) -> tuple[list[Row], int]:
    """Rows in order, from the first to at least the last of the page; and how many there are in all."""
    level = query.level
    if level == Level.PATIENT:
        rows = _patients(view.rows_of(query, Level.STUDY, ANSWER_ROWS_COUNT_MAX))
        return _ordered(rows, query), len(rows)
    newest_first = not query.sort or query.sort in (("-00080020",), ("-00080020", "-00080030"))
    if level == Level.STUDY and query.limit is not None and newest_first:
        rows, total = view.newest(level, view.predicate(query, level), max(1, query.offset + query.limit))
        return _ordered(rows, query), total
    rows = view.rows_of(query, level, ANSWER_ROWS_COUNT_MAX)
    return _ordered(rows, query), len(rows)


def _ordered(rows: list[Row], query: Query) -> list[Row]:
    rows.sort(key=attrgetter("key"))
    if query.level == Level.PATIENT:
        rows.sort(key=_patient_of)
    elif not query.sort or query.sort == _ORDERED_ALREADY[query.level]:
        rows.sort(key=lambda row: row.facts.order, reverse=query.level == Level.STUDY)
        return rows
    for name in reversed(query.sort):
        path = name.removeprefix("-")
        if len(path) != 8 or any(c not in "0123456789ABCDEF" for c in path):
            raise Invalid("only top-level standard attributes can be sorted by")
        rows.sort(key=lambda row, path=path: _sortable(row, path), reverse=name.startswith("-"))  # type: ignore[misc]
    return rows


def _sortable(row: Row, path: str) -> tuple[int, str]:
    text = text_of(row.header, int(path, 16))
    if path in _WHOLE_NUMBERS:
        digits = text.strip()
        return (int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 16 else 0, "")
    return (0, fold_name(text))


def _patients(studies: list[Row]) -> list[Row]:
    """One row a patient: issuer and PatientID together name one; the newest study speaks for them."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in studies:
        groups.setdefault(_patient_of(row), []).append(row)
    return [max(group, key=lambda row: (row.facts.order, row.facts.study_uid)) for group in groups.values()]


def _patient_of(row: Row) -> tuple[str, str]:
    header = row.header
    return (text_of(header, 0x00100020), text_of(header, 0x00100021))


def _matches(view: View, query: Query, rows: list[Row]) -> tuple[Match, ...]:
    computed, level = Computed(view, query), query.level
    if level == Level.PATIENT:
        return tuple(Match(level=level, header=computed.header(row)) for row in rows)
    return tuple(
        Match(
            level=level,
            study_uid=row.facts.study_uid,
            series_uid=row.facts.series_uid,
            sop_instance_uid=row.facts.sop_instance_uid,
            header=computed.header(row),
            kept=row if level == Level.INSTANCE else None,
            sums=row.facts.sums,
        )
        for row in rows
    )
