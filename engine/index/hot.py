"""The studies that are being added to: their exact members, kept at hand while they change. Bounded."""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Final

from engine.index.members import StudyMembers, rank_of
from engine.index.memtable import Memtable
from engine.index.schema import Rank, Row
from engine.keep.state import decode

HOT_MEMBERS_COUNT_MAX: Final = 100_000  # instances whose places in studies are kept at hand (about 200 bytes each)
STUDY_WEIGHT: Final = 8  # a study takes about as much as so many members

Gather = Callable[[], tuple[list[Row], list[Row]]]


class HotStudies:
    """Guarded by its owner's lock."""

    def __init__(self) -> None:
        self._studies: OrderedDict[str, StudyMembers] = OrderedDict()
        self._dirty: set[str] = set()
        self._held_count = 0

    def put(self, row: Row, rank: Rank, gather: Gather) -> None:
        """Add or replace an instance; ``gather`` gives its study's settled and fresh instances when these are not at
        hand."""
        study_uid = row.facts.study_uid
        members = self._members(study_uid, gather)
        before = members.count
        members.put(row, rank)
        self._held_count += members.count - before
        self._dirty.add(study_uid)

    def _members(self, study_uid: str, gather: Gather) -> StudyMembers:
        members = self._studies.get(study_uid)
        if members is None:
            members = StudyMembers()
            settled, fresh = gather()
            for row in settled:
                members.put(row, rank_of(decode(row.facts.state)))
            members.are_settled(row.facts.series_uid for row in settled)
            for row in fresh:
                members.put(row, rank_of(decode(row.facts.state)))
            members.dirty.clear()
            self._studies[study_uid] = members
            self._held_count += STUDY_WEIGHT + members.count
        self._studies.move_to_end(study_uid)
        return members

    def are_settling(self, flushing: Memtable) -> None:
        """What is in the memtable will be settled: its studies' rows then hide older ones below them."""
        for study_uid, series_uid in flushing.series():
            if members := self._studies.get(study_uid):
                members.are_settled((series_uid,))

    def changed_rows(self) -> Iterator[tuple[Row, bool]]:
        """New rows of studies and series that changed, each with whether there may be an older one that is settled."""
        for study_uid in sorted(self._dirty):
            members = self._studies[study_uid]
            for row in members.rows(study_uid):
                yield row, members.is_settled(row.facts.series_uid)
        self._dirty.clear()
        self._shrink()

    def _shrink(self) -> None:
        while self._held_count > HOT_MEMBERS_COUNT_MAX and self._studies:
            self._held_count -= STUDY_WEIGHT + self._studies.popitem(last=False)[1].count
