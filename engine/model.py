"""The values that flow through the house. All frozen; all plain."""

from enum import StrEnum
from typing import Literal, Protocol

import msgspec
from blake3 import blake3

DEFAULT_TENANT = "default"


class Level(StrEnum):
    """Information level of the query/retrieve model (PS3.4 C.3)."""

    PATIENT = "patient"
    STUDY = "study"
    SERIES = "series"
    INSTANCE = "instance"


class Origin(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who brought an instance, and in what wrapping. Recorded with it; travels through the intake as an opaque context.

    ``preamble``: the 128 bytes before ``DICM`` when the file was a TIFF as well (kept, and given back on export);
    else empty.
    """

    tenant: str = DEFAULT_TENANT
    how: Literal["dimse", "stow", "import", "library", "command", "rest"] = "library"
    calling_ae_title: str = ""
    called_ae_title: str = ""
    peer: str = ""
    preamble: bytes = b""


class Uids(msgspec.Struct, frozen=True):
    """Which instance a data set is, and of which class."""

    sop_class_uid: str
    sop_instance_uid: str
    study_uid: str
    series_uid: str


class StoreRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One acknowledged store, as the journal keeps it. Identity is ``(writer, lsn)``: folded twice is folded once.

    ``key`` is the object that carries these bytes: normally the XXH3-128 of the record's own canonical file, in hex;
    the first object's key when an equal content digest was already kept, or a suffixed key after a collision.
    ``header`` is the data set without bulk in Explicit VR Little Endian with defined lengths (see ``native.dataset``).
    """

    writer: str
    lsn: int
    stamp: int
    study_uid: str
    series_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    key: str
    size_bytes: int
    content_digest: bytes
    header: bytes
    not_indexed: tuple[str, ...] = ()
    frames: bytes = b""
    blake3_root: bytes = b""
    blake3_chunks: bytes = b""
    origin: Origin = Origin()


class Target(msgspec.Struct, frozen=True, array_like=True):
    """One instance of an act's study. ``named``: (writer, LSN) of the stores it names; of a restore, of deletes."""

    series_uid: str
    sop_instance_uid: str
    named: tuple[tuple[str, int], ...]


class ActRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One acknowledged decision about stores of one study, as the journal keeps it; ``engine/keep/fold`` says what each
    kind does: ``delete``, ``restore``, ``promote``, ``collect``."""

    kind: str
    writer: str
    lsn: int
    stamp: int
    study_uid: str
    targets: tuple[Target, ...]
    reason: str = ""
    origin: Origin = Origin()


Record = StoreRecord | ActRecord


class Note(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A decision on its way through the intake, which gives it writer, LSN and stamp: then it is an ``ActRecord``."""

    kind: str
    study_uid: str
    targets: tuple[Target, ...]
    reason: str = ""


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a delete, restore or promote: what it reached. ``lsn`` 0: nothing matched, nothing was recorded."""

    kind: str
    study_count: int
    instance_count: int
    lsn: int = 0


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One living version of an instance: what was stored under its UID, at what moment (microseconds, UTC)."""

    key: str
    size_bytes: int
    transfer_syntax_uid: str
    stamp: int
    is_current: bool


class Several(msgspec.Struct, frozen=True, kw_only=True):
    """An instance of more than one version."""

    series_uid: str
    sop_instance_uid: str
    versions: tuple[Version, ...]


class Gone(msgspec.Struct, frozen=True, kw_only=True):
    """What was deleted of a study and can be restored: until ``until_us``, when the first of it may be collected.
    ``header``: what one of its instances says of patient and study (as of a ``Match``)."""

    study_uid: str
    series_count: int
    instance_count: int
    size_bytes: int
    deleted_us: int
    until_us: int
    header: bytes = b""


class Instance(msgspec.Struct, frozen=True, kw_only=True):
    """One kept version of a SOP instance, as the index answers it; what ``fetch`` needs to give its bytes back.

    ``not_indexed``: paths of attributes that its stored header leaves out (pixels, long values): the object has them.
    ``frames``: where each frame stands in the file (``native.dataset.frame_table``), when that is said in few bytes.
    ``file``: the whole Part-10 file, set by ``fetch`` alone.
    """

    study_uid: str
    series_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    key: str
    size_bytes: int
    stamp: int
    writer: str
    lsn: int
    blake3_root: bytes = b""
    preamble: bytes = b""
    version_count: int = 1
    not_indexed: tuple[str, ...] = ()
    frames: bytes = b""
    file: bytes = b""


class Layout(msgspec.Struct, frozen=True, array_like=True):
    """What the index keeps of a large object beside its state: ``frames``, its frame table, however long;
    ``chunks``: BLAKE3 of each MiB (``engine/keep/content_digest``)."""

    frames: bytes = b""
    chunks: bytes = b""


class Kept(Protocol):
    """A living instance with its stored header (Explicit VR Little Endian, without what ``not_indexed`` names)."""

    @property
    def header(self) -> bytes: ...
    def instance(self) -> Instance | None: ...


class Stored(msgspec.Struct, frozen=True):
    """The answer to ``archive.store``: the instance as kept, and what the archive made of it.

    ``outcome``: ``new``; ``same`` (equal content was kept already); ``version`` (other content under this UID: kept,
    the first stays current); ``elsewhere`` (this SOP Instance UID is also in another study or series: kept in both).
    """

    instance: Instance
    outcome: Literal["new", "same", "version", "elsewhere"]


class Key(msgspec.Struct, frozen=True):
    """One matching key of a query: attribute path and value as the field writes it.

    ``path``: 8 upper-case hex digits, nested ones joined by dots (``00400275.00400007``), private ones as
    ``GGGG,CREATOR,EE``. ``values``: what backslash separated (UID list, several values); empty = universal matching.
    """

    path: str
    values: tuple[str, ...] = ()


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """What to find (PS3.4 C.2.2): level, keys, order, page. Pure value; both protocols and the library build it.

    ``sort``: attribute path, ``-`` before it for descending. ``limit`` None = all. ``page`` is a token that
    ``Found`` gave. ``fuzzy``: person names match by their words too, in any order: by how they begin, spelt nearly so,
    or of the same sound (``engine.index.names``). ``combined_date_time``: a date and its time are one moment.
    ``zone`` (``+0100``): moments are of that zone, and compared across zones (PS3.4 C.5.1). ``as_of``: what was
    acknowledged up to then (microseconds since 1970, UTC; 0: until now).
    """

    level: Level
    keys: tuple[Key, ...] = ()
    sort: tuple[str, ...] = ()
    limit: int | None = None
    offset: int = 0
    page: str = ""
    as_of: int = 0
    tenant: str = DEFAULT_TENANT
    fuzzy: bool = False
    combined_date_time: bool = False
    zone: str = ""


class Sums(msgspec.Struct, frozen=True, array_like=True):
    """What lives in a study, in a series, or as an instance; kept with its row, so that no answer counts.

    ``size_bytes``: of the current versions' objects. ``several_count``: instances of more than one version.
    ``elsewhere_count``: those whose SOP Instance UID lives in another study or series too. ``changed_us``: the last
    store or decision (microseconds, UTC).
    """

    size_bytes: int = 0
    several_count: int = 0
    elsewhere_count: int = 0
    changed_us: int = 0


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """One row of an answer.

    ``header``: attributes of this level and above, Explicit VR Little Endian with defined lengths, tags ascending;
    computed keys (0020,1206 and the like) are already among them. ``kept`` is set at instance level. ``sums`` is
    nothing at patient level.
    """

    level: Level
    study_uid: str = ""
    series_uid: str = ""
    sop_instance_uid: str = ""
    header: bytes = b""
    kept: Kept | None = None
    sums: Sums = Sums()

    @property
    def instance(self) -> Instance | None:
        """The current version, at instance level: read from what is kept whenever it is asked for."""
        return self.kept.instance() if self.kept is not None else None


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A page of matches. ``total`` counts all that match in the same view; ``next_page`` is empty at the end."""

    matches: tuple[Match, ...]
    total: int
    next_page: str = ""


class FileRange(msgspec.Struct, frozen=True):
    """Bytes of an open file: the holder of the value keeps ``fd`` open and must release it (see ``fetch``)."""

    fd: int
    offset: int
    length: int


class Reference(msgspec.Struct, frozen=True, array_like=True):
    """One instance that a request for commitment asks about."""

    sop_class_uid: str
    sop_instance_uid: str


class CommitmentRequest(msgspec.Struct, frozen=True, kw_only=True):
    """An open request. ``asked_us``: when, in microseconds since 1970; ``form``: of the bytes that keep it."""

    form: int = 1
    requestor: str
    transaction_uid: str
    asked_us: int
    references: tuple[Reference, ...]

    @property
    def name(self) -> str:
        """A hash of requestor and transaction: who asks again replaces."""
        return blake3(f"{self.requestor}\\{self.transaction_uid}".encode()).hexdigest()[:32]


# ``missing``: no such instance; ``conflict``: kept under another SOP class; ``failed``: kept, not as it was written.
Verdict = Literal["committed", "missing", "conflict", "failed"]


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the change feed, in journal order; ``cursor`` resumes after it.

    ``kind``: ``store``, or that of an act (``delete``, ``restore``, ``promote``, ``collect``; later ones may come).
    """

    cursor: str
    kind: str
    stamp: int
    study_uid: str
    targets: tuple[Target, ...]

    @property
    def sop_instance_uids(self) -> tuple[str, ...]:
        """The instances that it speaks of."""
        return tuple(target.sop_instance_uid for target in self.targets)
