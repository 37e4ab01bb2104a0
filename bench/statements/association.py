"""An association of our own (PS3.8 9.3), that proposes and says exactly what a statement wants said."""

import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from io import BytesIO
from typing import Self

import trio
from msgspec import Struct
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset

from bench.data import EXPLICIT_LITTLE
from bench.lean import APPLICATION_CONTEXT, IMPLEMENTATION, Command, Target
from bench.statements.objects import IMPLICIT_LITTLE, Made
from bench.statements.statement import Unmet
from native import pdu

PDU_BYTES_MAX = 65536
RECEIVED_BYTES_MAX = 1 << 18
ACCEPT, REJECT, DATA, RELEASE_REQUEST, RELEASE_RESPONSE, ABORT = 2, 3, 4, 5, 6, 7
STATUS, ERROR_COMMENT, NO_DATA_SET = 0x900, 0x902, 0x101
C_STORE, C_GET, C_FIND, C_MOVE, C_ECHO, C_CANCEL, N_EVENT_REPORT, N_ACTION = (
    1,
    0x10,
    0x20,
    0x21,
    0x30,
    0xFFF,
    0x100,
    0x130,
)
RESPONSE = 0x8000
Proposal = tuple[str, Sequence[str]]  # abstract syntax, transfer syntaxes
PLAIN = (EXPLICIT_LITTLE, IMPLICIT_LITTLE)


class Rejected(Unmet):
    """A-ASSOCIATE-RJ (PS3.8 9.3.4): result, source, reason."""

    def __init__(self, result: int, source: int, reason: int) -> None:
        super().__init__(f"the association is rejected: {result}/{source}/{reason}")
        self.said = (result, source, reason)


class Gone(Unmet):
    """The peer aborted, or closed the connection."""


class Message(Struct, frozen=True):
    """One DIMSE message."""

    context: int
    command: Command
    data: bytes

    @property
    def status(self) -> int:
        found = self.command.get(STATUS)
        return found if isinstance(found, int) else -1

    def number(self, element: int) -> int:
        """A number of the command; -1 when it is not there."""
        found = self.command.get(element)
        return found if isinstance(found, int) else -1

    def text(self, element: int) -> str:
        return str(self.command.get(element, "")).strip(" \0")


class Association:
    """``contexts``: id to (abstract syntax, result, transfer syntax), each that the peer answered."""

    def __init__(self, stream: trio.abc.Stream, title: str) -> None:
        self._stream = stream
        self._received = bytearray()
        self._message_id = 0
        self.title = title
        self.contexts: dict[int, tuple[str, int, str]] = {}
        self.user = pdu.UserInformation()
        self.longest_pdu_bytes = 0

    async def propose(
        self,
        proposals: Sequence[Proposal],
        *,
        called: bytes,
        calling: bytes,
        pdu_bytes_max: int = PDU_BYTES_MAX,
        roles: Sequence[tuple[str, bool, bool]] = (),
        extended: Sequence[tuple[str, bytes]] = (),
        window: tuple[int, int] | None = None,
    ) -> Self:
        """Ask for the association. Raises Rejected, or Gone."""
        contexts = [(2 * at + 1, name, [*syntaxes]) for at, (name, syntaxes) in enumerate(proposals)]
        user = pdu.UserInformation(pdu_bytes_max, IMPLEMENTATION, "CONFORMANCE", window, roles, extended)
        request = pdu.AssociateRequest(called, calling, APPLICATION_CONTEXT, contexts, user)
        await self._stream.send_all(pdu.encode_associate_request(request))
        kind, body = await self.read()
        if kind == REJECT:
            raise Rejected(body[1], body[2], body[3])
        if kind != ACCEPT:
            raise Gone(f"PDU type {kind} where the association's answer is expected")
        accept = pdu.decode_associate_accept(body)
        names = {number: name for number, name, _ in contexts}
        self.contexts = {number: (names[number], result, name) for number, result, name in accept.contexts}
        self.user = accept.user
        return self

    def context(self, abstract_syntax: str, transfer_syntax: str = "") -> int:
        """The accepted context of a class, in this syntax or any. Raises Unmet when there is none."""
        for number, (name, result, syntax) in self.contexts.items():
            if name == abstract_syntax and result == 0 and transfer_syntax in ("", syntax):
                return number
        results = [result for name, result, _ in self.contexts.values() if name == abstract_syntax]
        wanted = f" in {transfer_syntax}" if transfer_syntax else ""
        raise Unmet(f"no presentation context for {abstract_syntax}{wanted} (results {results or 'none'})")

    def is_implicit(self, context: int) -> bool:
        return self.contexts[context][2] == IMPLICIT_LITTLE

    async def read(self) -> tuple[int, bytes]:
        """Type and body of the next PDU. Raises Gone when the connection ends or is aborted."""
        head = await self._read(6)
        length = int.from_bytes(head[2:], "big")
        if head[0] == DATA:
            self.longest_pdu_bytes = max(self.longest_pdu_bytes, length)
        elif length > pdu.CONTROL_PDU_BYTES_MAX:
            raise Gone(f"a PDU of type {head[0]} that claims {length} bytes")
        body = await self._read(length)
        if head[0] == ABORT:
            raise Gone(f"the peer aborted: source {body[2]}, reason {body[3]}")
        return head[0], body

    async def _read(self, count: int) -> bytes:
        while len(self._received) < count:
            piece = await self._stream.receive_some(RECEIVED_BYTES_MAX)
            if not piece:
                raise Gone("the peer closed the connection")
            self._received += piece
        taken = bytes(self._received[:count])
        del self._received[:count]
        return taken

    async def message(self) -> Message:
        """The next message, whole. Raises Gone."""
        command, data, values, context = b"", b"", bytearray(), 0
        while True:
            kind, body = await self.read()
            if kind != DATA:
                raise Gone(f"PDU type {kind} where data is expected")
            at = 0
            while at < len(body):
                end = at + 4 + int.from_bytes(body[at : at + 4], "big")
                context, flags = body[at + 4], body[at + 5]
                values += body[at + 6 : end]
                at = end
                if flags & 2:
                    command, data = (bytes(values), data) if flags & 1 else (command, bytes(values))
                    values.clear()
                    if not flags & 1 or pdu.decode_command(command).get(0x800) == NO_DATA_SET:
                        return Message(context, pdu.decode_command(command), data)

    async def send(self, context: int, command: Command, data: bytes | None = None) -> None:
        """One message; 0x800 is put by whether there is data."""
        whole = pdu.encode_command({**command, 0x800: NO_DATA_SET if data is None else 1})
        await self._stream.send_all(pdu.encode_message(context, whole, data, self.user.pdu_bytes_max or PDU_BYTES_MAX))

    async def send_raw(self, data: bytes) -> None:
        await self._stream.send_all(data)

    def next_id(self) -> int:
        """A message id that was not used."""
        self._message_id += 1
        return self._message_id

    async def echo(self) -> int:
        """The status of a C-ECHO."""
        sop_class = "1.2.840.10008.1.1"
        await self.send(self.context(sop_class), {0x2: sop_class, 0x100: C_ECHO, 0x110: self.next_id()})
        return (await self.message()).status

    async def store(self, made: Made, context: int | None = None, data: bytes | None = None) -> Message:
        """The response to a C-STORE of its data set, or of ``data`` in its place."""
        chosen = self.context(made.sop_class, made.syntax) if context is None else context
        command: Command = {0x2: made.sop_class, 0x100: C_STORE, 0x110: self.next_id(), 0x700: 0, 0x1000: made.sop}
        await self.send(chosen, command, made.body if data is None else data)
        return await self.message()

    async def release(self) -> None:
        """In order. Raises Gone when the peer does not answer."""
        await self._stream.send_all(pdu.encode_release_request())
        kind, _ = await self.read()
        if kind != RELEASE_RESPONSE:
            raise Gone(f"PDU type {kind} where the release is answered")


@asynccontextmanager
async def associated(
    target: Target,
    proposals: Sequence[Proposal],
    calling: str,
    *,
    called: str | None = None,
    tls: ssl.SSLContext | None = None,
    pdu_bytes_max: int = PDU_BYTES_MAX,
    roles: Sequence[tuple[str, bool, bool]] = (),
    extended: Sequence[tuple[str, bytes]] = (),
    window: tuple[int, int] | None = None,
) -> AsyncIterator[Association]:
    """An open association, released at the end of the block, or closed when something was wrong."""
    stream: trio.abc.Stream = await trio.open_tcp_stream(target.host, target.port)
    if tls is not None:
        stream = trio.SSLStream(stream, tls, server_hostname=target.host, https_compatible=True)
    opened = Association(stream, target.ae_title)
    try:
        title = target.ae_title if called is None else called
        yield await opened.propose(
            proposals,
            called=title.encode("ascii").ljust(16),
            calling=calling.encode("ascii").ljust(16),
            pdu_bytes_max=pdu_bytes_max,
            roles=roles,
            extended=extended,
            window=window,
        )
        await opened.release()
    finally:
        with trio.move_on_after(1, shield=True):
            await stream.aclose()


async def store(target: Target, made: Sequence[Made], calling: str) -> dict[str, str]:
    """All of them over one association; SOP Instance UID to reason of those that are refused."""
    pairs = sorted({(one.sop_class, one.syntax) for one in made})
    refused: dict[str, str] = {}
    async with associated(target, [(name, [syntax]) for name, syntax in pairs], calling) as opened:
        for one in made:
            what = f"{one.sop_class} in {one.syntax}"
            if opened.contexts[2 * pairs.index((one.sop_class, one.syntax)) + 1][1]:
                refused[one.sop] = f"no presentation context for {what}"
                continue
            answer = await opened.store(one)
            if answer.status:
                refused[one.sop] = f"C-STORE of {what}: {answer.status:04X} {answer.text(ERROR_COMMENT)}".rstrip()
    return refused


def encoded(keys: Dataset, is_implicit: bool) -> bytes:
    """An identifier's bytes."""
    out = DicomBytesIO()
    out.is_implicit_VR, out.is_little_endian = is_implicit, True
    write_dataset(out, keys)
    return out.getvalue()


def decoded(data: bytes, is_implicit: bool) -> Dataset:
    """An identifier of bytes."""
    return read_dataset(BytesIO(data), is_implicit, True)
