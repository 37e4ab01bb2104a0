"""The head of an answer (RFC 9112 4, 6): status, headers, how its body ends, whether the connection stays. Pure."""

from collections.abc import Mapping
from email.utils import formatdate
from http import HTTPStatus
from typing import Final

from engine.clock import Clock
from protocols.web.messages import Headers

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
WITHOUT_BODY: Final = frozenset({204, 304})
LAST_CHUNK: Final = b"0\r\n\r\n"
CHUNKED: Final[Headers] = (("Transfer-Encoding", "chunked"),)
CLOSE: Final[Headers] = (("Connection", "close"),)
KEEP: Final[Headers] = (("Connection", "keep-alive"),)
_STATUS_LINES: Final[Mapping[int, str]] = {one: f"HTTP/1.1 {one.value} {one.phrase}" for one in HTTPStatus}


class Dates:
    """What the Date header says, made once a second."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._second = -1
        self._text = ""

    def now(self) -> str:
        """Of now (RFC 9110 5.6.7)."""
        second = self._clock.now_us() // 1_000_000
        if second != self._second:
            self._second, self._text = second, formatdate(second, usegmt=True)
        return self._text


def head_of(status: int, headers: Headers, framing: Headers, date: str) -> bytes:
    """Ready to be sent. ``framing``: what the connection says of itself and of the body. Raises ValueError for a header
    that would end its line, or is not Latin-1: what follows it would be another's to choose."""
    lines = [_STATUS_LINES.get(status) or f"HTTP/1.1 {status} ", f"Date: {date}"]
    lines += [f"{name}: {value}" for name, value in headers]
    lines += [f"{name}: {value}" for name, value in framing]
    text = "\r\n".join(lines)
    breaks = len(lines) - 1
    if text.count("\n") != breaks or text.count("\r") != breaks or "\0" in text:
        raise ValueError("a header holds the end of a line")
    return f"{text}\r\n\r\n".encode("latin-1")


def chunk_head(length: int) -> bytes:
    """Before a chunk; behind it stands CR LF."""
    return b"%x\r\n" % length
