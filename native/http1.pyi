"""HTTP/1.1 as a server reads it (RFC 9112), without a socket of its own: bytes in, heads and bodies out.

Whatever a proxy in front of us could read otherwise is refused: lines that end in a line feed alone, folded headers,
spaces before a colon, control characters, two lengths, two hosts, any coding but ``chunked``.
"""

from typing_extensions import Buffer

class Refused(ValueError):
    """What came is no request that is answered. ``status``: 400, 431, 501 or 505."""

    status: int
    sentence: str

    def __init__(self, status: int, sentence: str) -> None: ...

class Head:
    """The head of one request.

    ``path`` and ``query``: of the target, as they came (visible ASCII). ``headers``: by lower-case name; a field sent
    several times is one list. ``minor``: of the version 1.x. ``length``: of the body; -1: it comes in chunks.
    ``is_keeping``: the connection may stay. ``is_expecting``: the client waits for ``100 Continue``.
    """

    method: str
    path: str
    query: bytes
    headers: dict[str, str]
    minor: int
    length: int
    is_keeping: bool
    is_expecting: bool

class Incoming:
    """The receiving half of a connection: one request after the other, each body before the next head."""

    held_bytes: int  # that came and were not taken
    is_body_whole: bool  # of the last head: all of it was taken (or there is none)

    def __init__(self, head_bytes_max: int, headers_count_max: int) -> None: ...
    def feed(self, data: Buffer) -> None:
        """Bytes that came."""
    def receive(self, fileno: int) -> int:
        """Take what a socket that does not block has: bytes; -1: nothing now; 0: the end. Raises ConnectionError."""
    def head(self) -> Head | None:
        """The next head; None: more must come. Raises Refused, and nothing more can be read then."""
    def body(self) -> bytes | None:
        """All of the body that came, empty at its end; None: more must come. However small its chunks are, they make one
        piece. Raises Refused."""
    def drop(self) -> None:
        """Forget what came: the connection ends."""
    def lend(self) -> bytes:
        """All that came, for who reads the body himself; ``take_back`` ends that."""
    def take_back(self, rest: bytes, is_whole: bool) -> None:
        """What he read beyond the body. Of a body that is not whole nothing more is read."""
