"""The header of a data set: Explicit VR Little Endian, defined lengths, ascending, without bulk."""

from libc.stdint cimport uint16_t, uint32_t
from libc.string cimport memset

from native.cursor cimport bytes_of
from native.output cimport (
    Output,
    output_free,
    patch_le32,
    write_byte,
    write_element_head,
    write_le32,
    write_tag,
    write_value,
)
from native.vr cimport VR_OB, VR_SQ, VR_UI, VR_UN, settled_vr, word_bytes
from native.walker cimport (
    STEP_ELEMENT,
    STEP_FRAGMENTS,
    STEP_ITEM,
    STEP_ITEM_END,
    STEP_SEQUENCE,
    STEP_SEQUENCE_END,
    Step,
    Walker,
    deeper,
)

HEADER_VALUE_BYTES_MAX = VALUE_BYTES_MAX_C
HEADER_BYTES_MAX = HEADER_BYTES_MAX_C

cdef enum:
    CONTOURS = 0x30060050U
    PER_FRAME_GROUPS = 0x52009230U
    PIXEL_REPRESENTATION = 0x00280103U


cdef void header_begin(HeaderWriter* writer, bint implicit, bint capped) noexcept nogil:
    # The tables behind the scalars are written before they are read: clearing them would cost more than the walk.
    memset(&writer.out, 0, sizeof(Output))
    writer.implicit, writer.capped = implicit, capped
    writer.signed_pixels = False
    writer.depth = writer.silent = writer.path_depth = 0
    writer.places_count = writer.left_out_count = 0
    writer.last_tag = writer.top_tag = 0
    writer.top_start = 0
    writer.sorted = True


cdef void leave_out(HeaderWriter* writer, uint32_t tag) noexcept nogil:
    cdef int n = writer.path_depth, i
    cdef uint32_t* entry
    if writer.left_out_count < LEFT_OUT_MAX and n < PATH_MAX:
        entry = &writer.left_out[writer.left_out_count][0]
        entry[0] = n + 1
        for i in range(n):
            entry[1 + i] = writer.path[i]
        entry[1 + n] = tag
        writer.left_out_count += 1


cdef inline bint is_bulk(const HeaderWriter* writer, uint32_t tag) noexcept nogil:
    """Attributes that no header holds, whatever their size."""
    return writer.capped and (tag >> 16 == 0x7FE0 or tag == CONTOURS or tag == PER_FRAME_GROUPS)


cdef inline bint is_noise(uint32_t tag) noexcept nogil:
    return tag & 0xFFFF == 0 or tag == 0xFFFCFFFCU


cdef void top_begins(HeaderWriter* writer, uint32_t tag) noexcept nogil:
    writer.top_tag, writer.top_start = tag, writer.out.length


cdef void top_ends(HeaderWriter* writer) noexcept nogil:
    """A whole top-level element was written: keep it if it fits."""
    cdef Place* place
    if writer.capped and (writer.out.length > HEADER_BYTES_MAX_C or writer.places_count >= PLACES_MAX):
        writer.out.length = writer.top_start
        leave_out(writer, writer.top_tag)
        return
    if not writer.capped:
        return
    if writer.places_count and writer.top_tag <= writer.last_tag:
        writer.sorted = False
    writer.last_tag = writer.top_tag
    place = &writer.places[writer.places_count]
    place.tag, place.start, place.end = writer.top_tag, <uint32_t>writer.top_start, <uint32_t>writer.out.length
    writer.places_count += 1


cdef void write_padded(HeaderWriter* writer, const Walker* walker, int word) noexcept nogil:
    """The value, little endian, padded to even length."""
    write_value(&writer.out, walker.value, walker.length, word if walker.big else 1)
    if walker.length & 1:
        write_byte(&writer.out, 0 if (walker.vr == VR_UI or walker.vr == VR_OB or walker.vr == VR_UN) else 32)


cdef void on_element(HeaderWriter* writer, const Walker* walker) noexcept nogil:
    cdef uint16_t vr
    if is_noise(walker.tag):
        return
    if walker.tag == PIXEL_REPRESENTATION and walker.length == 2:
        writer.signed_pixels = (walker.value[0] | walker.value[1]) & 1
    if writer.depth == 0:
        top_begins(writer, walker.tag)
    if is_bulk(writer, walker.tag) or (writer.capped and walker.length > VALUE_BYTES_MAX_C):
        leave_out(writer, walker.tag)
        return
    vr = settled_vr(walker.vr, walker.tag, walker.length, writer.signed_pixels)
    write_element_head(&writer.out, walker.tag, vr, walker.length + (walker.length & 1), writer.implicit)
    write_padded(writer, walker, word_bytes(vr) if vr != VR_UN else word_bytes(walker.vr))
    if writer.depth == 0:
        top_ends(writer)


cdef void open_level(HeaderWriter* writer) noexcept nogil:
    """The last four bytes written are the length of a level that now begins."""
    writer.length_at[writer.depth] = writer.out.length - 4
    writer.depth += 1


cdef void close_level(HeaderWriter* writer) noexcept nogil:
    cdef size_t at
    writer.depth -= 1
    at = writer.length_at[writer.depth]
    patch_le32(&writer.out, at, <uint32_t>(writer.out.length - at - 4))


cdef void give_up_top(HeaderWriter* writer) noexcept nogil:
    """The top-level element that is open is more than a header holds: what is written of it goes, the rest is not
    written, so that it takes no memory whatever its size."""
    writer.silent = writer.depth
    writer.depth = writer.path_depth = 0
    writer.out.length = writer.top_start
    leave_out(writer, writer.top_tag)


cdef void on_sequence(HeaderWriter* writer, const Walker* walker) noexcept nogil:
    if writer.depth == 0:
        top_begins(writer, walker.tag)
    if is_bulk(writer, walker.tag):
        leave_out(writer, walker.tag)
        writer.silent = 1
        return
    write_element_head(&writer.out, walker.tag, VR_SQ, 0, writer.implicit)
    open_level(writer)
    writer.path[writer.path_depth] = walker.tag
    writer.path_depth += 1


cdef void header_event(HeaderWriter* writer, Step step, const Walker* walker) noexcept nogil:
    if writer.depth and writer.capped and writer.out.length > HEADER_BYTES_MAX_C:
        give_up_top(writer)
    if writer.silent:
        writer.silent += deeper(step)
        return
    if step == STEP_ELEMENT:
        on_element(writer, walker)
    elif step == STEP_SEQUENCE:
        on_sequence(writer, walker)
    elif step == STEP_ITEM:
        write_tag(&writer.out, 0xFFFEE000U)
        write_le32(&writer.out, 0)
        open_level(writer)
    elif step == STEP_ITEM_END:
        close_level(writer)
    elif step == STEP_SEQUENCE_END:
        close_level(writer)
        writer.path_depth -= 1
        if writer.depth == 0:
            top_ends(writer)
    elif step == STEP_FRAGMENTS:
        if writer.depth == 0:
            top_begins(writer, walker.tag)
        leave_out(writer, walker.tag)
        writer.silent = 1


cdef void header_free(HeaderWriter* writer) noexcept nogil:
    output_free(&writer.out)


cdef bytes header_bytes(HeaderWriter* writer):
    """What was written; top-level elements sorted, the first of each tag kept."""
    cdef int i
    if writer.out.failed:
        raise MemoryError
    whole = bytes_of(writer.out.data, writer.out.length)
    if writer.sorted:
        return whole
    parts = {}
    for i in range(writer.places_count):
        place = writer.places[i]
        parts.setdefault(place.tag, whole[place.start : place.end])
    return b"".join(parts[tag] for tag in sorted(parts))


cdef tuple header_left_out(HeaderWriter* writer):
    cdef int i, k
    names = {}
    for i in range(writer.left_out_count):
        entry = writer.left_out[i]
        names[".".join("%08X" % entry[1 + k] for k in range(entry[0]))] = None
    return tuple(names)
