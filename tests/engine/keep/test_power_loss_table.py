"""Power loss at any moment, in any world: every change of a shared table that was promised is there, and it goes on."""

import os
import subprocess
import sys
from pathlib import Path

from engine.clock import ManualClock, SeededIdentifiers
from engine.keep.shared_table import SharedTable
from tests.durability import recorder
from tests.durability.disk import Disk, Survival, positions

from .power_loss_table import APPENDS, LIMITS, PREFIX, Rows, after
from .test_power_loss import loaded


def test_what_was_promised_of_a_table_survives_power_loss(tmp_path: Path) -> None:
    root, log, empty = tmp_path / "root", tmp_path / "log", tmp_path / "empty"
    root.mkdir()
    empty.mkdir()
    command = [sys.executable, "-m", "tests.engine.keep.power_loss_table", str(root), str(log)]
    environment = {**os.environ, "LD_PRELOAD": str(recorder.shared_object())}
    subprocess.run(command, env=environment, check=True, timeout=60)
    data = memoryview(log.read_bytes())
    last = len(positions(data))
    assert last > 100
    removed = 0
    for until in range(0, last + 1, 2):
        for number, survival in enumerate(Survival):
            disk = Disk(root, empty, data, until)
            world = tmp_path / f"{until}-{number}"
            disk.write(world, survival, seed=until)
            promised = max((int(mark) for mark in disk.marks), default=0)
            removed += check(world, promised)
    assert removed > 0  # some worlds had entries removed


def check(world: Path, promised: int) -> int:
    """The state is that of the promised appends, or of one more; and the next append finds its place."""
    store, rows = loaded(world), Rows()
    table = SharedTable(store, PREFIX, ManualClock(), SeededIdentifiers(9), rows, LIMITS)
    assert dict(rows) in (after(promised), after(min(promised + 1, APPENDS)))
    table.append(lambda: {"next": b"1"})
    again = Rows()
    SharedTable(store, PREFIX, ManualClock(), SeededIdentifiers(10), again, LIMITS)
    assert again == rows
    return table.entry_count < promised
