"""Power loss at any moment, in any world: what the folder promised is there, and the journal goes on."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.clock import ManualClock, SeededIdentifiers
from engine.keep import posix
from engine.keep.bucket import MemoryStore
from engine.keep.journal import Journal
from tests.durability import recorder
from tests.durability.disk import Disk, Survival, positions

from .power_loss_writer import content_of
from .records import record


def record_run(folder: Path, checkpoint: str) -> tuple[Path, memoryview]:
    root, log = folder / "root", folder / "log"
    root.mkdir()
    command = [sys.executable, "-m", "tests.engine.keep.power_loss_writer", str(root), str(log), checkpoint]
    environment = {**os.environ, "LD_PRELOAD": str(recorder.shared_object())}
    subprocess.run(command, env=environment, check=True, timeout=60)
    return root, memoryview(log.read_bytes())


def loaded(folder: Path) -> MemoryStore:
    """What survived, in memory: opening the folder itself would cost a sync each time."""
    store = MemoryStore()
    for path in folder.rglob("*"):
        if path.is_file() and ".incoming" not in path.parts:
            store.create(str(path.relative_to(folder)), [path.read_bytes()], durable=True)
    return store


@pytest.mark.parametrize("checkpoint", ["files", "syncfs"])
def test_what_was_promised_survives_power_loss(tmp_path: Path, checkpoint: str) -> None:
    fd = os.open(tmp_path, os.O_RDONLY)
    reports = posix.syncfs_reports_errors(fd)
    os.close(fd)
    if checkpoint == "syncfs" and not reports:
        pytest.skip("this file system has no syncfs that reports errors")
    root, data = record_run(tmp_path, checkpoint)
    empty = tmp_path / "empty"
    empty.mkdir()
    last = len(positions(data))
    assert last > 100
    for until in range(last + 1):
        for number, survival in enumerate(Survival):
            disk = Disk(root, empty, data, until)
            world = tmp_path / f"{until}-{number}"
            disk.write(world, survival, seed=until)
            check_world(loaded(world), [mark.decode().split() for mark in disk.marks], survival)


def check_world(store: MemoryStore, marks: list[list[str]], survival: Survival) -> None:
    for key in [name for kind, name in marks if kind == "object"]:
        assert store.get(key) == content_of(key)
    for key in store.list("t/default/s/"):
        assert store.get(key) == content_of(key)  # written durably: never half a file under its name
    if survival == Survival.everything:
        for key in store.list("t/default/o/"):
            assert store.get(key) == content_of(key)  # kill -9 leaves no half file either
    promised = max((int(name) for kind, name in marks if kind == "lsn"), default=0)
    journal = Journal.open(store, "default", "w1", ManualClock(), SeededIdentifiers(2))
    found = [one.lsn for _, batch in journal.read({}) for one in batch.records]
    assert found in (list(range(1, promised + 1)), list(range(1, promised + 3)))
    assert journal.last_lsn() == len(found)
    assert all((lsn in journal.lsns_journalled) == (lsn in found) for lsn in range(1, 12))
    journal.append([record(100)])
    assert [one.lsn for _, batch in journal.read({}) for one in batch.records] == [*found, 100]
