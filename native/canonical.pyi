"""The canonical object, form 1. See canonical.pyx for its bytes."""

from typing import Final

from typing_extensions import Buffer

IMPLEMENTATION_CLASS_UID: Final[str]
IMPLICIT: Final[str]
EXPLICIT: Final[str]
BIG_ENDIAN: Final[str]
TIFF: Final[tuple[bytes, ...]]

def canonical(file: Buffer) -> tuple[bytes, int, bytes]:
    """Head of the canonical object for any Part-10 file or bare data set, where its data set begins in ``file``, and the
    kept preamble (a TIFF's; else empty). The object is head + file[offset:]. Raises Malformed."""

def canonical_head(sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str) -> bytes:
    """Zero preamble, DICM and the file meta of form 1. Raises ValueError for a UID of more than 64 characters."""

def read_meta(file: Buffer) -> tuple[str, int]:
    """Transfer syntax UID and where the data set begins. Raises Malformed."""
