"""Which instances a study holds: exact sets, from which study and series rows are computed anew. Never incremented."""

import msgspec

from engine.index.schema import Rank, Row, series_row, study_row
from engine.keep import state


class Member(msgspec.Struct, frozen=True):
    """What study and series rows need of one instance."""

    rank: Rank
    modality: str
    sop_class_uid: str
    header: bytes = b""


class SeriesMembers:
    """The live instances of one series; knows its first one by (stamp, writer, lsn), whatever came first."""

    def __init__(self) -> None:
        self.members: dict[str, Member] = {}
        self.first: tuple[Rank, str, bytes] | None = None

    def put(self, row: Row) -> None:
        """Add or replace an instance."""
        uid = row.facts.sop_instance_uid
        rank = rank_of(row)
        self.members[uid] = Member(rank, row.facts.modality, row.facts.sop_class_uid)
        if self.first is None or rank <= self.first[0] or self.first[1] == uid:
            # Ranks only sink while nothing is deleted: the first stays first unless a lower one comes.
            self.first = (rank, uid, row.header)


class StudyMembers:
    """The live instances of one study, by series."""

    def __init__(self) -> None:
        self.series: dict[str, SeriesMembers] = {}
        self.dirty: set[str] = set()

    def put(self, row: Row) -> None:
        """Add or replace an instance."""
        self.series.setdefault(row.facts.series_uid, SeriesMembers()).put(row)
        self.dirty.add(row.facts.series_uid)

    def count(self) -> int:
        """Live instances."""
        return sum(len(series.members) for series in self.series.values())

    def rows(self, study_uid: str) -> list[Row]:
        """The rows of series that changed since the last call, and of the study."""
        rows = []
        for uid in sorted(self.dirty):
            series = self.series[uid]
            if series.first is not None:
                rows.append(series_row(study_uid, uid, series.first[2], len(series.members)))
        self.dirty.clear()
        first = min(series.first for series in self.series.values() if series.first is not None)
        everyone = [member for series in self.series.values() for member in series.members.values()]
        modalities = {member.modality for member in everyone} - {""}
        classes = {member.sop_class_uid for member in everyone} - {""}
        rows.append(study_row(study_uid, first[2], modalities, classes, len(self.series), len(everyone)))
        return rows


def rank_of(row: Row) -> Rank:
    """Where the instance's current version stands in time."""
    current = state.decode(row.facts.state).current
    return (current.first.stamp, current.first.writer, current.first.lsn) if current else (0, "", 0)
