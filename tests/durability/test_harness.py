"""The harness is tried first: a right writer passes, and each way of being wrong is caught. See ``writers.py``."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.durability import recorder, writers
from tests.durability.disk import Disk, Survival, positions, same_folders


def recorded(name: str, folder: Path) -> tuple[Path, memoryview]:
    root, log = folder / "root", folder / "log"
    root.mkdir()
    command = [sys.executable, "-m", "tests.durability.writers", name, str(root), str(log)]
    environment = {**os.environ, "LD_PRELOAD": str(recorder.shared_object())}
    subprocess.run(command, env=environment, check=True, timeout=30)
    return root, memoryview(log.read_bytes())


def losses(name: str, folder: Path) -> int:
    """In how many of all worlds something is gone that was promised."""
    root, data = recorded(name, folder)
    lost = 0
    for until in range(len(positions(data)) + 1):
        for number, survival in enumerate(Survival):
            disk = Disk(root, _nothing(folder), data, until)
            target = folder / f"{until}-{number}"
            disk.write(target, survival, seed=until)
            found = {path.name: path.read_bytes() for path in target.rglob("f*")}
            lost += any(found.get(mark.decode()) != writers.CONTENT for mark in disk.marks)
    return lost


def _nothing(folder: Path) -> Path:
    empty = folder / "empty"
    empty.mkdir(exist_ok=True)
    return empty


def test_a_careful_writer_loses_nothing_at_any_moment_in_any_world(tmp_path: Path) -> None:
    assert losses("careful", tmp_path) == 0


@pytest.mark.parametrize("name", sorted(set(writers.WRITERS) - {"careful"}))
def test_each_way_of_being_wrong_is_caught(name: str, tmp_path: Path) -> None:
    assert losses(name, tmp_path) > 0


@pytest.mark.parametrize("name", sorted(writers.WRITERS))
def test_the_log_describes_the_folder_that_is_there(name: str, tmp_path: Path) -> None:
    root, data = recorded(name, tmp_path)
    Disk(root, _nothing(tmp_path), data).write(tmp_path / "again", Survival.everything)
    assert same_folders(root, tmp_path / "again") == []


def test_every_kind_of_call_is_seen_and_followed(tmp_path: Path) -> None:
    root, log = tmp_path / "root", tmp_path / "log"
    root.mkdir()
    command = [sys.executable, "-m", "tests.durability.all_calls", str(root), str(log)]
    environment = {**os.environ, "LD_PRELOAD": str(recorder.shared_object())}
    subprocess.run(command, env=environment, check=True, timeout=30)
    data = memoryview(log.read_bytes())
    seen = {line.call for line in positions(data)}
    assert seen >= set(recorder.Call) - {recorder.Call.symlink}
    Disk(root, _nothing(tmp_path), data).write(tmp_path / "again", Survival.everything)
    assert same_folders(root, tmp_path / "again") == []


def test_a_torn_log_ends_where_it_was_torn() -> None:
    assert positions(memoryview(b"")) == []
    assert positions(memoryview(b"\x31")) == []
