"""The fresh part of the index: rows in memory that are not settled yet. Snapshots are immutable and cheap."""

from collections.abc import Iterator, Mapping

from engine.index.matching import AllOf, Predicate, Terms, matches
from engine.index.schema import Row
from engine.model import Level

Studies = Mapping[str, Mapping[str, Row]]  # study UID -> key -> row


class Snapshot:
    """What a memtable held at one moment."""

    def __init__(self, levels: Mapping[Level, Studies], held_bytes: int) -> None:
        self._levels = levels
        self.held_bytes = held_bytes

    def get(self, level: Level, study_uid: str, key: str) -> Row | None:
        """One row by its key."""
        group = self._levels[level].get(study_uid)
        return group.get(key) if group else None

    def rows(self, level: Level) -> Iterator[Row]:
        """All rows of a level."""
        for study in self._levels[level].values():
            yield from study.values()

    def keys(self, level: Level) -> set[str]:
        """The keys of all rows of a level: what they supersede below."""
        return {key for study in self._levels[level].values() for key in study}

    def select(self, level: Level, predicate: Predicate) -> list[Row]:
        """The rows that match; a study UID among the terms is looked up, not searched."""
        studies = self._levels[level]
        if not studies:
            return []
        wanted = _studies_named(predicate)
        groups = (
            studies.values() if wanted is None else (studies[uid] for uid in dict.fromkeys(wanted) if uid in studies)
        )
        return [row for group in groups for row in group.values() if matches(predicate, row)]


class Memtable:
    """Collects rows; later ones replace earlier ones of the same key. Guarded by its owner's lock."""

    def __init__(self) -> None:
        self._levels: dict[Level, dict[str, dict[str, Row]]] = {level: {} for level in Level}
        self._frozen: dict[tuple[Level, str], dict[str, Row]] = {}
        self._sops: dict[str, set[str]] = {}
        self.count = 0
        self.held_bytes = 0

    def put(self, row: Row) -> None:
        """Add or replace."""
        level = Level(row.facts.level)
        group = self._levels[level].setdefault(row.facts.study_uid, {})
        before = group.get(row.key)
        if before is None:
            self.count += 1
        else:
            self.held_bytes -= before.held_bytes
        group[row.key] = row
        self.held_bytes += row.held_bytes
        self._frozen.pop((level, row.facts.study_uid), None)
        if level == Level.INSTANCE:
            self._sops.setdefault(row.facts.sop_instance_uid, set()).add(row.key)

    def get(self, level: Level, study_uid: str, key: str) -> Row | None:
        """One row by its key."""
        return self._levels[level].get(study_uid, {}).get(key)

    def places(self, sop_instance_uid: str) -> set[str]:
        """Keys of the instances with this SOP Instance UID."""
        return self._sops.get(sop_instance_uid, set())

    def instances(self, study_uid: str) -> list[Row]:
        """The instances of one study."""
        return list(self._levels[Level.INSTANCE].get(study_uid, {}).values())

    def series(self) -> Iterator[tuple[str, str]]:
        """Study and series UID of every series row."""
        for group in self._levels[Level.SERIES].values():
            for row in group.values():
                yield row.facts.study_uid, row.facts.series_uid

    def rows(self) -> Iterator[Row]:
        """All rows."""
        for studies in self._levels.values():
            for group in studies.values():
                yield from group.values()

    def snapshot(self) -> Snapshot:
        """The rows as they are now; only studies touched since the last snapshot are copied."""
        frozen: dict[Level, dict[str, dict[str, Row]]] = {}
        for level, studies in self._levels.items():
            for uid, group in studies.items():
                if (level, uid) not in self._frozen:
                    self._frozen[level, uid] = dict(group)
            frozen[level] = {uid: self._frozen[level, uid] for uid in studies}
        return Snapshot(frozen, self.held_bytes)


def _studies_named(predicate: Predicate) -> tuple[str, ...] | None:
    if isinstance(predicate, Terms):
        return predicate.values if predicate.field == "study" else None
    if isinstance(predicate, AllOf):
        return next((found for part in predicate.parts if (found := _studies_named(part)) is not None), None)
    return None
