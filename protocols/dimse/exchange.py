"""One request and its responses, as the services see it."""

import logging
from collections.abc import Iterable, Iterator
from typing import Protocol

from native import pdu
from protocols.dimse import commands
from protocols.dimse.commands import Command, Counters
from protocols.dimse.status import name_of

log = logging.getLogger("filmroom.dimse")


class Gone(Exception):
    """The association cannot go on; ``str`` says why."""


class Line(Protocol):
    """The association below an exchange."""

    async def send(self, data: bytes) -> None: ...
    async def is_over(self, message_id: int) -> bool:
        """Whether C-CANCEL came for this message, or the peer is gone. Looks at the socket, does not wait."""


class Exchange:
    """Queue responses with ``add``; ``flush`` puts all that is queued into one send."""

    def __init__(
        self,
        line: Line,
        request: Command,
        context_id: int,
        transfer_syntax_uid: str,
        identifier: bytes,
        *,
        calling_ae_title: str,
        pdu_bytes_max: int,
        send_bytes: int,
    ) -> None:
        self.request = request
        self.transfer_syntax_uid = transfer_syntax_uid
        self.identifier = identifier
        self.calling_ae_title = calling_ae_title
        self.context_id = context_id
        self._line = line
        self._pdu_bytes_max = pdu_bytes_max
        self._send_bytes = send_bytes
        self._queue: list[bytes] = []
        self._queued_bytes = 0

    def respond(
        self, status: int, dataset: bytes | None = None, *, comment: str = "", counters: Counters | None = None
    ) -> None:
        """Queue one response."""
        has_dataset = dataset is not None
        command = commands.response(self.request, status, has_dataset=has_dataset, comment=comment, counters=counters)
        self.add(command, dataset)

    def refuse(self, status: int, why: str) -> None:
        """Queue a response that says no, and log it. ``why`` names no value that was sent."""
        extra = {"calling": self.calling_ae_title, "status": f"{status:04X}", "reason": why}
        log.warning("request refused", extra={**extra, "status_name": name_of(status), "field": self.request.field})
        self.respond(status, comment=why)

    def add(self, command: bytes, dataset: bytes | None) -> bool:
        """Queue one response whose command set is built already. True when the queue should be flushed."""
        return self.queue(pdu.encode_message(self.context_id, command, dataset, self._pdu_bytes_max))

    def queue(self, data: bytes) -> bool:
        """Queue what is PDUs already."""
        self._queue.append(data)
        self._queued_bytes += len(data)
        return self._queued_bytes >= self._send_bytes

    def sends(self, command: bytes, datasets: Iterable[bytes]) -> Iterator[bytes]:
        """A response for each data set, as many in one piece as make a send. Pure: any thread may do it."""
        gathered: list[bytes] = []
        size = 0
        for dataset in datasets:
            message = pdu.encode_message(self.context_id, command, dataset, self._pdu_bytes_max)
            gathered.append(message)
            size += len(message)
            if size >= self._send_bytes:
                yield b"".join(gathered)
                gathered.clear()
                size = 0
        if gathered:
            yield b"".join(gathered)

    def forget(self) -> None:
        """Drop what is queued."""
        self._queue.clear()
        self._queued_bytes = 0

    async def flush(self) -> None:
        if self._queue:
            data = b"".join(self._queue)
            self.forget()
            await self._line.send(data)

    async def is_over(self) -> bool:
        return await self._line.is_over(self.request.message_id)
