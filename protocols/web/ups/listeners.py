"""Notifications of the worklist (PS3.18 8.10.5, 11.13): who is connected, and what waits for him.

An event is told once, to the connections that are open. What waits for all of them is bounded: when that is
full, the connection ends for which most waits. It has lost nothing that a search or a retrieval would not say.
"""

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

import trio

from engine.worklist import ALL, PUSH, Event, scp_status
from native import dataset, dicomjson
from protocols.web.messages import Conversation
from protocols.web.ports import Archive
from protocols.web.problems import busy
from protocols.web.settings import WebSettings

MESSAGE_IDS_COUNT: Final = 1 << 16


class Listener(Conversation):
    """One connection of an AE."""

    def __init__(self, forget: "Callable[[Listener], None]") -> None:
        super().__init__()
        self.waiting_bytes = 0
        self._forget = forget
        self._waiting: deque[bytes] = deque()
        self._woken = trio.Event()
        self._is_ending = False
        self._told_count = 0

    def put(self, report: bytes) -> None:
        """One more report waits."""
        if not self._is_ending and not self.lost.is_set():
            self._waiting.append(report)
            self.waiting_bytes += len(report)
            self._woken.set()

    def lose(self) -> None:
        """Too much waits: all of it is dropped, and the connection ends."""
        self._waiting.clear()
        self.waiting_bytes = 0
        self.lost.set()

    async def next(self) -> str | None:
        """See ``Conversation``."""
        while not self._waiting:
            if self._is_ending:
                return None
            self._woken = trio.Event()
            await self._woken.wait()
        self._told_count += 1
        number = self._told_count % MESSAGE_IDS_COUNT
        report = self._waiting.popleft()
        self.waiting_bytes -= len(report)
        whose = dataset.element(0x00000002, "UI", PUSH.encode())
        head = dicomjson.header_json(whose + dataset.element(0x00000110, "US", number.to_bytes(2, "little")))
        return f"{head[:-1].decode()},{report[1:].decode()}"

    def rest(self) -> None:
        """See ``Conversation``."""
        self.put(report_of(ALL, *scp_status("GOING DOWN")))
        self._is_ending = True
        self._woken.set()

    def close(self) -> None:
        """See ``Conversation``."""
        self._forget(self)


class Notifications:
    """The connections of a process. Its loop alone calls, but for ``_hear``."""

    def __init__(self, archive: Archive, settings: WebSettings) -> None:
        self._archive = archive
        self._settings = settings
        self._listeners: dict[str, set[Listener]] = {}
        self._told_of_start: set[str] = set()
        self._beginning = trio.Lock()
        self._token: trio.lowlevel.TrioToken | None = None
        self._unlisten: Callable[[], None] | None = None

    async def open(self, ae_title: str) -> Listener:
        """What an AE is told from now on. Raises Problem when too many listen."""
        if self.count >= self._settings.notifications_count_max:
            raise busy("too many listen to notifications")
        listener = Listener(lambda one: self._forget(ae_title, one))
        self._listeners.setdefault(ae_title, set()).add(listener)
        try:
            await self._begin()
            await self._tell_of_start(ae_title, listener)
        except BaseException:
            listener.close()
            raise
        return listener

    @property
    def count(self) -> int:
        """Connections that are open."""
        return sum(map(len, self._listeners.values()))

    def close(self) -> None:
        """Nothing is heard any more."""
        if self._unlisten is not None:
            self._unlisten()

    async def _begin(self) -> None:
        async with self._beginning:
            if self._unlisten is None:
                self._token = trio.lowlevel.current_trio_token()
                self._unlisten = await self._archive.worklist(lambda worklist: worklist.listen(self._hear))

    async def _tell_of_start(self, ae_title: str, listener: Listener) -> None:
        """The node may have restarted since an AE subscribed: its first connection says so (PS3.4 CC.2.4.3)."""
        if ae_title in self._told_of_start:
            return
        if await self._archive.worklist(lambda worklist: worklist.follows(ae_title)):
            self._told_of_start.add(ae_title)
            listener.put(report_of(ALL, *scp_status("RESTARTED")))

    def _hear(self, events: Sequence[Event]) -> None:
        """From whatever thread; returns at once."""
        wanted = [event for event in events if any(ae_title in self._listeners for ae_title in event.ae_titles)]
        reports = [(event.ae_titles, report_of(event.uid, event.type, event.data)) for event in wanted]
        assert self._token is not None
        with suppress(trio.RunFinishedError):
            self._token.run_sync_soon(self._deliver, reports)

    def _deliver(self, reports: Sequence[tuple[frozenset[str], bytes]]) -> None:
        for ae_titles, report in reports:
            for ae_title in ae_titles:
                for listener in self._listeners.get(ae_title, ()):
                    listener.put(report)
        everybody = [listener for there in self._listeners.values() for listener in there]
        while sum(listener.waiting_bytes for listener in everybody) > self._settings.notifications_bytes_max:
            max(everybody, key=lambda listener: listener.waiting_bytes).lose()

    def _forget(self, ae_title: str, listener: Listener) -> None:
        there = self._listeners.get(ae_title, set())
        there.discard(listener)
        if not there:
            self._listeners.pop(ae_title, None)


def report_of(uid: str, kind: int, data: bytes) -> bytes:
    """A report as DICOM JSON, without what each connection says of it (PS3.18 11.13)."""
    of = dataset.element(0x00001000, "UI", uid.encode()) + dataset.element(0x00001002, "US", kind.to_bytes(2, "little"))
    return dicomjson.header_json(of + data)
