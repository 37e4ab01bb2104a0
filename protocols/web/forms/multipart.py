"""``multipart/related`` (RFC 2046 5.1, 2387; PS3.18 8.6): parts out; what bounds parts that come in (``native.body``).

Body: ``--BOUNDARY CRLF headers CRLF CRLF data CRLF --BOUNDARY ... CRLF --BOUNDARY--``. Two facts of real clients: the
first boundary comes behind a CRLF, and the last CRLF is missing.
"""

from collections.abc import Sequence
from typing import Final

from protocols.web.forms.media_types import MediaType

BOUNDARY_BYTES_MAX: Final = 200  # RFC 2046 5.1.1 allows 70; Orthanc writes 73
HEADERS_BYTES_MAX: Final = 16 << 10  # of one part (H51)
PARTS_COUNT_MAX: Final = 16_384  # of one body (H50)
PREAMBLE_BYTES_MAX: Final = 16 << 10
_ALLOWED: Final = frozenset("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'()+_,-./:=? ")


class Malformed(ValueError):
    """This is no multipart body. ``str`` is one sentence that holds nothing of it."""


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


def headers_of(block: bytes) -> dict[str, str]:
    """The headers of a part, by lower-case name. Raises Malformed."""
    headers: dict[str, str] = {}
    for line in block.decode("latin-1").replace("\r\n ", " ").replace("\r\n\t", " ").split("\r\n"):
        name, colon, value = line.partition(":")
        if not line:
            continue
        if not colon or not name.strip():
            raise Malformed("a part has a header line without a name")
        headers.setdefault(name.strip().lower(), value.strip())
    return headers
