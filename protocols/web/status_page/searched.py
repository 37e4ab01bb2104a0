"""What the page's address says, as parameters of a search of ``/api/v1/studies``. Pure.

DICOM has no search over several attributes at once: what stands in the one box is asked of each in turn, and the page
says which of them it was found by.
"""

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlencode

import msgspec

PAGE_ROWS_COUNT: Final = 25
TEXT_CHARACTERS_MAX: Final = 256
PAGES_COUNT_MAX: Final = 100_000
Parameters = list[tuple[str, str]]
# Filters of the form: name, label.
FILTERS: Final = (
    ("PatientName", "Patient name"),
    ("PatientID", "Patient ID"),
    ("AccessionNumber", "Accession number"),
    ("StudyDescription", "Description"),
    ("ReferringPhysicianName", "Referring physician"),
)
# What the box asks, in this order: attribute, what the page calls it.
BOX: Final = (
    ("PatientName", "name"),
    ("PatientID", "patient ID"),
    ("AccessionNumber", "accession number"),
    ("StudyDescription", "description"),
)
BOX_UIDS: Final = (("StudyInstanceUID", "study"), ("SeriesInstanceUID", "series"), ("SOPInstanceUID", "instance"))
# Columns that can be ordered by.
SORTS: Final = (
    "PatientName",
    "PatientID",
    "StudyDate",
    "ModalitiesInStudy",
    "StudyDescription",
    "AccessionNumber",
    "NumberOfStudyRelatedInstances",
)
NEWEST_FIRST: Final = "-StudyDate"
_UID: Final = re.compile(r"[0-9]+(?:\.[0-9]+){3,}")
_DATE: Final = re.compile(r"([0-9]{4})-?([0-9]{2})-?([0-9]{2})")


class Searched(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for. ``text``: of the box; ``by``: the attribute that it is looked for in, when one is chosen."""

    text: str = ""
    by: str = ""
    filters: dict[str, str] = {}
    modality: str = ""
    since: str = ""
    until: str = ""
    sort: str = NEWEST_FIRST
    page: int = 1

    @property
    def is_narrowed(self) -> bool:
        """Whether not all studies are asked for."""
        return bool(self.text or self.filters or self.modality or self.since or self.until)

    @property
    def has_filters(self) -> bool:
        """Whether one of those is set that stand behind the box."""
        return bool(self.filters)

    def candidates(self) -> tuple[tuple[str, str], ...]:
        """Attributes that the box may mean: name, what the page calls it. None: it is empty."""
        if not self.text:
            return ()
        return BOX_UIDS if _UID.fullmatch(self.text) else BOX

    def spellings(self, by: str) -> tuple[str, ...]:
        """The box's text, and otherwise written: but for names, DICOM tells large letters from small ones."""
        if by.endswith(("Name", "UID")):
            return (self.text,)
        return tuple(dict.fromkeys((self.text, self.text.upper(), self.text.capitalize(), self.text.title())))

    def parameters(self, by: str, text: str, count: int = PAGE_ROWS_COUNT) -> Parameters:
        """The search; ``by``: where the box's ``text`` is looked for. ``count`` rows of the page."""
        said: Parameters = [(name, _within(name, value)) for name, value in self.filters.items()]
        if by:
            said.append((by, _within(by, text)))
        if self.modality:
            said.append(("ModalitiesInStudy", self.modality))
        if self.since or self.until:
            said.append(("StudyDate", f"{_plain_date(self.since)}-{_plain_date(self.until)}"))
        if by == "PatientName" or "PatientName" in self.filters:
            said.append(("fuzzymatching", "true"))
        first = [("offset", str((self.page - 1) * PAGE_ROWS_COUNT))] if count > 1 and self.page > 1 else []
        return [*said, ("sort", self.sort), ("limit", str(count)), *first]

    def address(self, **other: object) -> str:
        """Of the page with this search, something of it changed: ``?q=doe&page=2``. Page 1 unless it is said."""
        one = msgspec.structs.replace(self, **({"page": 1} | other))
        said = {
            "q": one.text,
            "by": one.by,
            **one.filters,
            "modality": one.modality,
            "from": one.since,
            "to": one.until,
            "sort": "" if one.sort == NEWEST_FIRST else one.sort,
            "page": "" if one.page == 1 else str(one.page),
        }
        return "?" + urlencode({name: value for name, value in said.items() if value})

    def turned(self, column: str) -> str:
        """How to order when a column's head is chosen: the other way round when it is ordered by that already."""
        return column if self.sort == f"-{column}" else f"-{column}" if self.sort == column else column


def searched_of(query: Iterable[tuple[str, str]]) -> Searched:
    """Read the query of the page's address. What makes no sense is passed over: the form shows what counts."""
    said = {name: value.strip()[:TEXT_CHARACTERS_MAX] for name, value in query}
    sort, page, by = said.get("sort", ""), said.get("page", ""), said.get("by", "")
    return Searched(
        text=said.get("q", ""),
        by=by if by in dict(BOX) or by in dict(BOX_UIDS) else "",
        filters={name: said[name] for name, _ in FILTERS if said.get(name)},
        modality=said.get("modality", ""),
        since=_date(said.get("from", "")),
        until=_date(said.get("to", "")),
        sort=sort if sort.removeprefix("-") in SORTS else NEWEST_FIRST,
        page=min(max(int(page), 1), PAGES_COUNT_MAX) if page.isascii() and page.isdigit() and len(page) < 9 else 1,
    )


def _within(name: str, value: str) -> str:
    """Names are matched by how their words begin, UIDs as they are; other text anywhere, unless it says where."""
    if name.endswith(("Name", "UID")) or "*" in value or "?" in value:
        return value
    return f"*{value}*"


def _date(text: str) -> str:
    found = _DATE.fullmatch(text)
    return "-".join(found.groups()) if found else ""


def _plain_date(text: str) -> str:
    return text.replace("-", "")
