"""Answer a query over one view (PS3.4 C.4.1, C.6): match, order, page.

Order, when the query names none: patients by PatientID; studies newest first; series by number; instances by number;
equal ones by UID. A page token names the view and the next offset: pages of one view are stable, and a token whose view
is gone is refused, never answered from another.
"""

import threading
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import OrderedDict
from typing import Final

from engine.errors import Invalid
from engine.index import View
from engine.index.attributes import element, first_text, fold_name, level_header, merged
from engine.index.schema import Row
from engine.model import Found, Level, Match, Query

KEPT_VIEWS_COUNT_MAX: Final = 16  # views that page tokens may still name; the oldest goes first
_ORDERED_ALREADY: Final = {
    Level.STUDY: ("-00080020", "-00080030"),
    Level.SERIES: ("00200011",),
    Level.INSTANCE: ("00200013",),
}
_WHOLE_NUMBERS: Final = frozenset(("00200011", "00200012", "00200013", "00201206", "00201208", "00201209"))

_kept: OrderedDict[tuple[int, int], View] = OrderedDict()
_kept_lock = threading.Lock()


def find(view: View, query: Query) -> Found:
    """One page of matches with the exact total. Raises Invalid for what cannot be asked, expired pages among it."""
    if query.offset < 0 or (query.limit is not None and query.limit < 0):
        raise Invalid("limit and offset are not below zero")
    offset = query.offset
    if query.page:
        view, offset = _resumed(query.page)
    rows, total = _gathered(view, query, offset)
    end = None if query.limit is None else offset + query.limit
    chosen = rows[offset:end]
    reached = offset + len(chosen)
    token = _token(view, reached) if chosen and reached < total else ""
    return Found(matches=tuple(_matches(view, query, chosen)), total=total, next_page=token)


def _gathered(view: View, query: Query, offset: int) -> tuple[list[Row], int]:
    level = query.level
    if level == Level.PATIENT:
        rows = _patients(view.rows_of(query, Level.STUDY))
        return _ordered(rows, query), len(rows)
    newest_first = not query.sort or query.sort in (("-00080020",), ("-00080020", "-00080030"))
    if level == Level.STUDY and query.limit is not None and newest_first:
        rows, total = view.newest(level, view.predicate(query, level), max(1, offset + query.limit))
        return _ordered(rows, query), total
    rows = view.rows_of(query, level)
    return _ordered(rows, query), len(rows)


def _ordered(rows: list[Row], query: Query) -> list[Row]:
    rows.sort(key=lambda row: (row.facts.study_uid, row.facts.series_uid, row.facts.sop_instance_uid))
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
    text = first_text(row.header, int(path, 16))
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
    return (first_text(row.header, 0x00100020), first_text(row.header, 0x00100021))


def _matches(view: View, query: Query, rows: list[Row]) -> list[Match]:
    studies: dict[str, bytes] = {}
    found = []
    for row in rows:
        facts = row.facts
        header = row.header
        if query.level == Level.PATIENT:
            found.append(Match(level=query.level, header=level_header(header, Level.PATIENT)))
            continue
        if query.level == Level.SERIES or (query.level == Level.INSTANCE and _asks_computed(query)):
            if facts.study_uid not in studies:
                studies[facts.study_uid] = _computed(view, facts.study_uid)
            header = merged(studies[facts.study_uid], header)
        found.append(
            Match(
                level=query.level,
                study_uid=facts.study_uid,
                series_uid=facts.series_uid,
                sop_instance_uid=facts.sop_instance_uid,
                header=header,
                instance=row.instance(),
            )
        )
    return found


def _asks_computed(query: Query) -> bool:
    return any(key.path in ("00080061", "00080062", "00201206", "00201208") for key in query.keys)


def _computed(view: View, study_uid: str) -> bytes:
    study = view.row(Level.STUDY, study_uid)
    if study is None:
        return b""
    names = ((0x00080061, "CS"), (0x00080062, "UI"), (0x00201206, "IS"), (0x00201208, "IS"))
    return b"".join(element(tag, vr, first_text(study.header, tag)) for tag, vr in names)


def _token(view: View, offset: int) -> str:
    with _kept_lock:
        _kept[id(view), view.number] = view
        _kept.move_to_end((id(view), view.number))
        while len(_kept) > KEPT_VIEWS_COUNT_MAX:
            _kept.popitem(last=False)
    return urlsafe_b64encode(f"{id(view):x}.{view.number}.{offset}".encode()).decode()


def _resumed(token: str) -> tuple[View, int]:
    try:
        identity, number, offset = urlsafe_b64decode(token.encode()).decode().split(".")
        place = (int(identity, 16), int(number))
        start = int(offset)
    except ValueError as error:
        raise Invalid("this is no page token") from error
    with _kept_lock:
        view = _kept.get(place)
    if view is None or start < 0:
        raise Invalid("page expired: ask again from the beginning")
    return view, start
