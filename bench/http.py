"""A lean HTTP/1.1 client: sockets, one thread, requests made beforehand, answers only measured, so that the server is
what is measured. What it costs is counted with each rate."""

import select
import socket
import time
from collections.abc import Callable, Sequence

from msgspec import Struct

TIMEOUT_SECONDS = 120
RECEIVED_BYTES_MAX = 1 << 20


class Web(Struct, frozen=True):
    """Where a server speaks DICOMweb."""

    port: int
    root: str
    host: str = "127.0.0.1"

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}{self.root}"


Check = Callable[["Answer"], None]  # raises RuntimeError


class Wanted(Struct, frozen=True):
    """What an answer must be: a length and, from ``at`` on in its body, bytes of one that was looked at. One that
    differs in these (a boundary of its own) is looked at by ``check``."""

    length: int
    at: int
    payload: bytes
    check: Check

    def hold(self, answer: "Answer") -> None:
        """RuntimeError at another status than 200, or another content."""
        if answer.status != 200:
            raise RuntimeError(f"no figure: status {answer.status}")
        if answer.body_length != self.length or not answer.holds(self.payload, self.at):
            self.check(answer)


class Requests(Struct, frozen=True):
    """What one run of requests came to. ``client_us``: processor time of the client, a request."""

    rate: float
    client_us: float
    count: int


class Answer:
    """One answer, as it comes in: by Content-Length, in chunks, or until the server closes (RFC 9112 6.3)."""

    def __init__(self) -> None:
        self.status = 0
        self._raw = bytearray()
        self._begin = 0  # of the body
        self._end = -1  # of the body, when its length was said
        self._chunk = -1  # where the next chunk's head begins
        self._chunks: list[tuple[int, int]] = []
        self._is_closing = False

    def feed(self, piece: bytes) -> bool:
        """Whether that was its end."""
        self._raw += piece
        if not self._begin and not self._read_head():
            return False
        if self._is_closing:
            return False
        if self._end >= 0:
            return len(self._raw) >= self._end
        return self._read_chunks()

    def close(self) -> bool:
        """The server has closed; whether that is the answer's end."""
        if self._is_closing:
            self._end = len(self._raw)
        return self._is_closing

    @property
    def body(self) -> bytes:
        if self._end >= 0:
            return bytes(self._raw[self._begin : self._end])
        return b"".join(self._raw[begin:end] for begin, end in self._chunks)

    @property
    def body_length(self) -> int:
        return self._end - self._begin if self._end >= 0 else sum(end - begin for begin, end in self._chunks)

    def holds(self, payload: bytes, at: int) -> bool:
        """Whether the body has these bytes from there on; nothing is copied of a body that came in one piece."""
        return self._raw.startswith(payload, self._begin + at) if self._end >= 0 else self.body.startswith(payload, at)

    @property
    def content_type(self) -> str:
        return self._header(b"content-type")

    def _read_head(self) -> bool:
        end = self._raw.find(b"\r\n\r\n")
        if end < 0:
            return False
        self._begin = end + 4
        self.status = int(self._raw[9:12])
        length = self._header(b"content-length")
        if length or self.status in (204, 304):
            self._end = self._begin + int(length or 0)
        elif self._header(b"transfer-encoding").lower() == "chunked":
            self._chunk = self._begin
        else:
            self._is_closing = True
        return True

    def _read_chunks(self) -> bool:
        while (line := self._raw.find(b"\r\n", self._chunk)) >= 0:
            length = int(self._raw[self._chunk : line].partition(b";")[0], 16)
            if not length:
                return self._raw.endswith(b"\r\n\r\n")
            if len(self._raw) < line + length + 4:
                return False
            self._chunks.append((line + 2, line + 2 + length))
            self._chunk = line + length + 4
        return False

    def _header(self, name: bytes) -> str:
        for line in bytes(self._raw[: self._begin]).split(b"\r\n")[1:]:
            key, _, value = line.partition(b":")
            if key.lower() == name:
                return value.strip().decode("latin-1")
        return ""


class Connection:
    """One connection that stays open; made anew when the server has closed it behind an answer."""

    def __init__(self, web: Web) -> None:
        self._web = web
        self.socket = self._connected()
        self.answer = Answer()
        self._is_closed = False

    def _connected(self) -> socket.socket:
        connected = socket.create_connection((self._web.host, self._web.port), TIMEOUT_SECONDS)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connected

    def send(self, request: bytes) -> None:
        """Ask; the answer before must be there."""
        if self._is_closed:
            self.socket.close()
            self.socket, self._is_closed = self._connected(), False
        self.answer = Answer()
        self.socket.sendall(request)

    def receive(self) -> bool:
        """Take what has come; whether the answer is there."""
        piece = self.socket.recv(RECEIVED_BYTES_MAX)
        if piece:
            return self.answer.feed(piece)
        self._is_closed = True
        if not self.answer.close():
            raise RuntimeError("no figure: the server closed the connection")
        return True

    def ask(self, request: bytes) -> Answer:
        self.send(request)
        while not self.receive():
            pass
        return self.answer

    def close(self) -> None:
        self.socket.close()


def get(web: Web, path: str, accept: str = "application/dicom+json") -> bytes:
    """A GET of a path below the server's DICOMweb root, ready to be sent."""
    head = f"GET {web.root}{path} HTTP/1.1\r\nHost: {web.host}:{web.port}\r\nAccept: {accept}\r\n\r\n"
    return head.encode("ascii")


def times_ms(web: Web, requests: Sequence[bytes], checks: Sequence[Check]) -> list[float]:
    """Milliseconds of each, one after the other; each answer is looked at when its clock has stopped. RuntimeError at
    another status than 200, and what the checks raise."""
    connection, times = Connection(web), []
    for request, check in zip(requests, checks, strict=True):
        begun = time.perf_counter()
        answer = connection.ask(request)
        times.append((time.perf_counter() - begun) * 1000)
        if answer.status != 200:
            raise RuntimeError(f"no figure: status {answer.status}")
        check(answer)
    connection.close()
    return times


def requests_a_second(
    web: Web, requests: Sequence[bytes], connections: int, seconds: float, wanted: Sequence[Wanted]
) -> Requests:
    """The requests in turn over so many connections, each with one at a time, for so long.

    RuntimeError at an answer that is not what is wanted of its request. One thread waits for all connections.
    """
    open_ones = [Connection(web) for _ in range(connections)]
    waiting: dict[int, tuple[Connection, Wanted]] = {}
    poller = select.epoll()
    sent = count = 0
    begun, cpu = time.perf_counter(), time.process_time()

    def send(connection: Connection) -> None:
        nonlocal sent
        at = sent % len(requests)
        connection.send(requests[at])
        sent += 1
        waiting[connection.socket.fileno()] = connection, wanted[at]

    for connection in open_ones:
        send(connection)
        poller.register(connection.socket, select.EPOLLIN)
    deadline = begun + seconds
    while waiting:
        events = poller.poll(TIMEOUT_SECONDS)
        if not events:
            raise RuntimeError("no rate: the server does not answer")
        for fileno, _ in events:
            connection, awaited = waiting[fileno]
            if not connection.receive():
                continue
            awaited.hold(connection.answer)
            count += 1
            del waiting[fileno]
            if time.perf_counter() < deadline:
                before = connection.socket
                send(connection)
                if connection.socket is not before:  # a closed socket has left the poller by itself
                    poller.register(connection.socket, select.EPOLLIN)
    passed, spent = time.perf_counter() - begun, time.process_time() - cpu
    for connection in open_ones:
        connection.close()
    poller.close()
    return Requests(count / passed, spent / count * 1e6, count)
