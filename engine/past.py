"""The archive as it was: the journal folded up to a moment, beside the index that serves.

Costs what a reindex of the time before costs; the last moment asked for is kept at hand. What was collected since is
named, but its bytes are gone.
"""

import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from engine.clock import Clock
from engine.index import Index, View
from engine.keep.formats import Batch
from engine.model import Record

Read = Callable[[], Iterator[Batch]]


class Past:
    """One moment at a time; a second thread waits for the first. ``close`` removes what was built."""

    def __init__(self, directory: Path | None, clock: Clock, character_set: str = "") -> None:
        """``directory``: where an index may be built (None: in memory); what an earlier process left there goes."""
        self._directory = directory
        self._clock = clock
        self._character_set = character_set
        self._lock = threading.Lock()
        self._stamp = 0
        self._index: Index | None = None
        self._clear()

    def view(self, stamp: int, read: Read) -> View:
        """What was acknowledged up to ``stamp`` (microseconds, UTC), as ``read`` gives the journal from its beginning.

        Raises Unavailable, Corrupt as reading the journal does.
        """
        with self._lock:
            if self._index is None or self._stamp != stamp:
                self._clear()
                self._index = self._folded(stamp, read)
                self._stamp = stamp
            return self._index.view()

    def close(self) -> None:
        with self._lock:
            self._clear()

    def _folded(self, stamp: int, read: Read) -> Index:
        index = Index.open(self._directory, self._clock, character_set=self._character_set)
        for batch in read():
            index.fold(_until(stamp, batch.records), placed=True)
            if index.due():
                index.settle()
        return index

    def _clear(self) -> None:
        if self._index is not None:
            self._index.close()
            self._index = None
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)


def _until(stamp: int, records: list[Record]) -> list[Record]:
    return [record for record in records if record.stamp <= stamp]
