"""The instances that acts speak of, as the journal folds them: what may be gone, and what the index should show.

Memory: one state for each instance that was ever deleted, restored or promoted; nothing for all others.
"""

from collections.abc import Iterator

import xxhash

from engine.errors import Corrupt
from engine.keep.fold import act_on, acts_of, add, instance
from engine.keep.journal_walk import JournalWalk
from engine.keep.objects import ObjectStore
from engine.keep.state import EMPTY, Act, InstanceState
from engine.model import ActRecord, Instance, StoreRecord

Name = tuple[str, str, str]  # study, series, SOP Instance UID


class Decided:
    """Reads the journal of one tenant as far as it is written; ``refresh`` goes on from there."""

    def __init__(self, store: ObjectStore, tenant: str) -> None:
        self._store = store
        self._tenant = tenant
        self._walk = JournalWalk(store, tenant)
        self._acts: dict[Name, list[Act]] = {}
        self.numbers: set[int] = set()  # of the instances that any act speaks of (see ``instance_number``)
        self.states: dict[Name, InstanceState] = {}
        self.removable_keys: set[str] = set()
        self.refresh()

    def refresh(self) -> bool:
        """Takes in what was journalled since; False when no act was."""
        before = len(self._acts), sum(map(len, self._acts.values()))
        for _, item in self._walk.forward():
            if isinstance(item, ActRecord):
                for (series, sop), act in acts_of(item).items():
                    self._acts.setdefault((item.study_uid, series, sop), []).append(act)
        if before == (len(self._acts), sum(map(len, self._acts.values()))):
            return False
        self.numbers = {instance_number(*name) for name in self._acts}
        self.states = self._folded()
        self.removable_keys = set().union(*(state.removable_keys() for state in self.states.values()))
        return True

    def instances(self) -> Iterator[tuple[int, Instance]]:
        """What the index should show of them, each with its number."""
        for name, state in self.states.items():
            if (shown := instance(state, *name)) is not None:
                yield instance_number(*name), shown

    def _folded(self) -> dict[Name, InstanceState]:
        states: dict[Name, InstanceState] = {}
        for _, item in JournalWalk(self._store, self._tenant).forward():
            if isinstance(item, (Corrupt, ActRecord)):
                continue
            name = _name_of(item)
            if name in self._acts:
                states[name] = add(states.get(name, EMPTY), item)
        for name, acts in self._acts.items():
            for act in acts:
                states[name] = act_on(states.get(name, EMPTY), act)
        return states


def instance_number(study_uid: str, series_uid: str, sop_instance_uid: str) -> int:
    """64 bits that stand for an instance where names would be too long to remember."""
    return xxhash.xxh3_64_intdigest(f"{study_uid}\n{series_uid}\n{sop_instance_uid}".encode())


def _name_of(record: StoreRecord) -> Name:
    return record.study_uid, record.series_uid, record.sop_instance_uid
