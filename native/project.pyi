"""Reading and cutting stored headers: Explicit VR Little Endian, defined lengths, ascending."""

from collections.abc import Iterable, Sequence

from typing_extensions import Buffer

def get(header: Buffer, path: str) -> bytes | None:
    """Raw value of one attribute (dotted path: of the first item of each sequence), or None."""

def values(header: Buffer, paths: Sequence[str]) -> list[str | None]:
    """Decoded text (by 0008,0005) of several attributes; numbers as decimal text; several values joined by backslash."""

def project(header: Buffer, tags: Sequence[int], implicit: bool = False, extra: bytes = b"") -> bytes:
    """The elements of ``tags`` (ascending) as a data set of their own, absent ones with zero length; ``extra`` (Explicit VR
    Little Endian, ascending) wins over the header. The identifier of a C-FIND response."""

def element(tag: int, vr: str, value: bytes) -> bytes:
    """One Explicit VR Little Endian element, padded to even length. Raises ValueError when it is too long for its VR."""

def merge(headers: Iterable[Buffer]) -> bytes:
    """One ascending header of several; the first that has a tag wins."""
