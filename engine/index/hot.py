"""The studies that are being changed: their exact members, kept at hand while they change. Bounded."""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Final

from engine.index.members import StudyMembers
from engine.index.memtable import Memtable
from engine.index.schema import Row
from engine.keep.state import Rank

HOT_MEMBERS_COUNT_MAX: Final = 100_000  # instances whose places in studies are kept at hand (about 200 bytes each)
STUDY_WEIGHT: Final = 8  # a study takes about as much as so many members


class HotStudies:
    """Guarded by its owner's lock."""

    def __init__(self, gather: Callable[[str], StudyMembers]) -> None:
        """``gather`` makes the members of a study from all its rows."""
        self._gather = gather
        self._studies: OrderedDict[str, StudyMembers] = OrderedDict()
        self._changed: dict[str, set[str]] = {}
        self._held_count = 0

    def note(self, row: Row, rank: Rank) -> None:
        """An instance of this rank (``rank_of``) was added, replaced or went; its row is among those that ``gather``
        sees.

        A study that is not at hand is gathered when its rows are asked for, not before: when its instances go one by
        one, the first of them each time, it would be gathered for each.
        """
        study_uid = row.facts.study_uid
        self._changed.setdefault(study_uid, set()).add(row.facts.series_uid)
        members = self._studies.get(study_uid)
        if members is None:
            return
        before = members.count
        is_sure = members.put(row, rank)
        self._held_count += members.count - before
        if not is_sure:
            self._drop(study_uid)

    def are_settling(self, flushing: Memtable) -> None:
        """What is in the memtable will be settled: its studies' rows then hide older ones below them."""
        for study_uid, series_uid in flushing.series():
            if members := self._studies.get(study_uid):
                members.are_settled((series_uid,))

    def changed_rows(self) -> Iterator[tuple[Row, bool]]:
        """New rows of studies and series that changed, each with whether there may be an older one that is settled."""
        for study_uid in sorted(self._changed):
            members = self._members(study_uid)
            for row in members.rows(study_uid, self._changed[study_uid]):
                yield row, members.is_settled(row.facts.series_uid)
        self._changed.clear()
        while self._held_count > HOT_MEMBERS_COUNT_MAX and self._studies:
            self._drop(next(iter(self._studies)))

    def _members(self, study_uid: str) -> StudyMembers:
        members = self._studies.get(study_uid)
        if members is None:
            members = self._studies[study_uid] = self._gather(study_uid)
            self._held_count += STUDY_WEIGHT + members.count
        self._studies.move_to_end(study_uid)
        return members

    def _drop(self, study_uid: str) -> None:
        self._held_count -= STUDY_WEIGHT + self._studies.pop(study_uid).count
