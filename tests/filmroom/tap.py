"""A relay between a sender and a node that notes every C-STORE as it was on the wire, and its status."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from native import pdu

Address = tuple[str, int]
Note = Callable[[int, bytes], None]


class Passed(msgspec.Struct):
    """One C-STORE; ``status`` None until it is answered."""

    sop_instance: str
    transfer_syntax: str
    data: bytes
    status: int | None = None
    comment: str = ""


class Tap:
    """``stores`` in the order in which they were sent."""

    def __init__(self, target: Address) -> None:
        self.stores: list[Passed] = []
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address: Address = self._listener.getsockname()

    def run(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            node = socket.create_connection(self._target)
            line = _Line(self.stores)
            for source, target, note in ((peer, node, line.sent), (node, peer, line.answered)):
                threading.Thread(target=_relay, args=(source, target, note), daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


class _Line:
    """What passes over one association."""

    def __init__(self, stores: list[Passed]) -> None:
        self._stores = stores
        self._open: dict[int, Passed] = {}
        self._syntaxes: dict[int, str] = {}
        self._commands = {True: b"", False: b""}
        self._data = b""

    def sent(self, kind: int, body: bytes) -> None:
        for context_id, control, value in _values(body) if kind == 4 else ():
            if control & 1:
                self._commands[True] += value
            else:
                self._data += value
            if control == 2:
                self._note(context_id)

    def answered(self, kind: int, body: bytes) -> None:
        if kind == 2:
            self._syntaxes = {number: syntax for number, _, syntax in pdu.decode_associate_accept(body).contexts}
        for _, control, value in _values(body) if kind == 4 else ():
            self._commands[False] += value
            if control == 3:
                command = pdu.decode_command(self._commands[False])
                self._commands[False] = b""
                if command[0x100] == 0x8001:
                    self._note_answer(dict(command))

    def _note_answer(self, command: dict[int, Any]) -> None:
        passed = self._open.pop(command[0x120])
        passed.status, passed.comment = command[0x900], str(command.get(0x902, ""))

    def _note(self, context_id: int) -> None:
        command = pdu.decode_command(self._commands[True])
        passed = Passed(str(command[0x1000]).rstrip("\0"), self._syntaxes[context_id], self._data)
        self._stores.append(passed)
        self._open[int(command[0x110])] = passed  # type: ignore[arg-type]
        self._commands[True] = self._data = b""


def _values(body: bytes) -> Iterator[tuple[int, int, bytes]]:
    at = 0
    while at < len(body):
        (length,) = struct.unpack_from(">I", body, at)
        yield body[at + 4], body[at + 5], body[at + 6 : at + 4 + length]
        at += 4 + length


def _relay(source: socket.socket, target: socket.socket, note: Note) -> None:
    received = b""
    try:
        while more := source.recv(1 << 20):
            received += more
            while len(received) >= 6 and len(received) >= 6 + int.from_bytes(received[2:6], "big"):
                length = 6 + int.from_bytes(received[2:6], "big")
                note(received[0], received[6:length])
                received = received[length:]
            target.sendall(more)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        target.close()


@contextmanager
def tap(target: Address) -> Iterator[Tap]:
    """A relay to ``target``, open within the block."""
    relay = Tap(target)
    thread = threading.Thread(target=relay.run, daemon=True)
    thread.start()
    try:
        yield relay
    finally:
        relay.close()
        thread.join()
