"""The data-set walk (PS3.5 7, A.1-A.5): every syntax, to the end, iterative, bounded, without the GIL."""

from collections.abc import Buffer, Sequence
from typing import Final

DEPTH_MAX: Final[int]  # 64 nested sequences
INFLATED_BYTES_MAX: Final[int]
INFLATED_RATIO_MAX: Final[int]
ELEMENTS_MAX: Final[int]
HEADER_VALUE_BYTES_MAX: Final[int]  # longer values are left out of the header and named in not_indexed
HEADER_BYTES_MAX: Final[int]
REASONS: Final[dict[int, str]]  # code -> readable sentence without any value

class Malformed(ValueError):
    """The bytes are no data set. ``code`` is a key of REASONS; ``offset`` where it was noticed."""

    code: int
    offset: int

class Description:
    """What the archive needs to know of one Part-10 file."""

    sop_class_uid: str
    sop_instance_uid: str
    study_uid: str
    series_uid: str
    transfer_syntax_uid: str
    dataset_offset: int  # where the data set begins in the file
    header: bytes  # Explicit VR LE, defined lengths, ascending, values up to HEADER_VALUE_BYTES_MAX, no pixel data, no group lengths
    not_indexed: tuple[str, ...]  # paths of what was left out of the header
    content_digest: bytes  # 16 bytes; equal for re-encodings of the same content (see native.digest)
    frames: bytes  # packed frame table, form 1 (see frame_table)

def walk(dataset: Buffer, transfer_syntax_uid: str) -> list[tuple[str, str, int, int]]:
    """Top-level and nested elements as (path, VR, value offset, value length): for tests and tools, not for hot paths."""

def check(dataset: Buffer, transfer_syntax_uid: str) -> tuple[str, str, str, str]:
    """Walk to the end; (SOP class, SOP instance, study, series) UIDs. Raises Malformed."""

def describe(file: Buffer) -> Description:
    """Everything of a Part-10 file in one walk. Raises Malformed."""

def canonical(file: Buffer) -> tuple[bytes, int, bytes]:
    """Head of the canonical object (form 1) for any Part-10 file or bare data set, where its data set begins in ``file``, and the
    kept preamble (TIFF ones; else empty). The object is head + file[offset:]. Raises Malformed."""

def canonical_head(sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str) -> bytes:
    """Zero preamble, DICM and file meta 0002,0000/0001/0002/0003/0010/0012 of form 1 (frozen for ever)."""

def get(header: Buffer, path: str) -> bytes | None:
    """Raw value of one attribute of a stored header (Explicit VR LE), or None."""

def values(header: Buffer, paths: Sequence[str]) -> list[str | None]:
    """Decoded text (by 0008,0005) of several attributes of a stored header; numbers as decimal text; values joined by backslash."""

def project(header: Buffer, tags: Sequence[int], implicit: bool = False, extra: bytes = b"") -> bytes:
    """The elements of ``tags`` (ascending) of a stored header as a data set of their own, absent ones with zero length; ``extra``
    (Explicit VR LE elements that win over the header's, ascending) is merged in. The identifier of a C-FIND response."""

def element(tag: int, vr: str, value: bytes) -> bytes:
    """One Explicit VR LE element, padded to even length."""

def merge(headers: Sequence[Buffer]) -> bytes:
    """One ascending header of several; the first that has a tag wins."""

def frame_table(frames: bytes) -> tuple[int, list[tuple[int, int]]]:
    """Unpack a frame table: (bits per frame when native and not byte aligned else 0, [(offset in file, length)])."""
