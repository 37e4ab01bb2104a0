"""A process that changes a shared table in a folder and marks what is promised; see test_power_loss_table.py.

Run as ``python -m tests.engine.keep.power_loss_table ROOT LOG`` with the recorder preloaded.
"""

import sys
from pathlib import Path

from engine.clock import ManualClock, SeededIdentifiers
from engine.keep.folder import FolderStore
from engine.keep.shared_table import SharedTable
from engine.limits import Limits
from tests.durability import recorder

PREFIX = "t/default/u/"
LIMITS = Limits(table_slack_rows_max=2, table_cleaned_entries_count=2)
APPENDS = 24


class Rows(dict[str, bytes]):
    """What a table amounts to."""

    def take(self, name: str, body: bytes | None) -> None:
        self.pop(name, None)
        if body is not None:
            self[name] = body


def change(number: int) -> dict[str, bytes | None]:
    """What the n-th append says: three rows by turns, each sometimes removed."""
    return {f"row{number % 3}": None if number % 7 == 6 else b"%d" % number * 40}


def after(count: int) -> dict[str, bytes]:
    """What so many appends amount to."""
    rows = Rows()
    for number in range(count):
        for name, body in change(number).items():
            rows.take(name, body)
    return rows


def run(root: Path) -> None:
    """Marks are numbers of appends; half-way the process starts anew. The folder syncs removals now and then."""
    for start in range(2):
        store = FolderStore(root, checkpoint="files")
        table = SharedTable(store, PREFIX, ManualClock(), SeededIdentifiers(1 + start), Rows(), LIMITS)
        for number in range(start * APPENDS // 2, (start + 1) * APPENDS // 2):
            table.append(lambda number=number: change(number))  # type: ignore[misc]
            recorder.mark(b"%d" % (number + 1))
            table.clean()
            if number % 5 == 4:
                store.sync_pending()
        store.close()


if __name__ == "__main__":
    recorder.start(Path(sys.argv[1]), Path(sys.argv[2]))
    run(Path(sys.argv[1]))
