"""The fresh part of the index: rows in memory that are not settled yet. Snapshots are immutable and cheap."""

from collections.abc import Iterator, Mapping

from engine.index.holders import Holders, Wanted
from engine.index.matching import Predicate
from engine.index.schema import GONE, VERSION, Row
from engine.model import Level

Studies = Mapping[str, Mapping[str, Row]]  # study UID -> key -> row

# Rows of one slot replace each other under one key: a gone instance hides a living one, an absent study a settled one.
SLOTS = (Level.STUDY, Level.SERIES, Level.INSTANCE, VERSION)
_SLOT_OF = {Level.STUDY: Level.STUDY, Level.SERIES: Level.SERIES, Level.INSTANCE: Level.INSTANCE,
            GONE: Level.INSTANCE, VERSION: VERSION}  # fmt: skip


def slot_of(row: Row) -> str:
    """Where a row stands."""
    level = row.facts.level
    return _SLOT_OF.get(level) or (Level.SERIES if row.facts.series_uid else Level.STUDY)


class Snapshot:
    """What a memtable held at one moment."""

    def __init__(self, slots: Mapping[str, Studies], holders: Holders, held_bytes: int) -> None:
        self._slots = slots
        self._holders = holders
        self.held_bytes = held_bytes

    def get(self, level: str, study_uid: str, key: str) -> Row | None:
        """The row under a key, whether it is of this level or hides what is."""
        group = self._slots[_SLOT_OF[level]].get(study_uid)
        return group.get(key) if group else None

    def hides(self, row: Row) -> bool:
        """Whether there is a row here in the place of this one."""
        group = self._slots[slot_of(row)].get(row.facts.study_uid)
        return group is not None and row.key in group

    def select(self, level: str, predicate: Predicate) -> list[Row]:
        """The rows that match; UIDs and patients among the terms are looked up, not searched."""
        slot = _SLOT_OF[level]
        studies = self._slots[slot]
        if not studies:
            return []
        wanted = Wanted(predicate)
        uids = self._holders.studies(slot, wanted)
        groups = studies.values() if uids is None else [studies[uid] for uid in uids if uid in studies]
        rows = [row for group in groups for row in group.values() if row.facts.level == level]
        if wanted.series is not None:
            rows = [row for row in rows if row.facts.series_uid in wanted.series]
        return rows if wanted.test is None else list(filter(wanted.test, rows))


class Memtable:
    """Collects rows; later ones replace earlier ones of the same place. Guarded by its owner's lock."""

    def __init__(self) -> None:
        self._slots: dict[str, dict[str, dict[str, Row]]] = {slot: {} for slot in SLOTS}
        self._frozen: dict[str, Studies] = {slot: {} for slot in SLOTS}
        self._touched: dict[str, set[str]] = {slot: set() for slot in SLOTS}
        self._holders = Holders()
        self._sops: dict[str, dict[str, Row]] = {}
        self.count = 0
        self.held_bytes = 0

    def put(self, row: Row) -> None:
        """Add or replace."""
        slot = slot_of(row)
        group = self._slots[slot].setdefault(row.facts.study_uid, {})
        before = group.get(row.key)
        if before is None:
            self.count += 1
        else:
            self.held_bytes -= before.held_bytes
        group[row.key] = row
        self.held_bytes += row.held_bytes
        self._touched[slot].add(row.facts.study_uid)
        self._holders.note(slot, row)
        if slot == Level.INSTANCE:
            self._sops.setdefault(row.facts.sop_instance_uid, {})[row.key] = row

    def get(self, slot: str, study_uid: str, key: str) -> Row | None:
        """The row of a place."""
        return self._slots[slot].get(study_uid, {}).get(key)

    def places(self, sop_instance_uid: str) -> Mapping[str, Row]:
        """The instances with this SOP Instance UID by key, gone ones too."""
        return self._sops.get(sop_instance_uid, {})

    def instances(self, study_uid: str) -> list[Row]:
        """The instances of one study, gone ones too."""
        return list(self._slots[Level.INSTANCE].get(study_uid, {}).values())

    def series(self) -> Iterator[tuple[str, str]]:
        """Study and series UID of every series row."""
        for group in self._slots[Level.SERIES].values():
            for row in group.values():
                yield row.facts.study_uid, row.facts.series_uid

    def rows(self) -> Iterator[Row]:
        """All rows."""
        for studies in self._slots.values():
            for group in studies.values():
                yield from group.values()

    def snapshot(self) -> Snapshot:
        """The rows as they are now; only studies touched since the last snapshot are copied."""
        for slot, touched in self._touched.items():
            if touched:
                self._frozen[slot] = {**self._frozen[slot], **{uid: dict(self._slots[slot][uid]) for uid in touched}}
                touched.clear()
        return Snapshot(dict(self._frozen), self._holders, self.held_bytes)
