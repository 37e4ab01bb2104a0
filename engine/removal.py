"""Removal and its ways back: delete, restore, promote, collect. Nothing is changed in place: each is a record.

A decision is kept as a store is: a note of the intake, acknowledged with its group sync, folded into the index before
the caller hears of it, journalled behind. It names stores, never studies: what it did not see, it does not touch.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

import msgspec

from engine.errors import Conflict, Invalid, Missing, Unavailable
from engine.find import ANSWER_ROWS_COUNT_MAX
from engine.house import House
from engine.index import Row
from engine.index.attributes import level_header
from engine.index.compile import chooses
from engine.keep.paths import object_key
from engine.keep.state import Identity, InstanceState
from engine.limits import LIMITS
from engine.model import Decided, Gone, Key, Level, Note, Origin, Query, Several, Target, Version

DAY_US = 86_400_000_000


def delete(house: House, query: Query, reason: str, origin: Origin, dry_run: bool = False) -> Decided:
    """Hide all that lives below what the query matches, every version; ``dry_run``: say what that would be.

    Raises Conflict when retention keeps it."""
    _check_named(query)
    rows = house.view().rows_below(query)
    _check_retention(house, rows)
    targets = [(row, _living(row.state)) for row in rows]
    return _decide(house, "delete", targets, reason, origin, dry_run)


def restore(house: House, query: Query, reason: str, origin: Origin, dry_run: bool = False) -> Decided:
    """Bring back what was deleted and matches, as far as its bytes were not collected; ``dry_run`` as in ``delete``."""
    _check_named(query)
    rows = house.view().gone(query)
    targets = [(row, _undoable(row.state)) for row in rows]
    return _decide(house, "restore", [(row, named) for row, named in targets if named], reason, origin, dry_run)


def promote(house: House, wanted: tuple[str, str, str], key: str, reason: str, origin: Origin) -> Decided:
    """Make the version whose object is ``key`` the current one of an instance. Raises Missing."""
    row = house.view().row_of(*wanted)
    for version in row.state.living if row else ():
        if key in {version.object_of(store).key for store in version.stores}:
            assert row is not None
            return _decide(house, "promote", [(row, (version.first.identity,))], reason, origin)
    raise Missing("no living version of this instance has that object")


def versions(house: House, wanted: tuple[str, str, str]) -> list[Version]:
    """Every living version of an instance, the current one first. Raises Missing."""
    row = house.view().row_of(*wanted)
    if row is None:
        raise Missing("there is no such instance")
    return _versions(row.state)


def several(house: House, study_uid: str) -> list[Several]:
    """Every instance of a study that has more than one living version. Raises Missing."""
    named = Query(level=Level.STUDY, keys=(Key("0020000D", (study_uid,)),))
    rows = house.view().in_series_order(named)
    if not rows:
        raise Missing("there is no such study")
    return [
        Several(
            series_uid=row.facts.series_uid,
            sop_instance_uid=row.facts.sop_instance_uid,
            versions=tuple(_versions(row.state)),
        )
        for row in rows
        if row.facts.sums.several_count
    ]


def deleted(house: House, query: Query) -> list[Gone]:
    """What can be restored of the studies that match, the last deleted first. Raises Invalid for computed keys, and for
    more than an answer holds."""
    studies: dict[str, list[Row]] = {}
    for row in house.view().gone(query, ANSWER_ROWS_COUNT_MAX):
        if _undoable(row.state):
            studies.setdefault(row.facts.study_uid, []).append(row)
    grace_us = house.settings.grace_days * DAY_US
    found = [_gone(study_uid, rows, grace_us) for study_uid, rows in studies.items()]
    return sorted(found, key=lambda one: (-one.deleted_us, one.study_uid))


def _gone(study_uid: str, rows: list[Row], grace_us: int) -> Gone:
    deleted_us = min(row.facts.went for row in rows) * 1_000_000
    return Gone(
        study_uid=study_uid,
        series_count=len({row.facts.series_uid for row in rows}),
        instance_count=len(rows),
        size_bytes=sum(version.object.size_bytes for row in rows for version in row.state.versions),
        deleted_us=deleted_us,
        until_us=deleted_us + grace_us,
        header=level_header(rows[0].header, Level.STUDY),
    )


def _versions(state: InstanceState) -> list[Version]:
    return [
        Version(
            key=version.object.key,
            size_bytes=version.object.size_bytes,
            transfer_syntax_uid=version.object.transfer_syntax_uid,
            stamp=version.first.stamp,
            is_current=number == 0,
        )
        for number, version in enumerate(state.living)
    ]


def collect(house: House) -> int:
    """Remove the bytes of what was deleted longer ago than the grace; the number of objects removed.

    First the record, durable in journal and store; then the bytes that no other store names. A crash between the two
    leaves objects that the next call removes.
    """
    _check_whole(house)
    house.intake.lend_reserve()
    until_us = house.passed_us() - house.settings.grace_days * DAY_US
    rows = house.view().gone_until(until_us // 1_000_000)
    targets = [(row, named) for row in rows if (named := row.state.collectable(until_us))]
    if targets:
        _decide(house, "collect", targets, "grace is over", Origin())
        house.ingest.wait_spilled(LIMITS.store_wait_seconds_max)
    removed = 0
    for row in house.view().gone_until(until_us // 1_000_000):
        for key in row.state.removable_keys():
            name = object_key(house.tenant, key)
            if house.store.exists(name):
                house.store.delete(name)
                removed += 1
    return removed


def _decide(
    house: House,
    kind: str,
    targets: Iterable[tuple[Row, tuple[Identity, ...]]],
    reason: str,
    origin: Origin,
    dry_run: bool = False,
) -> Decided:
    """Acknowledged and folded when this returns. Raises Unavailable, Fenced."""
    _check_whole(house)
    instance_count, lsn, studies = 0, 0, set()
    for note in _notes(kind, targets, reason):
        lsn = 0 if dry_run else house.intake.note(origin, msgspec.msgpack.encode(note))
        instance_count += len(note.targets)
        studies.add(note.study_uid)
    if lsn:
        house.intake.wait(lsn)
        house.ingest.wait_folded(lsn, LIMITS.find_wait_seconds_max)
    return Decided(kind=kind, study_count=len(studies), instance_count=instance_count, lsn=lsn)


def _check_whole(house: House) -> None:
    """What is not known to be all, decides nothing: an object may be named where it cannot be read."""
    if house.damage:
        raise Unavailable(house.damage)


def _notes(kind: str, targets: Iterable[tuple[Row, tuple[Identity, ...]]], reason: str) -> Iterator[Note]:
    ordered = sorted(targets, key=lambda one: one[0].key)
    for study, rows in groupby(ordered, key=lambda one: one[0].facts.study_uid):
        named = [Target(row.facts.series_uid, row.facts.sop_instance_uid, stores) for row, stores in rows]
        for first in range(0, len(named), LIMITS.note_targets_count_max):
            group = tuple(named[first : first + LIMITS.note_targets_count_max])
            yield Note(kind=kind, study_uid=study, targets=group, reason=reason)


def _living(state: InstanceState) -> tuple[Identity, ...]:
    return tuple(store.identity for version in state.living for store in version.stores)


def _undoable(state: InstanceState) -> tuple[Identity, ...]:
    """The deletes that hide what can still come back."""
    deletes = {act.identity for store, act in state.deleted.items() if store not in state.collected}
    return tuple(sorted(deletes))


def _check_named(query: Query) -> None:
    """What is not understood must not widen what is deleted."""
    if not any(map(chooses, query.keys)):
        raise Invalid("name what is meant: at least one key with a value that chooses")
    for key in query.keys:
        if any(value.strip(" \0") for value in key.values) and not chooses(key):
            raise Invalid(f"{key.path} chooses nothing: leave it out")


def _check_retention(house: House, rows: Sequence[Row]) -> None:
    since_us = house.passed_us() - house.settings.retention_days * DAY_US
    kept = sum(any(version.first.stamp > since_us for version in row.state.living) for row in rows)
    if house.settings.retention_days and kept:
        days = house.settings.retention_days
        raise Conflict(f"{kept} of {len(rows)} instances are younger than store.retention_days = {days}: none deleted")
