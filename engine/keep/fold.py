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

Acts are decisions about stores, made later:

- ``delete`` names the stores that it saw, never an instance, series or study. A store is hidden while any delete that
  names it is not undone. A version lives while one of its stores is not hidden; its bytes are then the object of its
  first store that is not hidden. A store that came meanwhile, re-sends included, was not seen and stays.
- ``restore`` names the deletes that it undoes. To delete again is a new record.
- ``promote`` names a store. The last of the promotes whose version lives makes that version current; without one, the
  first living version is current.
- ``collect`` names stores whose bytes go: none of them lives again, whatever is restored later. It counts only for
  stores that a delete before it hides, and that no restore before it brought back.
- Acts of a kind that this version does not know are kept and change nothing.

The key of an object that only hidden stores name is never given to a new store, since its bytes may be on their way
out: the same bytes, sent again after a delete, are kept under ``{hash}~1``, ``{hash}~2`` and so on.
"""

from collections.abc import Iterable
from typing import Final, Literal

import msgspec

from engine.keep.paths import ObjectName, parse_object_name
from engine.keep.state import EMPTY, Act, Identity, InstanceState, KeptObject, Store, Version
from engine.model import ActRecord, Instance, StoreRecord

FRAMES_BYTES_MAX: Final = 64  # native frames however many, or one to three fragments

Outcome = Literal["new", "same", "version"]


class Placed(msgspec.Struct, frozen=True):
    """What a store that is being taken in is to what is there, and its record as the journal shall keep it.

    ``carries``: its own bytes are to be kept under the record's key (False: an object that is there has the content).
    """

    outcome: Outcome
    record: StoreRecord
    carries: bool = True


def place(state: InstanceState, record: StoreRecord) -> Placed:
    """Compares a new store with the state. A *same* one is pointed at the object that is there, its facts too."""
    if not state.versions:
        return Placed("new", record)
    known = _known(state, record)
    if known is not None:
        return known
    living = next((one for one in state.living if one.content_digest == record.content_digest), None)
    if living is not None:
        kept = living.object
        return Placed("same", _pointed_at(kept, record), carries=kept.key == record.key)
    renamed = msgspec.structs.replace(record, key=_free_key(state, record.key))
    return Placed("version" if state.living else "new", renamed)


def add(state: InstanceState, record: StoreRecord) -> InstanceState:
    """The state with one more store record."""
    if not state.versions:
        store = Store(record.stamp, record.writer, record.lsn, 0, record.origin.preamble)
        version = Version(record.content_digest, (store,), (_object_of(record),))
        return InstanceState(state.form, (version,), state.acts)
    return fold([record], state)


def act_on(state: InstanceState, act: Act) -> InstanceState:
    """The state with one more act. Of two that claim one ``(writer, lsn)`` the lower counts."""
    acts: dict[Identity, Act] = {}
    for one in (*state.acts, act):
        acts[one.identity] = min(acts.get(one.identity, one), one)
    return InstanceState(state.form, state.versions, tuple(sorted(acts.values())))


def acts_of(record: ActRecord) -> dict[tuple[str, str], Act]:
    """What a record says of each instance of its study, by series and SOP Instance UID."""
    return {
        (target.series_uid, target.sop_instance_uid): Act(
            record.stamp, record.writer, record.lsn, record.kind, tuple(sorted(target.named))
        )
        for target in record.targets
    }


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
    return InstanceState(state.form, _versions(claims, objects), state.acts)


def instance(state: InstanceState, study_uid: str, series_uid: str, sop_instance_uid: str) -> Instance | None:
    """The current version as the archive answers it."""
    version = state.current
    if version is None:
        return None
    kept, first = version.object, version.first
    return Instance(
        study_uid=study_uid,
        series_uid=series_uid,
        sop_instance_uid=sop_instance_uid,
        sop_class_uid=kept.sop_class_uid,
        transfer_syntax_uid=kept.transfer_syntax_uid,
        key=kept.key,
        size_bytes=kept.size_bytes,
        stamp=first.stamp,
        writer=first.writer,
        lsn=first.lsn,
        blake3_root=kept.blake3_root,
        not_indexed=kept.not_indexed,
        frames=kept.frames,
        preamble=first.preamble,
        version_count=len(state.living),
    )


def few(frames: bytes) -> bytes:
    """A frame table that is small enough to be held with every state; a larger one has a row of its own."""
    return frames if len(frames) <= FRAMES_BYTES_MAX else b""


_Claim = tuple[int, bytes, str, bytes]  # stamp, content digest, key, preamble
_Description = tuple[int, str, int, KeptObject]  # stamp, writer, lsn of the record that describes an object


def _known(state: InstanceState, record: StoreRecord) -> Placed | None:
    """The very record again, after a crash: it keeps the key that it was given then."""
    for version in state.versions:
        for store in version.stores:
            if store.identity == (record.writer, record.lsn):
                kept = version.object_of(store)
                first = version.stores[0] is store
                carries = kept.key[:32] == record.key[:32]  # the hash
                return Placed("new" if first else "same", _pointed_at(kept, record), carries)
    return None


def _free_key(state: InstanceState, key: str) -> str:
    """The key itself, or the next one of its hash when dead stores name it."""
    living = {kept.key for version in state.living for kept in map(version.object_of, version.stores)}
    named = {kept.key for version in state.versions for kept in version.objects}
    taken = [one for one in named - living if one[:32] == key[:32]]
    if not taken:
        return key
    numbers = [int(version) for one in taken if (version := parse_object_name(one).version).isdecimal()]
    return str(ObjectName(key[:32], 0, str(max(numbers, default=0) + 1)))


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
        record.key,
        record.size_bytes,
        record.transfer_syntax_uid,
        record.sop_class_uid,
        record.blake3_root,
        record.not_indexed,
        few(record.frames),
    )


def _pointed_at(kept: KeptObject, record: StoreRecord) -> StoreRecord:
    if kept.key == record.key:
        return record
    return msgspec.structs.replace(
        record,
        key=kept.key,
        size_bytes=kept.size_bytes,
        transfer_syntax_uid=kept.transfer_syntax_uid,
        sop_class_uid=kept.sop_class_uid,
        blake3_root=kept.blake3_root,
        blake3_chunks=b"",
        frames=kept.frames,
    )
