"""What the records of one SOP instance amount to: its versions, and what was decided about them.

Form 1 is the msgpack of ``InstanceState``: arrays, so that fields can be added at the end only. ``fold`` makes it.
"""

from functools import cached_property
from typing import Final

import msgspec

from engine.errors import Corrupt

Identity = tuple[str, int]  # writer, lsn
Rank = tuple[int, str, int]  # stamp, writer, lsn


class KeptObject(msgspec.Struct, frozen=True, array_like=True, order=True):
    """One object of a version, as the records that name its key describe it."""

    key: str
    size_bytes: int
    transfer_syntax_uid: str
    sop_class_uid: str
    blake3_root: bytes
    not_indexed: tuple[str, ...] = ()
    frames: bytes = b""


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
        return self.object_of(self.first)

    def object_of(self, store: Store) -> KeptObject:
        """The object that one of its stores names."""
        return self.objects[store.object_index]


class Act(msgspec.Struct, frozen=True, array_like=True, order=True):
    """A decision about stores. ``targets``: the stores that it names; of a restore, the deletes that it undoes."""

    stamp: int
    writer: str
    lsn: int
    kind: str
    targets: tuple[Identity, ...]

    @property
    def identity(self) -> Identity:
        return (self.writer, self.lsn)

    @property
    def rank(self) -> Rank:
        return (self.stamp, self.writer, self.lsn)


class InstanceState(msgspec.Struct, frozen=True, array_like=True, dict=True):
    """The fold of one instance's records. Equal sets of records give equal values, and equal bytes.

    ``versions`` and ``acts`` are all that ever was; ``living`` is what they amount to.
    """

    form: int = 1
    versions: tuple[Version, ...] = ()
    acts: tuple[Act, ...] = ()

    @cached_property
    def living(self) -> tuple[Version, ...]:
        """Versions that a query may show, each with the stores that count alone; the one that is current first."""
        if not self.acts:
            return self.versions
        gone = self.deleted.keys() | self.collected
        alive = [version for version in (_without(version, gone) for version in self.versions) if version.stores]
        promoted = self._promoted(alive)
        return tuple(sorted(alive, key=lambda version: version is not promoted))

    @cached_property
    def deleted(self) -> dict[Identity, Act]:
        """Stores that a delete hides which is not undone, with the last such delete."""
        undone = {target for act in self.acts if act.kind == "restore" for target in act.targets}
        return {
            target: act
            for act in self.acts
            if act.kind == "delete" and act.identity not in undone
            for target in act.targets
        }

    @cached_property
    def collected(self) -> frozenset[Identity]:
        """Stores that no restore brings back: collected while a delete hid them that was not undone before."""
        return frozenset(
            target
            for act in self.acts
            if act.kind == "collect"
            for target in act.targets
            if self._was_hidden(target, act.rank)
        )

    @property
    def current(self) -> Version | None:
        """What queries show and retrievals send; None when nothing lives."""
        return self.living[0] if self.living else None

    def version_of(self, content_digest: bytes) -> Version | None:
        """The version with this content, living or not."""
        return next((version for version in self.versions if version.content_digest == content_digest), None)

    def removable_keys(self) -> frozenset[str]:
        """Objects that collected stores name and no other store does: their bytes may go."""
        names: dict[bool, set[str]] = {True: set(), False: set()}
        for version in self.versions:
            for store in version.stores:
                names[store.identity in self.collected].add(version.object_of(store).key)
        return frozenset(names[True] - names[False])

    def collectable(self, stamp_max: int) -> tuple[Identity, ...]:
        """Stores whose last delete was not after ``stamp_max`` and that are not collected yet."""
        return tuple(
            sorted(
                identity
                for identity, act in self.deleted.items()
                if act.stamp <= stamp_max and identity not in self.collected
            )
        )

    def _was_hidden(self, target: Identity, before: Rank) -> bool:
        undone = {one for act in self.acts if act.kind == "restore" and act.rank < before for one in act.targets}
        return any(
            act.kind == "delete" and act.rank < before and act.identity not in undone and target in act.targets
            for act in self.acts
        )

    def _promoted(self, alive: list[Version]) -> Version | None:
        """The living version that the last promote of a living version names; without one, the first."""
        homes = {store.identity: version.content_digest for version in self.versions for store in version.stores}
        living = {version.content_digest: version for version in alive}
        for act in reversed(self.acts):
            for target in act.targets if act.kind == "promote" else ():
                if (version := living.get(homes.get(target, b""))) is not None:
                    return version
        return alive[0] if alive else None


EMPTY: Final = InstanceState()


def encode(state: InstanceState) -> bytes:
    """Form 1 of the state; equal states give equal bytes."""
    return _ENCODER.encode(state)


def decode(data: bytes | memoryview) -> InstanceState:
    """Raises ``Corrupt`` for anything that ``encode`` did not make."""
    try:
        state = _DECODER.decode(data)
    except msgspec.MsgspecError as error:
        raise Corrupt("the state of an instance in the index cannot be read") from error
    if state.form != 1 or not all(map(_is_sound, state.versions)):
        raise Corrupt("the state of an instance in the index is not of a known form")
    return state


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(InstanceState)


def _without(version: Version, gone: frozenset[Identity] | set[Identity]) -> Version:
    kept = tuple(store for store in version.stores if store.identity not in gone)
    return version if len(kept) == len(version.stores) else msgspec.structs.replace(version, stores=kept)


def _is_sound(version: Version) -> bool:
    count, stores = len(version.objects), version.stores
    if len(stores) == 1:  # nearly all are like this
        return 0 <= stores[0].object_index < count
    return bool(stores) and all(0 <= store.object_index < count for store in stores)
