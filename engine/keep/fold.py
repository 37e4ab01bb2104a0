"""What the journal's records of one SOP instance amount to. Pure; in any order, any number of times, the same state.

The unit is one SOP Instance UID within one study and series (the same UID elsewhere is kept there too, as a state of
its own). The state is a set that only grows: *stores*, each known by ``(writer, lsn)``, and *acts* (below). All else
is derived from the set, never from the order of arrival:

- Stores of equal content digest are one *version*. Its bytes are the object that its first store names; first means
  lowest ``(stamp, writer, lsn)``. A re-send (*same*) is a store of the same version: it keeps the version alive
  against a delete that did not see it, and names the object that is there already, so that no second one is written.
- Versions stand in the order of their first stores. The first version is *current*.
- One ``(writer, lsn)`` twice is one store; were the two to differ, the lower one counts on every node.
- Size, transfer syntax, class and BLAKE3 root of an object are those of the first record that names its key: who made
  it came before who found it there.

How delete, restore and promote fold (they come with issue B; their place in the state is ``acts``, from form 1 on):

- ``delete`` names the stores that it saw, never an instance, series or study. A store is hidden while any delete that
  names it is not undone. A version lives while one of its stores is not hidden; its bytes are then the object of its
  first store that is not hidden. A store that came meanwhile, re-sends included, was not seen and stays.
- ``restore`` names the deletes that it undoes. To delete again is a new record.
- ``promote`` names a store. The highest ``(stamp, writer, lsn)`` among the promotes whose version lives makes that
  version current; without one, the first living version is current. A store may name the record that it replaces;
  then the replaced version is no candidate while the replacing one lives.
- ``collect`` names objects whose bytes go; no state refers to them any more by then.

Form 1 of a state is the msgpack of ``InstanceState``: arrays, so that fields can be added at the end only.
"""

from collections.abc import Iterable
from typing import Final, Literal

import msgspec

from engine.errors import Corrupt
from engine.model import Instance, StoreRecord

Identity = tuple[str, int]  # writer, lsn


class KeptObject(msgspec.Struct, frozen=True, array_like=True, order=True):
    """One object of a version, as the records that name its key describe it."""

    key: str
    size_bytes: int
    transfer_syntax_uid: str
    sop_class_uid: str
    blake3_root: bytes


class Store(msgspec.Struct, frozen=True, array_like=True, order=True):
    """One store record's place in the state. ``object_index`` says which of the version's objects it names."""

    stamp: int
    writer: str
    lsn: int
    object_index: int
    preamble: bytes = b""

    @property
    def identity(self) -> Identity:
        return (self.writer, self.lsn)


class Version(msgspec.Struct, frozen=True, array_like=True):
    """Stores of one content. ``stores`` ascend by (stamp, writer, lsn), ``objects`` by key; neither is empty."""

    content_digest: bytes
    stores: tuple[Store, ...]
    objects: tuple[KeptObject, ...]

    @property
    def first(self) -> Store:
        """The store whose object carries the version's bytes."""
        return self.stores[0]

    @property
    def object(self) -> KeptObject:
        """The object that carries the version's bytes."""
        return self.objects[self.first.object_index]


class Act(msgspec.Struct, frozen=True, array_like=True, order=True):
    """A later decision about stores (see above). ``targets`` are the identities that it names."""

    stamp: int
    writer: str
    lsn: int
    kind: str
    targets: tuple[Identity, ...]


class InstanceState(msgspec.Struct, frozen=True, array_like=True):
    """The fold of one instance's records. Equal sets of records give equal values, and equal bytes."""

    form: int = 1
    versions: tuple[Version, ...] = ()
    acts: tuple[Act, ...] = ()

    @property
    def current(self) -> Version | None:
        """What queries show and retrievals send; None when nothing is kept."""
        return self.versions[0] if self.versions else None

    def version_of(self, content_digest: bytes) -> Version | None:
        """The version with this content."""
        return next((version for version in self.versions if version.content_digest == content_digest), None)


EMPTY: Final = InstanceState()

Outcome = Literal["new", "same", "version"]


class Placed(msgspec.Struct, frozen=True):
    """What a store that is being taken in is to what is there, and its record as the journal shall keep it."""

    outcome: Outcome
    record: StoreRecord


def place(state: InstanceState, record: StoreRecord) -> Placed:
    """Compares a new store with the state. A *same* one is pointed at the object that is there, its facts too."""
    if not state.versions:
        return Placed("new", record)
    version = state.version_of(record.content_digest)
    if version is None:
        return Placed("version", record)
    if any(store.identity == (record.writer, record.lsn) for store in version.stores):
        return Placed("same" if version.first.identity != (record.writer, record.lsn) else "new", record)
    kept = version.object
    if kept.key == record.key:
        return Placed("same", record)
    return Placed("same", _pointed_at(kept, record))


def add(state: InstanceState, record: StoreRecord) -> InstanceState:
    """The state with one more store record."""
    if not state.versions:
        store = Store(record.stamp, record.writer, record.lsn, 0, record.origin.preamble)
        version = Version(record.content_digest, (store,), (_object_of(record),))
        return msgspec.structs.replace(state, versions=(version,))
    return fold([record], state)


def fold(records: Iterable[StoreRecord], state: InstanceState = EMPTY) -> InstanceState:
    """The state of all records, on top of ``state``."""
    claims: dict[Identity, _Claim] = {}
    objects: dict[str, _Description] = {}
    for version in state.versions:
        for store in version.stores:
            kept = version.objects[store.object_index]
            claims[store.identity] = (store.stamp, version.content_digest, kept.key, store.preamble)
            description = (store.stamp, store.writer, store.lsn, kept)
            objects[kept.key] = min(objects.get(kept.key, description), description)
    for record in records:
        identity = (record.writer, record.lsn)
        claim = (record.stamp, record.content_digest, record.key, record.origin.preamble)
        claims[identity] = min(claims.get(identity, claim), claim)
        description = (record.stamp, record.writer, record.lsn, _object_of(record))
        objects[record.key] = min(objects.get(record.key, description), description)
    return msgspec.structs.replace(state, versions=_versions(claims, objects))


def instance(state: InstanceState, study_uid: str, series_uid: str, sop_instance_uid: str) -> Instance | None:
    """The current version as the archive answers it."""
    version = state.current
    if version is None:
        return None
    return Instance(
        study_uid=study_uid,
        series_uid=series_uid,
        sop_instance_uid=sop_instance_uid,
        sop_class_uid=version.object.sop_class_uid,
        transfer_syntax_uid=version.object.transfer_syntax_uid,
        key=version.object.key,
        size_bytes=version.object.size_bytes,
        stamp=version.first.stamp,
        writer=version.first.writer,
        lsn=version.first.lsn,
        blake3_root=version.object.blake3_root,
        preamble=version.first.preamble,
        version_count=len(state.versions),
    )


def encode(state: InstanceState) -> bytes:
    """Form 1 of the state; equal states give equal bytes."""
    return _ENCODER.encode(state)


def decode(data: bytes | memoryview) -> InstanceState:
    """Raises ``Corrupt`` for anything that ``encode`` did not make."""
    try:
        state = _DECODER.decode(data)
    except msgspec.MsgspecError as error:
        raise Corrupt("the state of an instance in the index cannot be read") from error
    if state.form != 1 or not all(_is_sound(version) for version in state.versions):
        raise Corrupt("the state of an instance in the index is not of a known form")
    return state


_Claim = tuple[int, bytes, str, bytes]  # stamp, content digest, key, preamble
_Description = tuple[int, str, int, KeptObject]  # stamp, writer, lsn of the record that describes an object
_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(InstanceState)


def _versions(claims: dict[Identity, _Claim], objects: dict[str, _Description]) -> tuple[Version, ...]:
    by_digest: dict[bytes, list[tuple[int, str, int, str, bytes]]] = {}
    for (writer, lsn), (stamp, digest, key, preamble) in claims.items():
        by_digest.setdefault(digest, []).append((stamp, writer, lsn, key, preamble))
    versions = []
    for digest, stores in by_digest.items():
        keys = sorted({key for _, _, _, key, _ in stores})
        places = {key: index for index, key in enumerate(keys)}
        ordered = sorted(Store(stamp, writer, lsn, places[key], pre) for stamp, writer, lsn, key, pre in stores)
        versions.append(Version(digest, tuple(ordered), tuple(objects[key][3] for key in keys)))
    return tuple(sorted(versions, key=lambda version: version.first))


def _object_of(record: StoreRecord) -> KeptObject:
    return KeptObject(
        record.key, record.size_bytes, record.transfer_syntax_uid, record.sop_class_uid, record.blake3_root
    )


def _pointed_at(kept: KeptObject, record: StoreRecord) -> StoreRecord:
    return msgspec.structs.replace(
        record,
        key=kept.key,
        size_bytes=kept.size_bytes,
        transfer_syntax_uid=kept.transfer_syntax_uid,
        sop_class_uid=kept.sop_class_uid,
        blake3_root=kept.blake3_root,
        blake3_chunks=b"",
        frames=b"",
    )


def _is_sound(version: Version) -> bool:
    return bool(version.stores) and all(0 <= store.object_index < len(version.objects) for store in version.stores)
