"""The rule that makes it safe to give a torn LSN again: a record is on disk before the journal says so."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from bench.data import Shape, files
from engine.house import House
from engine.keep.intake_format import Checkpoint
from engine.keep.journal import Journal, Position
from engine.keep.recovery import recover
from engine.model import Origin, StoreRecord
from engine.settings import StoreSettings
from engine.store import append
from native.segment import Entry


def test_nothing_is_journalled_before_its_record_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for an acknowledgement here: only the spill itself can have had them synced."""
    house = House(StoreSettings(url=str(tmp_path / "archive")))
    seen: list[tuple[int, int]] = []
    write = Journal.append

    def noting(journal: Journal, records: Sequence[StoreRecord], **more: int) -> Position:
        seen.append((records[-1].lsn, house.intake.log.acknowledged_lsn()))
        return write(journal, records, **more)

    monkeypatch.setattr(Journal, "append", noting)
    for one in files(Shape(studies=1, series=1, instances=5, rows=16)):
        append(house, one.data, Origin(how="dimse"))
    house.close()
    assert seen[-1][0] == 5
    assert all(synced >= journalled for journalled, synced in seen)


def test_a_torn_lsn_is_given_again_and_one_that_was_synced_is_not() -> None:
    """LSN 3 was torn: nobody was told of it, and the journal cannot know it."""
    whole = [Entry(lsn, lsn, 1, 1, 1, b"", 0, 0, 0, b"k" * 16, synced_to=2) for lsn in (1, 2)]
    assert recover(whole, Checkpoint()).last_seen == 2
