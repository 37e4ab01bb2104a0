"""The process that dies: an archive in a child that the trial's fork server makes, commanded over a pipe.

Commands are tuples ``(name, *arguments)``; each is answered by ``("done", value)`` or ``("failed", kind, sentence)``.
While ``load`` runs, ``("acknowledged", index)`` goes out for each promise, as soon as it is made.
"""

import contextlib
import ctypes
import threading
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import msgspec

from engine.errors import FilmroomError
from engine.settings import StoreSettings
from tests.durability import recorder
from tests.durability.files import Send
from tests.durability.recorder import Fault

SENDERS = 4
INTAKE_BYTES_MAX = 16 << 20
PR_SET_PTRACER = 0x59616D61  # linux/prctl.h; has no effect where the Yama module is not there


class Order(msgspec.Struct, frozen=True):
    """How to boot. ``log`` empty: nothing is recorded and no fault happens. ``disk``: what is recorded, above root.

    ``traced``: the child waits for ``go`` before it opens anything, and lets any process trace it.
    """

    root: str
    disk: str = ""
    log: str = ""
    fault: Fault = recorder.NO_FAULT
    ack: str = "disk"
    checkpoint: str = "auto"
    keeper: str = "whole"
    traced: bool = False


def run(connection: Connection, order: Order) -> None:
    """The child's main function."""
    if order.log:
        recorder.start(Path(order.disk or order.root), Path(order.log), order.fault)
    if order.traced:
        ctypes.CDLL(None).prctl(PR_SET_PTRACER, ctypes.c_ulong(-1))
        assert connection.recv() == ("go",)
    host = Host(connection)
    try:
        host.serve(order)
    except (FilmroomError, OSError) as error:
        host.answer("failed", type(error).__name__, str(error))
        raise SystemExit(3) from error


class Host:
    """Obeys one command after the other."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    def serve(self, order: Order) -> None:
        settings = msgspec.convert(
            {
                "url": order.root,
                "ack": order.ack,
                "checkpoint": order.checkpoint,
                "intake_bytes_max": INTAKE_BYTES_MAX,
            },
            StoreSettings,
        )
        self._keeper = keeper(order.keeper)(settings)
        recorder.mark(b"opened")
        self.answer("done", "opened")
        while (words := self._connection.recv())[0] != "close":
            self._obey(*words)
        self._keeper.close()
        self.answer("done", "closed")

    def answer(self, *words: Any) -> None:
        with self._lock, contextlib.suppress(OSError):
            self._connection.send(words)

    def _obey(self, command: str, *arguments: Any) -> None:
        own = {"load": self._load, "aim": recorder.aim}
        try:
            self.answer("done", (own.get(command) or getattr(self._keeper, command))(*arguments))
        except (FilmroomError, OSError) as error:
            self.answer("failed", type(error).__name__, str(error))

    def _load(self, sends: list[Send], first: int) -> list[tuple[int, str]]:
        """Send all, several at a time, those of one instance in order; what was refused, by index from ``first``."""
        refused: list[tuple[int, str]] = []
        numbered = list(enumerate(sends, first))
        lanes = [[one for one in numbered if one[1].number % SENDERS == n] for n in range(SENDERS)]
        senders = [
            threading.Thread(target=self._send, args=(number % 2 == 1, lane, refused), daemon=True)
            for number, lane in enumerate(lanes)
        ]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        return refused

    def _send(self, found_too: bool, lane: list[tuple[int, Send]], refused: list[tuple[int, str]]) -> None:
        count = self._keeper.together
        for part in (lane[first : first + count] for first in range(0, len(lane), count)):
            try:
                self._hand_over(found_too, [send for _, send in part])
            except (FilmroomError, OSError) as error:
                refused.extend((index, f"{type(error).__name__}: {error}") for index, _ in part)
                continue
            for index, _ in part:
                recorder.mark(b"acknowledged %d" % index)
                self.answer("acknowledged", index)

    def _hand_over(self, found_too: bool, sends: list[Send]) -> None:
        if self._keeper.together > 1:
            self._keeper.store_all(sends)
        elif found_too:
            self._keeper.store(sends[0])
        else:
            self._keeper.hand_in(sends[0])


def keeper(name: str) -> Any:
    """The class that stands behind the pipe: all of the archive, with its web or without, or what is true of it."""
    if name == "stowed":
        from tests.durability.stowed import Stowed

        return Stowed
    if name == "whole":
        from tests.durability.whole import Whole

        return Whole
    from tests.durability.cellar import Cellar

    return Cellar
