"""Lean DIMSE clients: nothing but sockets and native code in the timed path, so that the server is what is measured."""

import socket
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial

from msgspec import Struct

from bench.data import CT, EXPLICIT_LITTLE, File
from native import pdu, wire

APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
IMPLEMENTATION = "1.2.826.0.1.3680043.10.1338.1"
PDU_BYTES_MAX = 131072
TIMEOUT_SECONDS = 60
PENDING = (0xFF00, 0xFF01)
STATUS = 0x900

Command = dict[int, int | str | bytes | list[int]]


class Target(Struct, frozen=True):
    """Where a server listens, and its AE title."""

    port: int
    ae_title: str
    host: str = "127.0.0.1"


class Burst(Struct, frozen=True):
    """What one run of senders did."""

    instances: int
    seconds: float

    @property
    def rate(self) -> float:
        return self.instances / self.seconds


class Association:
    """One open association. Its first presentation context has id 1, the next 3, and so on."""

    def __init__(
        self,
        target: Target,
        abstract_syntax: str | Sequence[str],
        transfer_syntax: str,
        extended: Sequence[tuple[str, bytes]] = (),
    ) -> None:
        """``abstract_syntax``: one or several. ``extended``: application information asked for, by SOP class
        (PS3.7 D.3.3.5)."""
        classes = [abstract_syntax] if isinstance(abstract_syntax, str) else abstract_syntax
        self._contexts = {sop_class: 2 * at + 1 for at, sop_class in enumerate(classes)}
        self.socket = socket.create_connection((target.host, target.port), TIMEOUT_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self.socket.makefile("rb", 1 << 18)
        request = pdu.AssociateRequest(
            target.ae_title.encode().ljust(16),
            b"LEAN".ljust(16),
            APPLICATION_CONTEXT,
            [(number, sop_class, [transfer_syntax]) for sop_class, number in self._contexts.items()],
            pdu.UserInformation(PDU_BYTES_MAX, IMPLEMENTATION, "LEAN", extended=extended),
        )
        self.socket.sendall(pdu.encode_associate_request(request))
        kind, body = self.read()
        if kind != 2:
            raise RuntimeError(f"{target.ae_title} refused the association (PDU type {kind})")
        accept = pdu.decode_associate_accept(body)
        if any(result for _, result, _ in accept.contexts):
            raise RuntimeError(f"{target.ae_title} refused a presentation context")
        self.peer_pdu_bytes_max = accept.user.pdu_bytes_max
        self.title = target.ae_title

    def read(self) -> tuple[int, bytes]:
        """Next PDU as (type, body)."""
        head = self._file.read(6)
        if len(head) < 6:
            raise RuntimeError("the peer closed the connection")
        return head[0], self._file.read(int.from_bytes(head[2:], "big"))

    def store(self, files: Sequence[File]) -> None:
        """Store all; RuntimeError unless each is answered by success."""
        sender = wire.Sender(pdu_bytes_max=self.peer_pdu_bytes_max)
        jobs = []
        for number, file in enumerate(files):
            offset = 144 + int.from_bytes(file.data[140:144], "little")
            message_id = number % 65535 + 1
            context = self._contexts[file.sop_class]
            length = len(file.data) - offset
            jobs.append((context, message_id, file.sop_class, file.sop_instance_uid, file.data, offset, length))
        self.socket.setblocking(False)
        try:
            statuses = sender.store(self.socket.fileno(), -1, jobs, timeout_ms=TIMEOUT_SECONDS * 1000)
        finally:
            self.socket.settimeout(TIMEOUT_SECONDS)
        if len(statuses) != len(files) or any(statuses):
            bad = [status for status in statuses if status]
            first = f", the first {bad[0]:04X}" if bad else ""
            answered = f"{len(statuses)} of {len(files)} answered, {len(bad)} not by success{first}"
            raise RuntimeError(f"{self.title}: {answered}; {sender.reason}")

    def ask(
        self, command: Command, identifier: bytes | None = None, into: bytearray | None = None
    ) -> tuple[int, Command]:
        """Send a request, with its identifier if it has one; the count of pending responses, and the final one. Their
        identifiers are passed over, or put ``into``, one behind the other."""
        self.socket.sendall(pdu.encode_message(1, pdu.encode_command(command), identifier, self.peer_pdu_bytes_max))
        count = 0
        while True:
            for response in _responses(self.read(), into):
                if response[STATUS] in PENDING:
                    count += 1
                else:
                    return count, response

    def __enter__(self) -> "Association":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        """Released in order, or closed when something was wrong."""
        self.release() if kind is None else self.close()

    def release(self) -> None:
        """In order: ask, wait for the answer, close."""
        self.socket.sendall(pdu.encode_release_request())
        self.read()
        self.close()

    def close(self) -> None:
        """Without release: the peer sees the connection end."""
        self._file.close()
        self.socket.close()


def _responses(answer: tuple[int, bytes], into: bytearray | None) -> list[Command]:
    """The commands of one PDU; data sets are passed over, or put ``into``."""
    kind, body = answer
    if kind != 4:
        raise RuntimeError(f"PDU type {kind} where an answer is expected")
    found, at = [], 0
    while at < len(body):
        length = int.from_bytes(body[at : at + 4], "big")
        if body[at + 5] & 1:
            found.append(pdu.decode_command(body[at + 6 : at + 4 + length]))
        elif into is not None:
            into += body[at + 6 : at + 4 + length]
        at += 4 + length
    return found


def store(target: Target, shares: Sequence[Sequence[File]], transfer_syntax: str = EXPLICIT_LITTLE) -> Burst:
    """Each share over an association of its own, all at once; timed from the first byte to the last answer."""
    associations = [
        Association(target, sorted({file.sop_class for file in share}) or CT, transfer_syntax) for share in shares
    ]
    works = [partial(association.store, files) for association, files in zip(associations, shares, strict=True)]
    return Burst(sum(map(len, shares)), at_once(associations, works))


def at_once(associations: Sequence[Association], works: Sequence[Callable[[], object]]) -> float:
    """Do all works, a thread each; seconds until the last has ended. Releases the associations, or closes them and
    raises RuntimeError when one of the works failed."""
    failures: list[BaseException] = []

    def guarded(work: Callable[[], object]) -> None:
        try:
            work()
        except (RuntimeError, OSError) as failure:
            failures.append(failure)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - begun
    for association in associations:
        association.close() if failures else association.release()
    if failures:
        raise RuntimeError(f"no rate: {failures[0]}")
    return seconds
