"""The first of a sending goes out from the thread that makes its association.

A handing over between event loop and thread takes as long as sending an instance: a small study is opened, sent and its
association released in one thread (docs/decisions/0022-a-move-in-one-thread.md).
"""

from collections.abc import Callable, Sequence

import msgspec

from engine.model import Instance
from engine.threads import in_thread
from protocols.dimse.requestor import Requestor
from protocols.dimse.sending import Begun, Sending
from protocols.windows import Window, Windows


class Beginning:
    """Of a part of a sending, over one association. Implements ``requestor.Start``."""

    def __init__(self, sending: Sending, part: Sequence[Instance], windows: Windows) -> None:
        self._sending = sending
        self._part = part
        self._windows = windows
        self._window: Window | None = None
        self._begun: Begun | None = None

    async def in_thread(self, work: Callable[[], None]) -> None:
        async with self._sending.turns:
            await in_thread(work, self._sending.outbound.threads)

    def prepare(self) -> None:
        self._window = self._windows.first()

    def send(self, requestor: Requestor) -> bool:
        if self._window is None:
            return True
        self._begun = self._sending.begin(requestor, self._part, self._window)
        return len(self._begun.statuses) == len(self._part)

    async def go_on(self, requestor: Requestor) -> None:
        """In the event loop: what is not sent yet, or not answered."""
        begun, sending = self._begun, self._sending
        if begun is not None and len(begun.statuses) < len(begun.jobs):
            async with sending.turns:
                statuses = await requestor.answers(
                    begun.jobs,
                    begun.statuses,
                    sending.outbound.threads,
                    seals=begun.seals,
                    originator=sending.originator,
                )
            begun = msgspec.structs.replace(begun, statuses=statuses)
        await sending.send(requestor, self._part, self._windows, begun)
