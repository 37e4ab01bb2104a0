"""Into a socket that does not block, from one thread, without the GIL: bytes, and stored objects, which are read, hashed and
sent while they are in the processor's cache."""

from typing import Final

from typing_extensions import Buffer

POURED: Final[int]  # all that was put is sent
SLOW: Final[int]  # the reader took next to nothing, and it was waited for ``wait_ms`` in all
LEASED: Final[int]  # ``lease_bytes`` are sent, and more is there
UNSOUND: Final[int]  # the object is not what its key says: its last piece is not sent, of a small one nothing
SHORT: Final[int]  # the object ends before its length, or cannot be read
GONE: Final[int]  # the connection is broken

class Pour:
    """``count``: bytes that were sent."""

    count: int

    def __init__(self, fileno: int) -> None: ...
    def put(self, before: bytes, data: Buffer = b"") -> None:
        """What is sent next, when all before it was."""
    def put_object(self, before: bytes, fd: int, offset: int, length: int, key: bytes, preamble: bytes) -> None:
        """The same; behind ``before`` the bytes of a file, whose XXH3-128 is ``key``. ``preamble`` (128 bytes, or none)
        stands in place of the first of them, which were zero. An object of a megabyte or less is checked before
        ``before`` is sent, a larger one before its last piece is."""
    def work(self, lease_bytes: int, wait_ms: int) -> int:
        """Send until one of the above."""
