"""Settles the index behind everybody's back: neither drain nor spill waits for its merges and syncs."""

import logging
import threading
from collections.abc import Callable

from engine.errors import FilmroomError, Unavailable
from engine.index import Index
from engine.keep.intake import Intake

log = logging.getLogger("filmroom.settling")

RETRY_SECONDS = 5.0
POLL_SECONDS = 1.0  # rows become old without anybody saying so


class Settler:
    """Owns one thread. A settle that fails is tried again later: the index is derived, what it would hold is kept."""

    def __init__(self, index: Index, intake: Intake, settled: Callable[[], None]) -> None:
        """``settled`` is called after each attempt, by the thread."""
        self._index = index
        self._intake = intake
        self._settled = settled
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._failing = False
        self._thread = threading.Thread(target=self._run, name="filmroom-settle", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def poke(self) -> None:
        """Something was folded or journalled: settle if it is time."""
        if self._index.due():
            self._wake.set()

    def stop(self, patience_seconds: float, *, settle: bool) -> None:
        """End the thread; ``settle``: make all of the index durable first. Raises Unavailable when it hangs."""
        self._stopping.set()
        self._wake.set()
        self._thread.join(patience_seconds)
        if self._thread.is_alive():
            raise Unavailable("the index does not come to the end of its settle")
        if settle:
            self._try()

    def _run(self) -> None:
        while True:
            woken = self._wake.wait(POLL_SECONDS)
            self._wake.clear()
            if self._stopping.is_set():
                return
            if not woken and not self._index.due():
                self._rest()
            elif self._try():
                continue
            else:
                self._stopping.wait(RETRY_SECONDS)
                self._wake.set()

    def _rest(self) -> None:
        try:
            self._index.rest()
        except FilmroomError as error:
            log.warning("index not merged", extra={"reason": str(error)})

    def _try(self) -> bool:
        try:
            self._index.settle(self._make_durable)
        except (FilmroomError, OSError) as error:
            if not self._failing:
                log.warning("index not settled", extra={"reason": str(error)})
            self._failing = True
        else:
            self._failing = False
        self._settled()
        return not self._failing or bool(self._intake.log.failure())

    def _make_durable(self) -> None:
        """What the settled index names must be in the intake durably, or it would outlive its instance."""
        self._intake.sync(self._intake.log.written_lsn())
