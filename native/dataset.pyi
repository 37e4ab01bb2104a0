"""The data-set walk (PS3.5 7, A.1-A.5): every syntax, to the end, iterative, bounded, without the GIL."""

from typing import Final

from typing_extensions import Buffer

from native.canonical import canonical as canonical
from native.canonical import canonical_head as canonical_head
from native.faults import REASONS as REASONS
from native.faults import Malformed as Malformed
from native.frames import frame_table as frame_table
from native.project import element as element
from native.project import get as get
from native.project import merge as merge
from native.project import project as project
from native.project import values as values

DEPTH_MAX: Final[int]  # 64 nested sequences
INFLATED_BYTES_MAX: Final[int]
INFLATED_RATIO_MAX: Final[int]
ELEMENTS_MAX: Final[int]
HEADER_VALUE_BYTES_MAX: Final[int]  # longer values are left out of the header and named in not_indexed
HEADER_BYTES_MAX: Final[int]
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
