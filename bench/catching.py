"""Destinations for C-MOVE that look at what they get: one process, one thread, a port for each AE title.

Each instance that comes is hashed (``bench.content``) before it is answered, so that an altered one cannot pass for a
figure. It takes no more processor time than DCMTK's ``storescp --ignore``; the report says the share of all clients.
"""

import select
import socket
from collections.abc import Sequence

import msgspec

from bench.content import digest_of
from bench.data import EXPLICIT_LITTLE, file_head
from native import pdu

IMPLEMENTATION = "1.2.826.0.1.3680043.10.1338.1"
PDU_BYTES_MAX = 131072
RECEIVED_BYTES_MAX = 1 << 20
BUFFER_BYTES = 1 << 19  # of an association; a PDU of ours is a quarter of it
C_ECHO, C_STORE = 0x30, 0x01
IS_COMMAND, IS_LAST = 1, 2
NO_DATA_SET = 0x0101
NOT_SUPPORTED = 4  # the transfer syntaxes (PS3.8 9.3.3.2)
STORE_RESPONSE, ECHO_RESPONSE = 0x8001, 0x8030

Taken = list[tuple[str, bytes]]


class Peer:
    """One association: bytes in, answers out, what came into ``taken``."""

    def __init__(self, taken: Taken, only: str = "") -> None:
        """``only``: the one transfer syntax that is taken; empty: any, Explicit VR Little Endian before others."""
        self._taken = taken
        self._only = only
        self._bytes = bytearray(BUFFER_BYTES)
        self._filled = 0
        self._syntaxes: dict[int, str] = {}
        self._command = bytearray()
        self._asked: dict[int, int | str | bytes | list[int]] = {}
        self._file = bytearray()  # what comes, behind a head of ours
        self.is_ended = False

    def room(self) -> memoryview:
        """Where what comes next is to be put."""
        return memoryview(self._bytes)[self._filled :]

    def received(self, count: int) -> bytes:
        """What is to be answered to so many bytes that were put there. ValueError for a PDU larger than the room."""
        self._filled += count
        at, answers, view = 0, bytearray(), memoryview(self._bytes)
        while self._filled - at >= 6:
            end = at + 6 + int.from_bytes(view[at + 2 : at + 6], "big")
            if end - at > BUFFER_BYTES:
                raise ValueError("a PDU that is larger than we take")
            if self._filled < end:
                break
            answers += self._pdu(view[at], view[at + 6 : end])
            at = end
        left = self._filled - at
        view[:left] = bytes(view[at : self._filled])
        self._filled = left
        return bytes(answers)

    def _pdu(self, kind: int, body: memoryview) -> bytes:
        if kind == 4:
            return self._values(body)
        if kind == 1:
            return self._accepted(bytes(body))
        self.is_ended = True
        return pdu.encode_release_response() if kind == 5 else b""

    def _accepted(self, body: bytes) -> bytes:
        request = pdu.decode_associate_request(body)
        contexts = []
        for number, _, syntaxes in request.contexts:
            liked = self._only or EXPLICIT_LITTLE
            chosen = liked if liked in syntaxes else syntaxes[0]
            self._syntaxes[number] = chosen
            contexts.append((number, NOT_SUPPORTED if self._only and chosen != liked else 0, chosen))
        user = pdu.UserInformation(PDU_BYTES_MAX, IMPLEMENTATION, "CATCH")
        return pdu.encode_associate_accept(
            pdu.AssociateAccept(
                request.called_ae_title, request.calling_ae_title, request.application_context, contexts, user
            )
        )

    def _values(self, body: memoryview) -> bytes:
        at, answers = 0, b""
        while at < len(body):
            end = at + 4 + int.from_bytes(body[at : at + 4], "big")
            flags = body[at + 5]
            into = self._command if flags & IS_COMMAND else self._file
            into += body[at + 6 : end]
            if flags & IS_LAST:
                answers += self._message(body[at + 4], bool(flags & IS_COMMAND))
            at = end
        return answers

    def _message(self, context: int, is_command: bool) -> bytes:
        """Answers when the message is whole."""
        if is_command:
            self._asked = pdu.decode_command(self._command)
            self._command = bytearray()
            if self._asked.get(0x800) != NO_DATA_SET:
                head = file_head(str(self._asked[0x1000]), str(self._asked[0x2]), self._syntaxes[context])
                self._file = bytearray(head)
                return b""
        asked, file, self._file = self._asked, self._file, bytearray()
        response = {0x2: asked[0x2], 0x120: asked[0x110], 0x800: NO_DATA_SET, 0x900: 0}
        if asked[0x100] == C_STORE:
            uid = str(asked[0x1000])
            self._taken.append((uid, digest_of(file)))
            response |= {0x100: STORE_RESPONSE, 0x1000: uid}
        else:
            response |= {0x100: ECHO_RESPONSE}
        return pdu.encode_message(context, pdu.encode_command(response), None, PDU_BYTES_MAX)


def listening(ports: Sequence[int]) -> list[socket.socket]:
    """One socket a port of 127.0.0.1; 0 takes a free one."""
    return [socket.create_server(("127.0.0.1", port), backlog=64) for port in ports]


def run(ports: Sequence[int], only: str = "") -> None:
    """Serve until killed. Prints ``ready CONTROL PORT...``; who connects to the control port gets what has come since
    the last time, as msgpack."""
    control, servers = listening([0])[0], listening(ports)
    doors = {server.fileno(): server for server in [control, *servers]}
    peers: dict[int, tuple[socket.socket, Peer]] = {}
    taken: Taken = []
    poller = select.epoll()
    for number in doors:
        poller.register(number, select.EPOLLIN)
    print("ready", *(server.getsockname()[1] for server in [control, *servers]), flush=True)
    while True:
        for number, _ in poller.poll():
            if number == control.fileno():
                with control.accept()[0] as asking:
                    asking.sendall(msgspec.msgpack.encode(taken))
                taken.clear()
            elif number in doors:
                come = doors[number].accept()[0]
                come.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                peers[come.fileno()] = come, Peer(taken, only)
                poller.register(come, select.EPOLLIN)
            elif not _served(*peers[number]):
                peers.pop(number)[0].close()


def _served(connected: socket.socket, peer: Peer) -> bool:
    """Whether the association goes on."""
    try:
        count = connected.recv_into(peer.room())
        if not count:
            return False
        answers = peer.received(count)
        if answers:
            connected.sendall(answers)
    except (OSError, ValueError):
        return False
    return not peer.is_ended


def take(control_port: int) -> Taken:
    """What has come since the last time."""
    with socket.create_connection(("127.0.0.1", control_port), 60) as asking:
        raw = b"".join(iter(lambda: asking.recv(RECEIVED_BYTES_MAX), b""))
    return msgspec.msgpack.decode(raw, type=Taken)
