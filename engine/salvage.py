"""An index of what can still be read of a damaged journal. It is not all that there is: who opens an archive like this
takes nothing, and folds the journal again once it is whole.
"""

import logging

from engine.errors import Corrupt
from engine.index import Index
from engine.keep.journal_walk import JournalWalk
from engine.keep.objects import ObjectStore
from engine.limits import LIMITS
from engine.model import Record

log = logging.getLogger("filmroom.house")


def salvage(index: Index, store: ObjectStore, tenant: str) -> None:
    """Fold every record that is sound, wherever damage stands. Folding one twice is folding it once, in any order."""
    index.is_partial = True
    group: list[Record] = []
    for key, item in JournalWalk(store, tenant).forward():
        if isinstance(item, Corrupt):
            log.error("journal damaged", extra={"key": key, "reason": str(item)})
            continue
        group.append(item)
        if len(group) >= LIMITS.batch_records_max:
            _fold(index, group)
            group = []
    _fold(index, group)


def _fold(index: Index, group: list[Record]) -> None:
    index.fold(group, placed=True)
    if index.due():
        index.settle()
