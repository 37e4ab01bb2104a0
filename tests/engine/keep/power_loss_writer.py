"""A process that keeps objects and journal records in a folder and marks what is promised; see test_power_loss.py.

Run as ``python -m tests.engine.keep.power_loss_writer ROOT LOG CHECKPOINT`` with the recorder preloaded.
"""

import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from engine.clock import ManualClock, SeededIdentifiers
from engine.errors import Conflict
from engine.keep.folder import FolderStore
from engine.keep.journal import Journal
from tests.durability import recorder
from tests.engine.keep.records import record


def content_of(key: str) -> bytes:
    """What each key holds: some sectors, other ones for each key."""
    return key.encode() * 60


def run(root: Path, checkpoint: str) -> None:
    """Marks are ``object KEY`` and ``lsn NUMBER``."""
    store = FolderStore(root, checkpoint="syncfs" if checkpoint == "syncfs" else "files")
    names = SeededIdentifiers()
    lsn = 0
    for start in range(2):
        journal = Journal.open(store, "default", "w1", ManualClock(), names)
        recorder.mark(b"floor %d" % journal.last_lsn())
        for batch in range(2):
            pending = [f"t/default/o/{number}{batch}/p{start}" for number in range(3)]
            for key in pending[:2]:
                store.create(key, [content_of(key)], durable=False)
            with tempfile.TemporaryFile() as segment:
                segment.write(content_of(pending[2]))
                segment.flush()
                store.copy_in(pending[2], segment.fileno(), 0, segment.tell(), durable=False)
            with suppress(Conflict):
                store.create(pending[0], [b"other"], durable=False)
            store.put(pending[1], [content_of(pending[1])], durable=False)
            durable = f"t/default/s/d{start}{batch}"
            store.create(durable, [content_of(durable)], durable=True)
            recorder.mark(f"object {durable}".encode())
            journal.append([record(lsn + 1), record(lsn + 2)])
            lsn += 2
            recorder.mark(b"lsn %d" % lsn)
            store.sync_pending()
            for key in pending:
                recorder.mark(f"object {key}".encode())
            store.put(durable, [content_of(durable)], durable=True)
    journal.close()


if __name__ == "__main__":
    recorder.start(Path(sys.argv[1]), Path(sys.argv[2]))
    run(Path(sys.argv[1]), sys.argv[3])
