"""Which instances a study holds: exact sets, from which study and series rows are computed anew. Never incremented."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from engine.index.schema import Row, absent_row, series_row, study_row
from engine.keep.state import InstanceState, Rank
from engine.model import Level, Sums

Kind = tuple[str, str, bool, bool]  # modality, SOP class, has several versions, lives elsewhere too
KIND_BITS = 20  # of a member's number; the rest of it is its size
KIND_MASK = (1 << KIND_BITS) - 1


class SeriesMembers:
    """The living instances of one series; knows its first one by (stamp, writer, lsn), whatever came first.

    A series has few kinds of instances: each is held once, and a member is one whole number: its kind and its size.
    """

    def __init__(self) -> None:
        self.members: dict[str, int] = {}
        self.kinds: dict[Kind, int] = {}
        self.first: tuple[Rank, str, bytes] | None = None
        self.size_bytes = 0

    def put(self, row: Row, rank: Rank) -> bool:
        """Add, replace or (a gone one) remove an instance; ``rank`` is its ``rank_of``. False: which is first cannot
        be said any more, since the one that was went, or came later than it did."""
        facts, uid = row.facts, row.facts.sop_instance_uid
        was_first = self.first is not None and self.first[1] == uid
        self.size_bytes -= self.members.get(uid, 0) >> KIND_BITS
        if facts.level != Level.INSTANCE:
            self.members.pop(uid, None)
            return not was_first or not self.members
        sums = facts.sums
        kind = (facts.modality, facts.sop_class_uid, sums.several_count > 0, sums.elsewhere_count > 0)
        self.members[uid] = sums.size_bytes << KIND_BITS | self.kinds.setdefault(kind, len(self.kinds))
        self.size_bytes += sums.size_bytes
        if self.first is None or rank <= self.first[0]:
            self.first = (rank, uid, row.header)
            return True
        return not was_first

    def live_kinds(self) -> dict[Kind, int]:
        """The kinds that members have now, and how many have each."""
        if len(self.kinds) == 1 and self.members:
            return dict.fromkeys(self.kinds, len(self.members))
        counts = Counter(number & KIND_MASK for number in self.members.values())
        return {kind: counts[number] for kind, number in self.kinds.items() if number in counts}

    def sums(self, kinds: Mapping[Kind, int], changed_us: int) -> Sums:
        """Of the whole series; ``kinds`` are its live ones."""
        several = sum(count for kind, count in kinds.items() if kind[2])
        elsewhere = sum(count for kind, count in kinds.items() if kind[3])
        return Sums(self.size_bytes, several, elsewhere, changed_us)


class StudyMembers:
    """The living instances of one study, by series."""

    def __init__(self, rows: Iterable[Row], settled_series: Iterable[str]) -> None:
        self.series: dict[str, SeriesMembers] = {}
        self.count = 0  # living instances
        self._changed_us: dict[str, int] = {}  # of each series, by those that went, too
        self._settled: set[str] = set(settled_series)
        for row in rows:
            self.put(row, rank_of(row.state))

    def put(self, row: Row, rank: Rank) -> bool:
        """As ``SeriesMembers.put``."""
        series_uid = row.facts.series_uid
        series = self.series.setdefault(series_uid, SeriesMembers())
        self._changed_us[series_uid] = max(self._changed_us.get(series_uid, 0), row.facts.sums.changed_us)
        self.count -= len(series.members)
        is_sure = series.put(row, rank)
        self.count += len(series.members)
        if not series.members:
            del self.series[series_uid]
        return is_sure

    def are_settled(self, series_uids: Iterable[str]) -> None:
        """The settled index has, or is getting, rows of these series, and with any of them of the study."""
        self._settled.update(series_uids)

    def is_settled(self, series_uid: str) -> bool:
        """Whether there may be a settled row of the series; empty: of the study."""
        return series_uid in self._settled if series_uid else bool(self._settled)

    def rows(self, study_uid: str, changed: Iterable[str]) -> Iterator[Row]:
        """The rows of series that changed, and of the study."""
        kinds = {uid: series.live_kinds() for uid, series in self.series.items()}
        sums = {uid: series.sums(kinds[uid], self._changed_us[uid]) for uid, series in self.series.items()}
        for uid in sorted(changed):
            series = self.series.get(uid)
            if series is None or series.first is None:
                yield absent_row(study_uid, uid)
            else:
                yield series_row(study_uid, uid, series.first[2], len(series.members), sums[uid])
        firsts = [series.first for series in self.series.values() if series.first is not None]
        if not firsts:
            yield absent_row(study_uid)
            return
        modalities = {kind[0] for one in kinds.values() for kind in one} - {""}
        classes = {kind[1] for one in kinds.values() for kind in one} - {""}
        whole = _added(sums.values(), max(self._changed_us.values()))
        yield study_row(study_uid, min(firsts)[2], modalities, classes, len(self.series), self.count, whole)


def _added(sums: Iterable[Sums], changed_us: int) -> Sums:
    parts = list(sums)
    return Sums(
        sum(one.size_bytes for one in parts),
        sum(one.several_count for one in parts),
        sum(one.elsewhere_count for one in parts),
        changed_us,
    )


def rank_of(state: InstanceState) -> Rank:
    """Where a living instance's current version stands in time."""
    current = state.current
    return (current.first.stamp, current.first.writer, current.first.lsn) if current else (0, "", 0)
