"""What a start finds in the intake: pure decisions over scanned entries."""

from collections.abc import Sequence

import msgspec

from engine.errors import Corrupt
from engine.keep.intake_format import Checkpoint
from native.segment import Entry


class Recovered(msgspec.Struct, frozen=True):
    """``entries``: acknowledged and not durable elsewhere, in LSN order. No LSN up to ``last_seen`` is given again.

    A record that power loss tore leaves no trace, so its LSN *is* given again, to another instance. That is safe by one
    rule, kept in ``Spill.run`` and ``Settler``: what is derived from a record (object, journal, settled index) becomes
    durable only after the record itself was synced. So no torn LSN was ever journalled; the journal's highest LSN is a
    floor beside this one (``lsn_floor``) for a node directory that was lost.
    """

    entries: list[Entry]
    last_seen: int
    last_stamp: int


def recover(entries: Sequence[Entry], checkpoint: Checkpoint, promised_lsn: int = 0) -> Recovered:
    """Keep the prefix above the checkpoint that has no hole.

    A hole at or below what a later record knew to be synced, or what is known to be promised, is Corrupt: an
    acknowledged record is missing. Above it, it is where the power went: what stands behind it was never acknowledged.
    """
    ordered = sorted((entry for entry in entries if entry.lsn > checkpoint.lsn), key=lambda entry: entry.lsn)
    synced_to = max([promised_lsn, *(entry.synced_to for entry in ordered)])
    kept: list[Entry] = []
    expected = checkpoint.lsn + 1
    for entry in ordered:
        if _is_void(entry.lsn, checkpoint):
            continue
        expected = _skip_voids(expected, checkpoint)
        if entry.lsn > expected:
            break
        kept.append(entry)
        expected = entry.lsn + 1
    missing = _skip_voids(expected, checkpoint)
    if missing <= synced_to:
        raise Corrupt(f"record {missing} of the intake was acknowledged and is not there")
    given = [checkpoint.lsn, *(entry.lsn for entry in ordered), *(first - 1 for _, first in checkpoint.voids)]
    return Recovered(
        kept,
        max(given),
        max((entry.stamp for entry in ordered), default=0),
    )


def _is_void(lsn: int, checkpoint: Checkpoint) -> bool:
    return any(last < lsn < first for last, first in checkpoint.voids)


def _skip_voids(lsn: int, checkpoint: Checkpoint) -> int:
    for last, first in checkpoint.voids:
        if last < lsn < first:
            return first
    return lsn
