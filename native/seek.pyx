"""See seek.pyi."""

from libc.stdint cimport uint8_t, uint32_t

from native.cursor cimport Cursor
from native.identity cimport syntax_of
from native.view cimport over
from native.vr cimport word_bytes
from native.walker cimport (
    DEPTH_MAX_C,
    STEP_ELEMENT,
    STEP_END,
    STEP_FAILED,
    STEP_ITEM,
    STEP_SEQUENCE,
    Step,
    Walker,
    walk_begin,
    walk_next,
)

from native.faults import Malformed


cdef struct Way:
    uint32_t tags[DEPTH_MAX_C]
    uint32_t items[DEPTH_MAX_C]
    int last                 # the level of the value: so many sequences are above it
    int level                # reached so far
    bint inside              # the sequence of this level
    uint32_t item


cdef Step found_on(Walker* walker, Way* way) noexcept nogil:
    """STEP_ELEMENT at the value; STEP_END when it is not there."""
    cdef Step step
    while True:
        step = walk_next(walker)
        if step == STEP_FAILED or step == STEP_END:
            return step
        if walker.depth < 2 * way.level:
            return STEP_END
        if step == STEP_ELEMENT and way.level == way.last and walker.depth == 2 * way.level:
            if walker.tag == way.tags[way.level]:
                return step
        elif step == STEP_SEQUENCE and way.level < way.last and walker.depth == 2 * way.level + 1:
            way.inside, way.item = walker.tag == way.tags[way.level], 0
        elif step == STEP_ITEM and way.inside and walker.depth == 2 * way.level + 2:
            way.item += 1
            if way.item == way.items[way.level]:
                way.level, way.inside = way.level + 1, False


def seek(const uint8_t[::1] dataset, str transfer_syntax_uid, tags, items):
    """See seek.pyi."""
    cdef Walker walker
    cdef Way way
    cdef Step step
    cdef int level
    cdef bytes uid = transfer_syntax_uid.encode("ascii", "replace")
    cdef Cursor cursor = over(dataset)
    if not 0 < len(tags) <= DEPTH_MAX_C or len(items) != len(tags) - 1:
        return None
    way.last, way.level, way.inside, way.item = len(items), 0, False, 0
    for level in range(way.last + 1):
        way.tags[level] = tags[level]
    for level in range(way.last):
        way.items[level] = items[level]
    walk_begin(&walker, cursor.data, cursor.end, syntax_of(uid, len(uid)))
    with nogil:
        step = found_on(&walker, &way)
    if step == STEP_FAILED:
        raise Malformed(walker.fault, walker.cursor.at)
    if step == STEP_END:
        return None
    vr = chr(walker.vr & 0xFF) + chr(walker.vr >> 8)
    return vr, walker.cursor.at - walker.length, walker.length, word_bytes(walker.vr) if walker.big else 1
