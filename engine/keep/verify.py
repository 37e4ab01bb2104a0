"""Re-reads what is kept and says what is not as it should be; skips nothing silently, changes nothing.

Three things. The *journal*: every batch's checksum and place, no number missing below a seal. The *objects*: each
against its key (XXH3-128) and against the size and BLAKE3 root of the record that names it; objects that no record
names. The *index*, as rows that the caller gives: each instance of the journal is in it as the journal folds, and
nothing else is.

May run beside a working node: what comes meanwhile is not taken for damage. Memory: 48 to 96 bytes for each object; one
state for each instance that was ever deleted or promoted; some hundred bytes for each instance that is not equal at
first sight, ``verify_instances_max`` of them at a time (more take several passes over the journal).
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final, Literal

import msgspec
import xxhash

from engine.errors import Corrupt, Invalid, Missing
from engine.keep import paths
from engine.keep.content_digest import Examination
from engine.keep.decided import Decided, instance_number
from engine.keep.journal import Journal
from engine.keep.journal_walk import JournalWalk
from engine.keep.keeping import read_pieces
from engine.keep.objects import ObjectStore
from engine.keep.seen import Marks, Seen
from engine.limits import LIMITS, Limits
from engine.model import ActRecord, Instance, StoreRecord

Kind = Literal[
    "journal-damaged",
    "journal-missing",
    "object-missing",
    "object-altered",
    "object-unreadable",
    "record-disagrees",
    "index-lacks",
    "index-extra",
    "index-differs",
    "orphan",
    "stray",
]
# Seen on a sound archive too: an object whose record is still to come, a file that somebody else put there.
HARMLESS: frozenset[Kind] = frozenset({"orphan", "stray"})

UNNAMED_COUNT_MAX: Final = 1000
AGAIN_COUNT_MAX: Final = 3  # comparisons of the index while decisions come in


class Finding(msgspec.Struct, frozen=True):
    """One thing that is not as it should be. ``key`` of the store; ``sentence`` for people, without patient data."""

    kind: Kind
    key: str
    sentence: str

    @property
    def is_damage(self) -> bool:
        """False for what a sound archive may show as well."""
        return self.kind not in HARMLESS


def verify(
    store: ObjectStore,
    journal: Journal,
    rows: Callable[[], Iterable[Instance]] | None = None,
    deep: bool = True,
    *,
    progress: Callable[[int, int], None] = lambda count, size_bytes: None,
    limits: Limits = LIMITS,
) -> Iterator[Finding]:
    """What is wrong with a tenant's archive, as it is found. Raises ``Unavailable`` when it cannot be read now.

    ``deep``: read every object's bytes; else only whether it is there, and its size. ``rows``: every current instance
    of the index, asked for anew after each pass over the journal. ``progress`` hears how many objects of how many
    bytes are done.
    """
    check = _Verification(store, journal.tenant, deep, progress)
    yield from check.journal_and_named_objects()
    yield from check.objects_without_record()
    if rows is not None:
        yield from check.index(rows, limits)


def verify_journal(store: ObjectStore, tenant: str) -> Iterator[Finding]:
    """What is wrong with the journal alone."""
    for key, item in JournalWalk(store, tenant).forward():
        if isinstance(item, Corrupt):
            yield _journal_finding(key, item)


def _journal_finding(key: str, error: Corrupt) -> Finding:
    return Finding("journal-missing" if "missing" in str(error) else "journal-damaged", key, str(error))


class _Verification:
    def __init__(self, store: ObjectStore, tenant: str, deep: bool, progress: Callable[[int, int], None]) -> None:
        self._store = store
        self._tenant = tenant
        self._deep = deep
        self._progress = progress
        self._named = Seen()
        self._marks = Marks()  # of each instance what the index should show, were this its only record
        self._stored_again: set[int] = set()
        self._decided = Decided(store, tenant)
        self._walk = JournalWalk(store, tenant)
        self._done_count = self._done_bytes = 0

    def journal_and_named_objects(self) -> Iterator[Finding]:
        for key, item in self._walk.forward():
            if isinstance(item, Corrupt):
                yield _journal_finding(key, item)
                continue
            if isinstance(item, ActRecord):
                continue
            instance = instance_number(item.study_uid, item.series_uid, item.sop_instance_uid)
            if not self._marks.put(instance, _mark_of(item)):
                self._stored_again.add(instance)
            if self._named.add(_number_of(item.key)):
                yield from self._object_of(item)

    def objects_without_record(self) -> Iterator[Finding]:
        """Objects that no record names, and files that are no objects."""
        unnamed: list[tuple[str, paths.ObjectName]] = []
        for key in self._store.list(paths.object_prefix(self._tenant)):
            try:
                _, name = paths.parse_object_key(key)
            except Invalid:
                yield Finding("stray", key, f"{key} is no object of this archive")
                continue
            if _number_of(str(name)) not in self._named:
                unnamed.append((key, name))
            if len(unnamed) == UNNAMED_COUNT_MAX:
                yield from self._orphans(unnamed)
                unnamed = []
        yield from self._orphans(unnamed)

    def _orphans(self, unnamed: list[tuple[str, paths.ObjectName]]) -> Iterator[Finding]:
        """What was journalled meanwhile is read first: it may name them."""
        if unnamed:
            yield from self.journal_and_named_objects()
        for key, name in unnamed:
            if self._named.add(_number_of(str(name))):
                yield Finding("orphan", key, f"{key} is named by no record (yet)")
                yield from self._bytes_of(key, name.hash, None)

    def index(self, rows: Callable[[], Iterable[Instance]], limits: Limits) -> Iterator[Finding]:
        """What is equal at first sight is done with; what is left is folded and compared in full."""
        yield from self.journal_and_named_objects()
        left = self._unequal_at_first_sight(rows())
        passes = -(-len(left) // limits.verify_instances_max)
        for number in range(passes):
            chosen = {instance for instance in left if instance % passes == number}
            findings = list(self._index_pass(rows, chosen))
            for _ in range(AGAIN_COUNT_MAX):
                if not findings or not self._decided.refresh():
                    break  # nothing was decided meanwhile that would explain them
                findings = list(self._index_pass(rows, chosen))
            yield from findings

    def _unequal_at_first_sight(self, rows: Iterable[Instance]) -> set[int]:
        """Instances of several records or of which something was decided, and where index and journal differ."""
        self._decided.refresh()
        left = self._stored_again | self._decided.numbers
        for row in rows:
            instance = instance_number(row.study_uid, row.series_uid, row.sop_instance_uid)
            if self._marks.take(instance) != _mark_of(row) or row.version_count != 1:
                left.add(instance)
        left.update(self._marks.left())
        return left

    def _may_be_gone(self, key: str) -> bool:
        """Whether its bytes were collected, by what is journalled now."""
        return key in self._decided.removable_keys or (self._decided.refresh() and key in self._decided.removable_keys)

    def _object_of(self, record: StoreRecord) -> Iterator[Finding]:
        try:
            name = paths.parse_object_name(record.key)
        except Invalid:
            yield Finding("journal-damaged", record.key[:100], "a record names an object that cannot be")
            return
        key = paths.object_key(self._tenant, record.key)
        yield from self._bytes_of(key, name.hash, record)

    def _bytes_of(self, key: str, hashed: str, record: StoreRecord | None) -> Iterator[Finding]:
        examination = Examination()
        try:
            size = self._store.size(key)
            self._done_count += 1
            self._done_bytes += size
            self._progress(self._done_count, self._done_bytes)
            for piece in read_pieces(self._store, key) if self._deep else ():
                examination.add(piece)
        except Missing:
            if record is not None and not self._may_be_gone(record.key):
                yield Finding("object-missing", key, f"{key} is gone, but a record names it")
            return
        except Corrupt as error:
            yield Finding("object-unreadable", key, str(error))
            return
        if self._deep and examination.address != hashed:
            yield Finding("object-altered", key, f"{key} does not hold the bytes that were kept under this name")
        elif record is not None:
            yield from self._facts_of(key, record, size, examination)

    def _facts_of(self, key: str, record: StoreRecord, size: int, examination: Examination) -> Iterator[Finding]:
        if size != record.size_bytes:
            yield Finding("record-disagrees", key, f"{key} has {size} bytes, its record says {record.size_bytes}")
        elif self._deep and record.blake3_root and record.blake3_root != examination.proof.root:
            yield Finding("record-disagrees", key, f"{key} does not have the BLAKE3 root that its record names")
        elif self._deep and record.blake3_chunks and record.blake3_chunks != examination.proof.chunks:
            yield Finding("record-disagrees", key, f"{key} does not have the BLAKE3 of chunks that its record names")

    def _index_pass(self, rows: Callable[[], Iterable[Instance]], chosen: set[int]) -> Iterator[Finding]:
        expected: dict[int, _Expected] = {}
        lsns: dict[str, int] = {}
        for _, item in JournalWalk(self._store, self._tenant).forward():
            if isinstance(item, Corrupt):
                continue  # found in the first walk
            lsns[item.writer] = max(lsns.get(item.writer, 0), item.lsn)
            if isinstance(item, ActRecord):
                continue
            instance = instance_number(item.study_uid, item.series_uid, item.sop_instance_uid)
            if instance in chosen and instance not in self._decided.numbers:
                expected[instance] = _joined(expected.get(instance), item)
        for instance, shown in self._decided.instances():
            if instance in chosen:
                expected[instance] = _expected_of(shown)
        for row in rows():
            instance = instance_number(row.study_uid, row.series_uid, row.sop_instance_uid)
            if instance in chosen:
                yield from self._row(row, expected.pop(instance, None), lsns)
        for missed in expected.values():
            key = paths.object_key(self._tenant, missed.key)
            yield Finding("index-lacks", key, f"the index lacks the instance that {key} holds")

    def _row(self, row: Instance, expected: "_Expected | None", lsns: dict[str, int]) -> Iterator[Finding]:
        key = row.key[:100]
        if expected is None:
            if row.lsn <= lsns.get(row.writer, 0):
                yield Finding("index-extra", key, f"the index has an instance ({key}) that the journal does not have")
        elif (row.stamp, row.writer, row.lsn, row.key) != (*expected.first, expected.key):
            yield Finding("index-differs", key, f"the index shows {key} where the journal has {expected.key}")
        elif row.version_count < expected.version_count:
            yield Finding("index-differs", key, f"the index counts fewer versions of {key} than the journal has")


class _Expected(msgspec.Struct, frozen=True, gc=False):
    """What the index should show of one instance: the first store of its current version."""

    first: tuple[int, str, int]
    key: str
    digests: tuple[bytes, ...] = ()
    more_versions_count: int = 0

    @property
    def version_count(self) -> int:
        return len(self.digests) + self.more_versions_count


def _expected_of(shown: Instance) -> _Expected:
    return _Expected((shown.stamp, shown.writer, shown.lsn), shown.key, more_versions_count=shown.version_count)


def _joined(expected: _Expected | None, record: StoreRecord) -> _Expected:
    first = (record.stamp, record.writer, record.lsn)
    if expected is None:
        return _Expected(first, record.key, (record.content_digest,))
    known = record.content_digest in expected.digests
    digests = expected.digests if known else (*expected.digests, record.content_digest)
    if first < expected.first:
        return _Expected(first, record.key, digests)
    return _Expected(expected.first, expected.key, digests)


def _mark_of(shown: Instance | StoreRecord) -> int:
    """64 bits that stand for what the index shows of an instance with one version."""
    return xxhash.xxh3_64_intdigest(f"{shown.stamp}\n{shown.writer}\n{shown.lsn}\n{shown.key}".encode())


def _number_of(object_name: str) -> int:
    return xxhash.xxh3_64_intdigest(object_name.encode())
