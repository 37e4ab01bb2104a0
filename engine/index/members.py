"""Which instances a study holds: exact sets, from which study and series rows are computed anew. Never incremented."""

from collections.abc import Iterable, Iterator

from engine.index.schema import Row, absent_row, series_row, study_row
from engine.keep.state import InstanceState, Rank
from engine.model import Level

Kind = tuple[str, str]  # modality, SOP class


class SeriesMembers:
    """The living instances of one series; knows its first one by (stamp, writer, lsn), whatever came first.

    A series has few kinds of instances: each is held once, and a member is a number among them.
    """

    def __init__(self) -> None:
        self.members: dict[str, int] = {}
        self.kinds: dict[Kind, int] = {}
        self.first: tuple[Rank, str, bytes] | None = None

    def put(self, row: Row, rank: Rank) -> bool:
        """Add, replace or (a gone one) remove an instance; ``rank`` is its ``rank_of``. False: which is first cannot
        be said any more, since the one that was went, or came later than it did."""
        facts, uid = row.facts, row.facts.sop_instance_uid
        was_first = self.first is not None and self.first[1] == uid
        if facts.level != Level.INSTANCE:
            self.members.pop(uid, None)
            return not was_first or not self.members
        kind = (facts.modality, facts.sop_class_uid)
        self.members[uid] = self.kinds.setdefault(kind, len(self.kinds))
        if self.first is None or rank <= self.first[0]:
            self.first = (rank, uid, row.header)
            return True
        return not was_first

    def live_kinds(self) -> set[Kind]:
        """The kinds that members have now."""
        numbers = set(self.members.values())
        return {kind for kind, number in self.kinds.items() if number in numbers}


class StudyMembers:
    """The living instances of one study, by series."""

    def __init__(self, rows: Iterable[Row], settled_series: Iterable[str]) -> None:
        self.series: dict[str, SeriesMembers] = {}
        self.count = 0  # living instances
        self._settled: set[str] = set(settled_series)
        for row in rows:
            if row.facts.level == Level.INSTANCE:
                self.put(row, rank_of(row.state))

    def put(self, row: Row, rank: Rank) -> bool:
        """As ``SeriesMembers.put``."""
        series = self.series.setdefault(row.facts.series_uid, SeriesMembers())
        self.count -= len(series.members)
        is_sure = series.put(row, rank)
        self.count += len(series.members)
        if not series.members:
            del self.series[row.facts.series_uid]
        return is_sure

    def are_settled(self, series_uids: Iterable[str]) -> None:
        """The settled index has, or is getting, rows of these series, and with any of them of the study."""
        self._settled.update(series_uids)

    def is_settled(self, series_uid: str) -> bool:
        """Whether there may be a settled row of the series; empty: of the study."""
        return series_uid in self._settled if series_uid else bool(self._settled)

    def rows(self, study_uid: str, changed: Iterable[str]) -> Iterator[Row]:
        """The rows of series that changed, and of the study."""
        for uid in sorted(changed):
            series = self.series.get(uid)
            if series is None or series.first is None:
                yield absent_row(study_uid, uid)
            else:
                yield series_row(study_uid, uid, series.first[2], len(series.members))
        firsts = [series.first for series in self.series.values() if series.first is not None]
        if not firsts:
            yield absent_row(study_uid)
            return
        kinds = {kind for series in self.series.values() for kind in series.live_kinds()}
        modalities = {modality for modality, _ in kinds} - {""}
        classes = {sop_class for _, sop_class in kinds} - {""}
        yield study_row(study_uid, min(firsts)[2], modalities, classes, len(self.series), self.count)


def rank_of(state: InstanceState) -> Rank:
    """Where a living instance's current version stands in time."""
    current = state.current
    return (current.first.stamp, current.first.writer, current.first.lsn) if current else (0, "", 0)
