"""Attributes that are counted, not stored (PS3.4 C.3.4): which answer asks for them, and what they are."""

from typing import Final

from engine.index.attributes import element, level_header
from engine.index.matching import Terms
from engine.index.schema import Row
from engine.index.texts import text_of, texts_at
from engine.index.view import View
from engine.model import Level, Query
from native import dataset, parts
from native.layout import RowLayout

_OF_STUDY: Final = (0x00080061, 0x00080062, 0x00201206, 0x00201208)
_OF_SERIES: Final = (0x00201209,)
_WHOLE: Final = RowLayout(None, b"")
_OF_PATIENT: Final = (0x00201200, 0x00201202, 0x00201204)  # related studies, series, instances


class Computed:
    """Adds to the rows of one answer what its question names of the levels above; looks each study up once.

    Rows of a level hold their own counts always; a series answers those of its study, too.
    """

    def __init__(self, view: View, query: Query) -> None:
        self._view = view
        self._level = query.level
        asked = {int(key.path, 16) for key in query.keys if len(key.path) == 8}
        self._asks_patient = bool(asked.intersection(_OF_PATIENT))
        self._asks_study = query.level == Level.SERIES or bool(asked.intersection(_OF_STUDY))
        self._asks_series = bool(asked.intersection(_OF_SERIES))
        self._above: dict[tuple[str, str], bytes] = {}

    def header(self, row: Row) -> bytes:
        """The header to answer for a row."""
        if self._level == Level.PATIENT:
            own = level_header(row.header, Level.PATIENT)
            return dataset.merge((own, self._of_patient(row))) if self._asks_patient else own
        above = self._above_of(row)
        return _WHOLE.row(row.header, above) if above else row.header

    def _above_of(self, row: Row) -> bytes:
        facts, below_study = row.facts, self._level in (Level.SERIES, Level.INSTANCE)
        wants_series = self._asks_series and self._level == Level.INSTANCE
        if not (self._asks_patient or (self._asks_study and below_study) or wants_series):
            return b""
        place = (facts.study_uid, facts.series_uid if wants_series else "")
        known = self._above.get(place)
        if known is None:
            found = []
            study = self._view.row(Level.STUDY, facts.study_uid) if below_study else row
            if below_study and self._asks_study and study:
                found.append(parts.cut(study.header, _OF_STUDY)[0])
            series = self._view.row(Level.SERIES, facts.study_uid, facts.series_uid) if wants_series else None
            if series:
                found.append(parts.cut(series.header, _OF_SERIES)[0])
            if self._asks_patient and study:
                found.append(self._of_patient(study))
            known = self._above[place] = dataset.merge(found)
        return known

    def _of_patient(self, study: Row) -> bytes:
        """Counted over all studies of the patient, whether they match or not. Without a PatientID: over this one."""
        patient = _issued_id(study)
        studies = [study]
        if patient[0]:
            named = Terms("00100020", texts_at(study.header, "00100020"))
            studies = [row for row in self._view.select(Level.STUDY, named) if _issued_id(row) == patient]
        counts = (len(studies), _sum(studies, 0x00201206), _sum(studies, 0x00201208))
        return b"".join(element(tag, "IS", str(count)) for tag, count in zip(_OF_PATIENT, counts, strict=True))


def _issued_id(row: Row) -> tuple[str, str]:
    header = row.header
    return text_of(header, 0x00100020), text_of(header, 0x00100021)


def _sum(studies: list[Row], tag: int) -> int:
    return sum(int(text_of(row.header, tag) or 0) for row in studies)
