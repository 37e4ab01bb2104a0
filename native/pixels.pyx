"""See pixels.pyi."""

from libc.stdint cimport uint8_t

from native.cursor cimport Cursor, bytes_of
from native.identity cimport syntax_of
from native.view cimport over
from native.vr cimport word_bytes
from native.walker cimport (
    STEP_ELEMENT,
    STEP_END,
    STEP_FAILED,
    STEP_FRAGMENTS,
    STEP_FRAGMENTS_END,
    Step,
    Walker,
    walk_begin,
    walk_next,
)

from native.faults import Malformed

cdef enum:
    PIXEL_DATA = 0x7FE00010U
    TABLES_FIRST = 0x7FE00001U
    TABLES_LAST = 0x7FE00003U
    VALUE_MAX = 256


class Pixels:
    """See the stub."""

    __slots__ = ("fragments", "has_nested_fragments", "native", "values")

    def __init__(self):
        self.values = {}
        self.native = self.fragments = None
        self.has_nested_fragments = False


cdef inline bint is_told(Step step, const Walker* walker) noexcept nogil:
    """Whether an event is one that Python hears of."""
    if step == STEP_ELEMENT:
        return walker.depth == 0 and (walker.tag >> 16 == 0x0028 or TABLES_FIRST <= walker.tag <= PIXEL_DATA)
    return step >= STEP_FRAGMENTS or step == STEP_END or step == STEP_FAILED


cdef Step next_told(Walker* walker) noexcept nogil:
    cdef Step step
    while True:
        step = walk_next(walker)
        if is_told(step, walker):
            return step


cdef bytes little_value(const Walker* walker):
    cdef int word = word_bytes(walker.vr), k
    value = bytes_of(walker.value, walker.length)
    if not walker.big or word == 1:
        return value
    whole = walker.length - walker.length % word
    turned = bytearray(value)
    for k in range(word):
        turned[k:whole:word] = value[word - 1 - k:whole:word]
    return bytes(turned)


cdef note_element(found, const Walker* walker):
    if walker.tag == PIXEL_DATA:
        vr = chr(walker.vr & 0xFF) + chr(walker.vr >> 8)
        found.native = (walker.cursor.at - walker.length, walker.length, vr)
    elif TABLES_FIRST <= walker.tag <= TABLES_LAST or (walker.tag >> 16 == 0x0028 and walker.length <= VALUE_MAX):
        found.values.setdefault(walker.tag, little_value(walker))


def look(const uint8_t[::1] dataset, str transfer_syntax_uid):
    """See the stub."""
    cdef Walker walker
    cdef Step step
    cdef bytes uid = transfer_syntax_uid.encode("ascii", "replace")
    cdef Cursor cursor = over(dataset)
    cdef bint inside = False
    cdef list fragments = []
    found = Pixels()
    walk_begin(&walker, cursor.data, cursor.end, syntax_of(uid, len(uid)))
    while True:
        with nogil:
            step = next_told(&walker)
        if step == STEP_FAILED:
            raise Malformed(walker.fault, walker.cursor.at)
        if step == STEP_END:
            return found
        if step == STEP_ELEMENT:
            note_element(found, &walker)
        elif step == STEP_FRAGMENTS:
            if walker.depth == 1 and walker.tag == PIXEL_DATA:
                inside, found.fragments = True, fragments
            else:
                found.has_nested_fragments = True
        elif step == STEP_FRAGMENTS_END:
            inside = False
        elif inside:
            fragments.append((walker.header_at, walker.length))
