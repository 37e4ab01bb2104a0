"""Where fresh rows stand that have a certain UID or PatientID: so that a question for one looks at few rows.

Values are only ever added, so that all snapshots of one memtable share them: a study that is named here may hold the
value no more, or not yet, and each of its rows is tested. What many studies hold is not worth a list of them.
"""

from collections.abc import Iterable
from typing import Final

from engine.index.matching import AllOf, Predicate, Terms, matcher
from engine.index.schema import Row
from engine.model import Level

PATIENT_ID: Final = "00100020"
STUDIES_COUNT_MAX: Final = 64  # of one value: a list of more is looked through as long as the rows themselves
# What is asked by exact value, of rows of each slot; a study UID is the name of a group itself.
_FIELDS: Final[dict[str, tuple[str, ...]]] = {
    Level.STUDY: (PATIENT_ID,),
    Level.SERIES: ("series", PATIENT_ID),
    Level.INSTANCE: ("sop", "series", PATIENT_ID),
}


class Wanted:
    """A predicate in parts: what must be exact values of some fields, and what is left to be tested."""

    def __init__(self, predicate: Predicate) -> None:
        """``series``: UIDs among which a row's must be; None: any. ``test`` None: nothing is left to be tested."""
        self.named: dict[str, tuple[str, ...]] = {}
        left: list[Predicate] = []
        self._take(predicate, left)
        series = self.named.get("series")
        self.series = None if series is None else frozenset(series)
        self.test = matcher(AllOf(tuple(left))) if left else None

    def _take(self, predicate: Predicate, left: list[Predicate]) -> None:
        if isinstance(predicate, AllOf):
            for part in predicate.parts:
                self._take(part, left)
            return
        if isinstance(predicate, Terms) and predicate.field not in self.named:
            self.named[predicate.field] = predicate.values
            if predicate.field in ("study", "series"):
                return
        left.append(predicate)


class Holders:
    """The studies whose rows have a value. Written by one thread; read by any."""

    def __init__(self) -> None:
        self._studies: dict[tuple[str, str], dict[str, tuple[str, ...]]] = {
            (slot, field): {} for slot, fields in _FIELDS.items() for field in fields
        }

    def note(self, slot: str, row: Row) -> None:
        """The row is there."""
        study_uid = row.facts.study_uid
        for field in _FIELDS.get(slot, ()):
            known = self._studies[slot, field]
            for value in row.values(field):
                held = known.get(value, ())
                if study_uid not in held and len(held) <= STUDIES_COUNT_MAX:
                    known[value] = (*held, study_uid)

    def studies(self, slot: str, wanted: Wanted) -> Iterable[str] | None:
        """The studies in which rows can be; None: in any."""
        found = [one for field, values in wanted.named.items() if (one := self._of(slot, field, values)) is not None]
        if not found:
            return None
        fewest = min(found, key=len)
        return [uid for uid in fewest if all(uid in one for one in found)]

    def _of(self, slot: str, field: str, values: tuple[str, ...]) -> dict[str, None] | None:
        if field == "study":
            return dict.fromkeys(values)
        known = self._studies.get((slot, field))
        if known is None:
            return None
        uids: dict[str, None] = {}
        for value in values:
            held = known.get(value, ())
            if len(held) > STUDIES_COUNT_MAX:
                return None
            uids.update(dict.fromkeys(held))
        return uids
