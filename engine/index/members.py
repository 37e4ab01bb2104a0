"""Which instances a study holds: exact sets, from which study and series rows are computed anew. Never incremented."""

from collections.abc import Iterable

from engine.index.schema import Rank, Row, series_row, study_row
from engine.keep.state import InstanceState

Kind = tuple[str, str]  # modality, SOP class


class SeriesMembers:
    """The live instances of one series; knows its first one by (stamp, writer, lsn), whatever came first.

    A series has few kinds of instances: each is held once, and a member is a number among them.
    """

    def __init__(self) -> None:
        self.members: dict[str, int] = {}
        self.kinds: dict[Kind, int] = {}
        self.first: tuple[Rank, str, bytes] | None = None

    def put(self, row: Row, rank: Rank) -> None:
        """Add or replace an instance."""
        uid, kind = row.facts.sop_instance_uid, (row.facts.modality, row.facts.sop_class_uid)
        self.members[uid] = self.kinds.setdefault(kind, len(self.kinds))
        if self.first is None or rank <= self.first[0] or self.first[1] == uid:
            # Ranks only sink while nothing is deleted: the first stays first unless a lower one comes.
            self.first = (rank, uid, row.header)

    def live_kinds(self) -> set[Kind]:
        """The kinds that members have now."""
        numbers = set(self.members.values())
        return {kind for kind, number in self.kinds.items() if number in numbers}


class StudyMembers:
    """The live instances of one study, by series."""

    def __init__(self) -> None:
        self.series: dict[str, SeriesMembers] = {}
        self.dirty: set[str] = set()
        self.count = 0  # live instances
        self._settled: set[str] = set()

    def put(self, row: Row, rank: Rank) -> None:
        """Add or replace an instance."""
        series = self.series.setdefault(row.facts.series_uid, SeriesMembers())
        self.count -= len(series.members)
        series.put(row, rank)
        self.count += len(series.members)
        self.dirty.add(row.facts.series_uid)

    def are_settled(self, series_uids: Iterable[str]) -> None:
        """The settled index has, or is getting, rows of these series, and with any of them of the study."""
        self._settled.update(series_uids)

    def is_settled(self, series_uid: str) -> bool:
        """Whether there is a settled row of the series; empty: of the study."""
        return series_uid in self._settled if series_uid else bool(self._settled)

    def rows(self, study_uid: str) -> list[Row]:
        """The rows of series that changed since the last call, and of the study."""
        rows = []
        for uid in sorted(self.dirty):
            series = self.series[uid]
            if series.first is not None:
                rows.append(series_row(study_uid, uid, series.first[2], len(series.members)))
        self.dirty.clear()
        first = min(series.first for series in self.series.values() if series.first is not None)
        kinds = {kind for series in self.series.values() for kind in series.live_kinds()}
        modalities = {modality for modality, _ in kinds} - {""}
        classes = {sop_class for _, sop_class in kinds} - {""}
        rows.append(study_row(study_uid, first[2], modalities, classes, len(self.series), self.count))
        return rows


def rank_of(state: InstanceState) -> Rank:
    """Where an instance's current version stands in time."""
    current = state.current
    return (current.first.stamp, current.first.writer, current.first.lsn) if current else (0, "", 0)
