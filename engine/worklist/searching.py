"""Workitems that match a query: the same matching as the index has, asked of each (PS3.4 CC.2.8)."""

from collections.abc import Callable, Collection, Mapping, Sequence

import msgspec

from engine.errors import Invalid
from engine.index.compile import UIDS, predicate_of
from engine.index.matching import matcher
from engine.index.texts import Part, part_of
from engine.model import Key, Level, Query
from engine.worklist.workitem import Workitem

_UID = "00080018"
_PATHS = {column: path for path, column in UIDS.items()}


class Matched(msgspec.Struct, frozen=True):
    """A page of workitems, the oldest first. ``total`` counts all that match."""

    rows: tuple[bytes, ...]
    total: int


def _named(workitems: Mapping[str, Workitem], query: Query) -> Collection[Workitem]:
    """Those whose UIDs are asked for, if all are there; else none, and each must be looked at."""
    uids = dict.fromkeys(uid for key in query.keys if key.path == _UID for uid in key.values)
    return [workitems[uid] for uid in uids] if all(uid in workitems for uid in uids) else []


class _Asked(Part):
    """A workitem as predicates ask it: it has no columns, so that UIDs are read where they stand."""

    def __init__(self, data: bytes) -> None:
        whole = part_of(data)
        super().__init__(whole.header, whole.character_set, whole.home)

    def values(self, path: str) -> tuple[str, ...]:
        return super().values(_PATHS.get(path, path))


def matching(keys: Sequence[Key], fuzzy: bool = False) -> Callable[[bytes], bool]:
    """Whether a workitem has these values. Raises Invalid for what cannot be asked."""
    test = matcher(predicate_of(Query(level=Level.INSTANCE, keys=tuple(keys), fuzzy=fuzzy), Level.INSTANCE))
    return lambda data: test(_Asked(data))


def search(workitems: Mapping[str, Workitem], query: Query) -> Matched:
    """``workitems`` by UID. Raises Invalid."""
    if query.page or query.sort or query.as_of:
        raise Invalid("a worklist is asked for what it is now, by limit and offset")
    matches = matching(query.keys, query.fuzzy)
    looked_at = _named(workitems, query) or workitems.values()
    found = sorted((one.created_us, one.uid, one.data) for one in looked_at if matches(one.data))
    last = len(found) if query.limit is None else query.offset + query.limit
    return Matched(tuple(data for _, _, data in found[query.offset : last]), len(found))
