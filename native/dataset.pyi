"""The data-set walk (PS3.5 7, A.1-A.5): every syntax, to the end, iterative, bounded, without the GIL."""

from typing import Final

from typing_extensions import Buffer

from native.canonical import canonical as canonical
from native.canonical import canonical_head as canonical_head
from native.describe import Description as Description
from native.describe import describe as describe
from native.faults import REASONS as REASONS
from native.faults import Malformed as Malformed
from native.frames import frame_at as frame_at
from native.frames import frame_count as frame_count
from native.frames import frame_table as frame_table
from native.identity import check as check
from native.inflate import INFLATED_BYTES_MAX as INFLATED_BYTES_MAX
from native.inflate import INFLATED_RATIO_MAX as INFLATED_RATIO_MAX
from native.project import element as element
from native.project import get as get
from native.project import merge as merge
from native.project import project as project
from native.project import values as values

DEPTH_MAX: Final[int]  # 64 nested sequences
ELEMENTS_MAX: Final[int]
HEADER_VALUE_BYTES_MAX: Final[int]  # longer values are left out of the header and named in not_indexed
HEADER_BYTES_MAX: Final[int]

def walk(dataset: Buffer, transfer_syntax_uid: str) -> list[tuple[str, str, int, int]]:
    """Top-level and nested elements as (path, VR, value offset, value length): for tests and tools, not for hot paths."""
