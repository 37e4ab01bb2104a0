"""``multipart/related`` (RFC 2046 5.1, 2387; PS3.18 8.6): parts out, and parts in piece by piece, without a socket.

Body: ``--BOUNDARY CRLF headers CRLF CRLF data CRLF --BOUNDARY ... CRLF --BOUNDARY--``. Two facts of real clients: the
first boundary comes behind a CRLF, and the last CRLF is missing.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from protocols.web.media_types import MediaType

BOUNDARY_BYTES_MAX: Final = 200  # RFC 2046 5.1.1 allows 70; Orthanc writes 73
HEADERS_BYTES_MAX: Final = 16 << 10  # of one part (H51)
PARTS_COUNT_MAX: Final = 16_384  # of one body (H50)
PREAMBLE_BYTES_MAX: Final = 16 << 10
_ALLOWED: Final = frozenset("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'()+_,-./:=? ")


class Malformed(ValueError):
    """This is no multipart body. ``str`` is one sentence that holds nothing of it."""


class PartBegin(msgspec.Struct, frozen=True):
    """A part's headers, by lower-case name."""

    headers: Mapping[str, str]


class PartData(msgspec.Struct, frozen=True):
    """A piece of a part's data; a view of what was fed."""

    data: bytes | memoryview


class PartEnd(msgspec.Struct, frozen=True):
    """The part is whole."""


Event = PartBegin | PartData | PartEnd


class Writer:
    """Frames parts; the data goes between ``head`` and the next ``head`` or ``end``, and is never touched."""

    def __init__(self, boundary: str) -> None:
        self.boundary = boundary
        self._is_first = True

    def content_type(self, part_type: str) -> str:
        """Content-Type of the whole; ``part_type`` is the media type of the parts."""
        return f'multipart/related; type="{part_type}"; boundary={self.boundary}'

    def head(self, content_type: str, length: int, headers: Sequence[tuple[str, str]] = ()) -> bytes:
        """What comes before the data of a part, which is ``length`` bytes long."""
        lead = f"--{self.boundary}" if self._is_first else f"\r\n--{self.boundary}"
        self._is_first = False
        lines = (("Content-Type", content_type), ("Content-Length", str(length)), *headers)
        return "\r\n".join((lead, *(f"{name}: {value}" for name, value in lines), "", "")).encode("latin-1")

    def end(self) -> bytes:
        """What comes behind the last part."""
        lead = f"--{self.boundary}" if self._is_first else f"\r\n--{self.boundary}"
        return f"{lead}--\r\n".encode("latin-1")


def boundary_of(content_type: MediaType) -> bytes:
    """The boundary of a request's body. Raises Malformed."""
    text = content_type.parameters.get("boundary", "")
    if not text or len(text) > BOUNDARY_BYTES_MAX or not _ALLOWED.issuperset(text) or text.endswith(" "):
        raise Malformed("the multipart body has no usable boundary")
    return text.encode("ascii")


class Reader:
    """Tells the parts of a body apart. Feed it in pieces; data events are views of them, valid as long as they are."""

    def __init__(self, boundary: bytes, parts_count_max: int = PARTS_COUNT_MAX) -> None:
        self._delimiter = b"\r\n--" + boundary
        self._parts_count_max = parts_count_max
        self._parts_count = 0
        self._held = b"\r\n"  # bytes that may belong to a delimiter; a body may begin with one at once
        self._skipped = 0
        self._state = self._preamble

    def feed(self, piece: bytes) -> list[Event]:
        """What the next piece of the body brings. Raises Malformed."""
        events: list[Event] = []
        held, self._held = self._held, b""
        rest: bytes | memoryview = piece
        if held:
            rest = self._joined(held, piece, events)
        while len(rest):
            following = self._state(rest, events)
            if following is None:
                break
            rest = following
        return events

    def close(self) -> None:
        """The body has ended. Raises Malformed when it was cut."""
        if self._state != self._epilogue:
            raise Malformed("the multipart body ends before its last boundary")

    def _joined(self, held: bytes, piece: bytes, events: list[Event]) -> bytes | memoryview:
        """Settle bytes held back with the beginning of the next piece; what is left to look at."""
        if self._state != self._data or len(piece) <= len(self._delimiter):
            return held + piece
        reach = len(self._delimiter) - 1
        seam = held + piece[:reach]
        found = seam.find(self._delimiter)
        if found >= 0:
            return held + piece
        events.append(PartData(held))
        return memoryview(piece)

    def _preamble(self, rest: bytes | memoryview, events: list[Event]) -> bytes | memoryview | None:
        rest = bytes(rest)
        found = rest.find(self._delimiter)
        if found < 0:
            self._skipped += len(rest)
            if self._skipped > PREAMBLE_BYTES_MAX:
                raise Malformed("the multipart body does not begin with its boundary")
            self._held = rest[-len(self._delimiter) + 1 :]
            self._skipped -= len(self._held)
            return None
        self._state = self._after_delimiter
        return memoryview(rest)[found + len(self._delimiter) :]

    def _data(self, rest: bytes | memoryview, events: list[Event]) -> bytes | memoryview | None:
        whole = rest.obj if isinstance(rest, memoryview) else rest
        assert isinstance(whole, bytes)
        begin = len(whole) - len(rest)
        found = whole.find(self._delimiter, begin)
        if found < 0:
            keep = self._kept_from(whole, begin)
            if keep > begin:
                events.append(PartData(memoryview(whole)[begin:keep]))
            self._held = whole[keep:]
            return None
        if found > begin:
            events.append(PartData(memoryview(whole)[begin:found]))
        self._state = self._after_delimiter
        return memoryview(whole)[found + len(self._delimiter) :]

    def _kept_from(self, whole: bytes, begin: int) -> int:
        """Where a delimiter may begin that goes on in the next piece."""
        at = max(begin, len(whole) - len(self._delimiter) + 1)
        while (at := whole.find(b"\r", at)) >= 0:
            if self._delimiter.startswith(whole[at:]):
                return at
            at += 1
        return len(whole)

    def _after_delimiter(self, rest: bytes | memoryview, events: list[Event]) -> bytes | memoryview | None:
        """Padding and a line end, or ``--``; anything else was no delimiter but data."""
        head = bytes(rest[:HEADERS_BYTES_MAX])
        line = head.lstrip(b" \t")
        if len(line) < 2 and len(head) < HEADERS_BYTES_MAX:
            self._held = head
            return None
        if head[:2] == b"--":
            self._part_ends(events)
            self._state = self._epilogue
            return rest[2:]
        if line[:2] == b"\r\n":
            self._part_ends(events)
            self._parts_count += 1
            if self._parts_count > self._parts_count_max:
                raise Malformed(f"more than {self._parts_count_max} parts")
            self._state = self._headers
            return rest[len(head) - len(line) :]
        if not self._parts_count:
            raise Malformed("the multipart body does not begin with its boundary")
        events.append(PartData(self._delimiter))
        self._state = self._data
        return rest

    def _part_ends(self, events: list[Event]) -> None:
        if self._parts_count:
            events.append(PartEnd())

    def _headers(self, rest: bytes | memoryview, events: list[Event]) -> bytes | memoryview | None:
        """From the line end of the delimiter to the empty line."""
        head = bytes(rest[: HEADERS_BYTES_MAX + 4])
        end = 0 if head.startswith(b"\r\n\r\n") else head.find(b"\r\n\r\n")
        if end < 0:
            if len(head) > HEADERS_BYTES_MAX:
                raise Malformed(f"the headers of a part are longer than {HEADERS_BYTES_MAX} bytes")
            self._held = head
            return None
        events.append(PartBegin(_headers_of(head[2:end])))
        self._state = self._data
        return rest[end + 4 :]

    def _epilogue(self, rest: bytes | memoryview, events: list[Event]) -> bytes | memoryview | None:
        return None


def _headers_of(block: bytes) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in block.decode("latin-1").replace("\r\n ", " ").replace("\r\n\t", " ").split("\r\n"):
        name, colon, value = line.partition(":")
        if not line:
            continue
        if not colon or not name.strip():
            raise Malformed("a part has a header line without a name")
        headers.setdefault(name.strip().lower(), value.strip())
    return headers
