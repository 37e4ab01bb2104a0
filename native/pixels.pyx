"""See pixels.pyi."""

from libc.stdint cimport uint8_t

from native.cursor cimport Cursor, bytes_of
from native.frames cimport Picture, picture_begin, picture_event, picture_free, picture_table
from native.identity cimport syntax_of
from native.view cimport over
from native.vr cimport word_bytes
from native.walker cimport (
    STEP_ELEMENT,
    STEP_END,
    STEP_FAILED,
    STEP_FRAGMENT,
    STEP_FRAGMENTS,
    Step,
    Walker,
    walk_begin,
    walk_next,
)

from native.faults import Malformed

cdef enum:
    PIXEL_DATA = 0x7FE00010U
    VALUE_MAX = 256


class Pixels:
    """See the stub."""

    __slots__ = ("fragments", "frames", "has_nested_fragments", "native", "values")

    def __init__(self):
        self.values = {}
        self.native = self.fragments = None
        self.frames = b""
        self.has_nested_fragments = False


cdef inline bint is_told(Step step, const Walker* walker) noexcept nogil:
    """Whether an event is one that Python hears of."""
    if step == STEP_ELEMENT:
        return walker.depth == 0 and (walker.tag >> 16 == 0x0028 or walker.tag == PIXEL_DATA)
    return step == STEP_FRAGMENTS or step == STEP_FRAGMENT or step == STEP_END or step == STEP_FAILED


cdef Step next_told(Walker* walker, Picture* picture) noexcept nogil:
    cdef Step step
    while True:
        step = walk_next(walker)
        picture_event(picture, step, walker)
        if is_told(step, walker):
            return step


cdef bytes little_value(const Walker* walker):
    cdef int word = word_bytes(walker.vr)
    value = bytes_of(walker.value, walker.length)
    if not walker.big or word == 1:
        return value
    return b"".join([value[at : at + word][::-1] for at in range(0, len(value), word)])


cdef note_element(found, const Walker* walker):
    if walker.tag == PIXEL_DATA:
        vr = chr(walker.vr & 0xFF) + chr(walker.vr >> 8)
        found.native = (walker.cursor.at - walker.length, walker.length, vr)
    elif walker.length <= VALUE_MAX:
        found.values.setdefault(walker.tag, little_value(walker))


cdef note_event(found, Step step, const Walker* walker):
    if step == STEP_ELEMENT:
        note_element(found, walker)
    elif step == STEP_FRAGMENTS:
        if walker.depth == 1 and walker.tag == PIXEL_DATA:
            found.fragments = []
        else:
            found.has_nested_fragments = True
    elif step == STEP_FRAGMENT and not found.has_nested_fragments:
        found.fragments.append((walker.cursor.at - walker.length, walker.length))


def look(const uint8_t[::1] dataset, str transfer_syntax_uid):
    """See the stub."""
    cdef Walker walker
    cdef Picture picture
    cdef Step step
    cdef bytes uid = transfer_syntax_uid.encode("ascii", "replace")
    cdef Cursor cursor = over(dataset)
    found = Pixels()
    picture_begin(&picture)
    try:
        walk_begin(&walker, cursor.data, cursor.end, syntax_of(uid, len(uid)))
        while True:
            with nogil:
                step = next_told(&walker, &picture)
            if step == STEP_FAILED:
                raise Malformed(walker.fault, walker.cursor.at)
            if step == STEP_END:
                found.frames = picture_table(&picture, 0)
                return found
            note_event(found, step, &walker)
    finally:
        picture_free(&picture)
