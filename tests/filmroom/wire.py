"""A peer on a bare, blocking socket that says exactly what a test wants said to a running node."""

import socket
import struct
from collections.abc import Iterator
from typing import Any

import msgspec

from native import pdu
from protocols.dimse import classes
from protocols.dimse.negotiation import granted, propose

SECONDS = 30
Pair = tuple[str, str]
Address = tuple[str, int]
Elements = dict[int, Any]
A_ASSOCIATE_AC, A_ASSOCIATE_RJ, P_DATA, A_RELEASE_RP, A_ABORT, CLOSED = 2, 3, 4, 6, 7, 0


class Answer(msgspec.Struct, frozen=True):
    """One response: its status, its Error Comment, its data set."""

    status: int
    comment: str
    elements: Elements
    identifier: bytes


class Gone(Exception):
    """The node ended the association; ``kind`` is the PDU that said so, CLOSED when none did."""

    def __init__(self, kind: int) -> None:
        super().__init__(f"ended by PDU {kind}")
        self.kind = kind


def message(context_id: int, elements: Elements, data: bytes | None, pdu_bytes_max: int = 16384) -> bytes:
    """P-DATA-TF PDUs of one message."""
    return bytes(pdu.encode_message(context_id, pdu.encode_command(elements), data, pdu_bytes_max))


def store_request(sop_class: str, sop_instance: str, message_id: int = 1) -> Elements:
    """C-STORE-RQ (PS3.7 9.3.1.1)."""
    return {0x2: sop_class, 0x100: 1, 0x110: message_id, 0x700: 0, 0x800: 1, 0x1000: sop_instance}


def fragment(context_id: int, control: int, data: bytes) -> bytes:
    """One P-DATA-TF PDU with one fragment (PS3.8 9.3.5): control bit 0 command, bit 1 last."""
    return struct.pack(">BBIIBB", 4, 0, len(data) + 6, len(data) + 2, context_id, control) + data


class Wire:
    """An association of one test.

    ``accepted``: the pairs that the node took, with their context. ``longest``: of the data PDUs that it sent.
    """

    def __init__(
        self,
        address: Address,
        *pairs: Pair,
        calling: str = "PEER",
        called: str = "FILMROOM",
        pdu_bytes_max: int = 65536,
    ) -> None:
        """Raises Gone when it is rejected or aborted."""
        self.socket = socket.create_connection(address, SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = b""
        self.longest = 0
        wanted = list(pairs) or [(classes.VERIFICATION, classes.IMPLICIT_LITTLE)]
        request = propose(calling, called, wanted, pdu_bytes_max)
        self.send(bytes(pdu.encode_associate_request(request)))
        kind, body = self.receive()
        if kind != A_ASSOCIATE_AC:
            self.socket.close()
            raise Gone(kind)
        self.accepted = granted(request, pdu.decode_associate_accept(body))

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *failure: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def receive(self) -> tuple[int, bytes]:
        """Type and body of the next PDU; CLOSED at the end."""
        while len(self._received) < 6 or len(self._received) < 6 + int.from_bytes(self._received[2:6], "big"):
            try:
                more = self.socket.recv(1 << 20)
            except ConnectionResetError:
                more = b""
            if not more:
                return CLOSED, self._received
            self._received += more
        length = 6 + int.from_bytes(self._received[2:6], "big")
        whole, self._received = self._received[:length], self._received[length:]
        self.longest = max(self.longest, length - 6 if whole[0] == P_DATA else 0)
        return whole[0], whole[6:]

    def answer(self) -> Answer:
        """The next response, whole. Raises Gone."""
        command = identifier = b""
        has_dataset = True
        while has_dataset:
            kind, body = self.receive()
            if kind != P_DATA:
                raise Gone(kind)
            for control, value in _values(body):
                if control & 1:
                    command += value
                else:
                    identifier += value
                if control == 3:
                    has_dataset = pdu.decode_command(command)[0x800] != 0x101
                elif control == 2:
                    has_dataset = False
        elements: Elements = dict(pdu.decode_command(command))
        return Answer(elements[0x900], str(elements.get(0x902, "")).strip(), elements, identifier)

    def store(self, pair: Pair, sop_instance: str, data: bytes, message_id: int = 1) -> Answer:
        """C-STORE of one data set as it is."""
        self.send(message(self.accepted[pair], store_request(pair[0], sop_instance, message_id), data))
        return self.answer()

    def find(self, identifier: bytes) -> list[Answer]:
        """C-FIND, Study Root, Implicit VR: every response."""
        pair = (classes.STUDY_ROOT_FIND, classes.IMPLICIT_LITTLE)
        self.send(message(self.accepted[pair], {0x2: pair[0], 0x100: 0x20, 0x110: 7, 0x700: 0, 0x800: 1}, identifier))
        return list(self._until_final())

    def move(self, destination: str, identifier: bytes) -> list[Answer]:
        """C-MOVE, Study Root, Implicit VR: every response."""
        pair = (classes.STUDY_ROOT_MOVE, classes.IMPLICIT_LITTLE)
        elements = {0x2: pair[0], 0x100: 0x21, 0x110: 9, 0x600: destination, 0x700: 0, 0x800: 1}
        self.send(message(self.accepted[pair], elements, identifier))
        return list(self._until_final())

    def release(self) -> None:
        """In order; the node's answer is awaited."""
        self.send(bytes(pdu.encode_release_request()))
        kind, _ = self.receive()
        self.socket.close()
        if kind != A_RELEASE_RP:
            raise Gone(kind)

    def _until_final(self) -> Iterator[Answer]:
        while True:
            answer = self.answer()
            yield answer
            if answer.status >> 8 != 0xFF:
                return


def _values(body: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(body):
        length = int.from_bytes(body[at : at + 4], "big")
        yield body[at + 5], body[at + 6 : at + 4 + length]
        at += 4 + length


QUERY = (
    (classes.STUDY_ROOT_FIND, classes.IMPLICIT_LITTLE),
    (classes.STUDY_ROOT_MOVE, classes.IMPLICIT_LITTLE),
)


def implicit(tag: int, value: str | bytes) -> bytes:
    """One element of an Implicit VR identifier, padded."""
    raw = value.encode() if isinstance(value, str) else value
    raw += b"\0" * (len(raw) % 2) if tag != 0x00080052 else b" " * (len(raw) % 2)
    return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, len(raw)) + raw


def identifier(level: str, **uids: str) -> bytes:
    """Level and unique keys: ``study``, ``series``, ``sop``; empty ones are asked for."""
    named = {"sop": 0x00080018, "study": 0x0020000D, "series": 0x0020000E}
    elements = {0x00080052: level} | {named[name]: uid for name, uid in uids.items()}
    return b"".join(implicit(tag, value) for tag, value in sorted(elements.items()))
