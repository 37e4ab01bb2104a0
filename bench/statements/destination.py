"""Where C-MOVE sends to, and storage commitment reports to: a port of ours that keeps what comes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
from msgspec import Struct

from bench.data import EXPLICIT_LITTLE
from bench.lean import APPLICATION_CONTEXT, IMPLEMENTATION, Command
from bench.statements.asking import Got
from bench.statements.association import (
    C_ECHO,
    C_STORE,
    N_EVENT_REPORT,
    PDU_BYTES_MAX,
    RESPONSE,
    Association,
    Gone,
    Message,
)
from bench.statements.statement import Untried
from bench.statements.subject import Subject
from native import pdu

REFUSED_STATUS = 0xA700


class Report(Struct, frozen=True):
    """One N-EVENT-REPORT."""

    event_type: int
    data: bytes
    is_implicit: bool


class Destination:
    """What came. ``refused``: SOP Instance UIDs that are answered by A700."""

    def __init__(self, refused: frozenset[str]) -> None:
        self.got: list[Got] = []
        self.reports: list[Report] = []
        self.refused = refused
        self.reported = trio.Event()

    async def serve(self, stream: trio.SocketStream) -> None:
        """One association to its end."""
        opened = Association(stream, "")
        try:
            await self._accept(opened)
            while True:
                await self._answer(opened, await opened.message())
        except (Gone, trio.BrokenResourceError, trio.ClosedResourceError, ValueError):
            await stream.aclose()

    async def _accept(self, opened: Association) -> None:
        kind, body = await opened.read()
        if kind != 1:
            raise Gone(f"PDU type {kind} where an association is asked for")
        request = pdu.decode_associate_request(body)
        contexts = []
        for number, name, syntaxes in request.contexts:
            chosen = EXPLICIT_LITTLE if EXPLICIT_LITTLE in syntaxes else syntaxes[0]
            opened.contexts[number] = (name, 0, chosen)
            contexts.append((number, 0, chosen))
        opened.user = request.user
        user = pdu.UserInformation(PDU_BYTES_MAX, IMPLEMENTATION, "CONFORMANCE", roles=request.user.roles)
        titles = request.called_ae_title, request.calling_ae_title
        await opened.send_raw(
            pdu.encode_associate_accept(pdu.AssociateAccept(*titles, APPLICATION_CONTEXT, contexts, user))
        )

    async def _answer(self, opened: Association, message: Message) -> None:
        field, sop = message.number(0x100), message.text(0x1000)
        command: Command = {0x100: field | RESPONSE, 0x120: message.number(0x110), 0x900: 0}
        if field == C_STORE:
            name, _, syntax = opened.contexts[message.context]
            if sop in self.refused:
                command[0x900] = REFUSED_STATUS
            else:
                self.got.append(Got(name, sop, syntax, message.data))
            command |= {0x2: message.text(0x2), 0x1000: sop}
        elif field == N_EVENT_REPORT:
            event_type = message.number(0x1002)
            self.reports.append(Report(event_type, message.data, opened.is_implicit(message.context)))
            self.reported.set()
            command |= {0x2: message.text(0x2), 0x1000: sop, 0x1002: event_type}
        elif field != C_ECHO:
            raise Gone(f"command {field:04X} is not for a destination")
        await opened.send(message.context, command)


@asynccontextmanager
async def destination(subject: Subject, refused: frozenset[str] = frozenset()) -> AsyncIterator[Destination]:
    """Listens on the port that the server knows, until the block ends."""
    opened = Destination(refused)
    host, port = "127.0.0.1" if subject.asked.is_here else None, subject.asked.move_port
    try:
        listeners = await trio.open_tcp_listeners(port, host=host)
    except OSError as error:
        raise Untried(f"nothing can listen on port {port} of this machine: {error.strerror or error}") from None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, opened.serve, listeners)
        yield opened
        nursery.cancel_scope.cancel()
