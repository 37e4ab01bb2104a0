"""Names that an earlier process gave and may not have synced are made durable before anybody is told of them."""

import os
from pathlib import Path

import pytest

from engine.clock import ManualClock, SeededIdentifiers
from engine.keep.folder import FolderStore
from engine.keep.journal import Journal

from .records import record


def open_journal(root: Path, seed: int) -> Journal:
    return Journal.open(FolderStore(root), "default", "w1", ManualClock(), SeededIdentifiers(seed))


@pytest.mark.parametrize("closed", [True, False])
def test_the_end_of_the_last_epoch_is_synced_before_the_next_is_opened(
    closed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after the rename of its seal (or its last batch), before the sync of the folder."""
    first = open_journal(tmp_path, 1)
    first.append([record(1)])
    if closed:
        first.close()
    synced: list[str] = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(str(Path(f"/proc/self/fd/{fd}").readlink())) or fsync(fd))
    open_journal(tmp_path, 2)
    epoch, stream = tmp_path / "t/default/j/w1/00000001", tmp_path / "t/default/w"
    assert synced.index(str(epoch)) < synced.index(str(stream))
