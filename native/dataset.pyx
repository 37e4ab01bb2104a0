"""The door to data sets. See dataset.pyi."""

from native.cursor cimport Cursor
from native.identity cimport syntax_of
from native.view cimport over
from native.walker cimport (
    DEPTH_MAX_C,
    ELEMENTS_MAX_C,
    STEP_ELEMENT,
    STEP_END,
    STEP_FAILED,
    STEP_FRAGMENTS,
    STEP_FRAGMENTS_END,
    STEP_SEQUENCE,
    STEP_SEQUENCE_END,
    Step,
    Walker,
    walk_begin,
    walk_next,
)

from native.canonical import canonical, canonical_head  # no-cython-lint
from native.describe import Description, describe  # no-cython-lint
from native.faults import REASONS, Malformed  # no-cython-lint
from native.frames import frame_at, frame_count, frame_table  # no-cython-lint
from native.header import HEADER_BYTES_MAX, HEADER_VALUE_BYTES_MAX  # no-cython-lint
from native.identity import check  # no-cython-lint
from native.inflate import INFLATED_BYTES_MAX, INFLATED_RATIO_MAX  # no-cython-lint
from native.project import element, get, merge, project, values  # no-cython-lint

DEPTH_MAX = DEPTH_MAX_C
ELEMENTS_MAX = ELEMENTS_MAX_C


def walk(const unsigned char[::1] dataset, str transfer_syntax_uid):
    """See the stub."""
    cdef Walker walker
    cdef Step step
    cdef Cursor cursor = over(dataset)
    cdef bytes uid = transfer_syntax_uid.encode("ascii", "replace")
    walk_begin(&walker, cursor.data, cursor.end, syntax_of(uid, len(uid)))
    found = []
    path = []
    while True:
        step = walk_next(&walker)
        if step == STEP_END:
            return found
        if step == STEP_FAILED:
            raise Malformed(walker.fault, walker.cursor.at)
        if step in (STEP_ELEMENT, STEP_SEQUENCE, STEP_FRAGMENTS):
            name = ".".join([*path, "%08X" % walker.tag])
            vr = chr(walker.vr & 0xFF) + chr(walker.vr >> 8)
            at = walker.cursor.at - walker.length if step == STEP_ELEMENT else walker.cursor.at
            found.append((name, vr, at, walker.length if step == STEP_ELEMENT else -1))
        if step in (STEP_SEQUENCE, STEP_FRAGMENTS):
            path.append("%08X" % walker.tag)
        elif step in (STEP_SEQUENCE_END, STEP_FRAGMENTS_END):
            path.pop()
