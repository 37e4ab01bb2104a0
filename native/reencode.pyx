"""See reencode.pyi. The walk is done twice: to add up the lengths of the levels, then to write, a piece at a time."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset

from native.cursor cimport Cursor, bytes_of, put_be16, put_be32, put_le16, put_le32
from native.identity cimport syntax_of
from native.output cimport Output, output_free, patch_le32, room, write, write_value, written_le32
from native.view cimport over
from native.vr cimport VR_OB, VR_OW, VR_SQ, VR_SS, VR_UN, VR_US, VR_XS, is_long, word_bytes
from native.walker cimport (
    DEFLATED_LITTLE,
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    STEP_ELEMENT,
    STEP_END,
    STEP_FAILED,
    STEP_FRAGMENT,
    STEP_FRAGMENTS,
    STEP_FRAGMENTS_END,
    STEP_ITEM,
    STEP_ITEM_END,
    STEP_SEQUENCE,
    STEP_SEQUENCE_END,
    Step,
    Syntax,
    Walker,
    walk_begin,
    walk_next,
)

from native.faults import Malformed

cdef enum:
    SPAN_MIN = 65536
    PIECE_BYTES = 1048576
    DEPTH_SLOTS = 136
    PIXEL_DATA = 0x7FE00010U
    PIXEL_REPRESENTATION = 0x00280103U
    ITEM = 0xFFFEE000U
    ITEM_DELIMITER = 0xFFFEE00DU
    SEQUENCE_DELIMITER = 0xFFFEE0DDU
    UNDEFINED = 0xFFFFFFFFU
    LENGTH_MAX = 0xFFFFFFFEU
    BAD_LENGTH = 6
    NO_MEMORY = 13

SPAN_BYTES_MIN = SPAN_MIN
PIXELS = (-1, 0, 0)

cdef struct Edit:
    uint32_t tag
    const uint8_t* data      # NULL: the element is taken out
    size_t length

cdef struct Span:
    size_t offset
    size_t length
    int word
    bint waiting
    bint hole

cdef struct Writer:
    bint counting            # first walk: lengths are added up, nothing is written
    bint implicit, big, hole
    bint signed_pixels
    int fault
    uint64_t position        # bytes so far, spans included
    Output out               # written and not yet handed out
    Span span                # stands behind them
    Output lengths           # uint32 of each defined level, in the order of their beginnings
    size_t level_next
    int depth                # open levels
    uint64_t began[DEPTH_SLOTS]
    size_t slot[DEPTH_SLOTS]  # where the level's length goes; SIZE_MAX: undefined
    int skipping             # depth below which events are left out; 0: none
    Edit* edits
    int edits_count, edits_next


cdef inline void put16(const Writer* writer, uint8_t* at, uint16_t value) noexcept nogil:
    if writer.big:
        put_be16(at, value)
    else:
        put_le16(at, value)


cdef inline void put32(const Writer* writer, uint8_t* at, uint32_t value) noexcept nogil:
    if writer.big:
        put_be32(at, value)
    else:
        put_le32(at, value)


cdef void emit(Writer* writer, const uint8_t* data, size_t length) noexcept nogil:
    writer.position += length
    if not writer.counting:
        write(&writer.out, data, length)


cdef void emit_head(Writer* writer, uint32_t tag, uint16_t vr, uint32_t length) noexcept nogil:
    """An element header, or with ``vr`` 0 that of an item or a delimiter."""
    cdef uint8_t head[12]
    put16(writer, head, <uint16_t>(tag >> 16))
    put16(writer, head + 2, <uint16_t>(tag & 0xFFFF))
    if writer.implicit or not vr:
        put32(writer, head + 4, length)
        emit(writer, head, 8)
        return
    put_le16(head + 4, vr)   # two letters: they have no byte order
    if is_long(vr):
        put_le16(head + 6, 0)
        put32(writer, head + 8, length)
        emit(writer, head, 12)
    else:
        put16(writer, head + 6, <uint16_t>length)
        emit(writer, head, 8)


cdef void emit_span(Writer* writer, size_t offset, size_t length, int word) noexcept nogil:
    writer.position += length
    if not writer.counting:
        writer.span.offset, writer.span.length, writer.span.word = offset, length, word
        writer.span.waiting, writer.span.hole = True, False


cdef void emit_value(Writer* writer, const Walker* walker, int word) noexcept nogil:
    if walker.length >= SPAN_MIN:
        emit_span(writer, walker.cursor.at - walker.length, walker.length, word)
    else:
        writer.position += walker.length
        if not writer.counting:
            write_value(&writer.out, walker.value, walker.length, word)


cdef void emit_hole(Writer* writer) noexcept nogil:
    if not writer.counting:
        writer.span.waiting, writer.span.hole = True, True


cdef void emit_edits(Writer* writer, uint32_t below) noexcept nogil:
    """Every edit that stands before a tag."""
    cdef Edit* edit
    while writer.edits_next < writer.edits_count and writer.edits[writer.edits_next].tag < below:
        edit = &writer.edits[writer.edits_next]
        writer.edits_next += 1
        if edit.data != NULL:
            emit(writer, edit.data, edit.length)


cdef bint is_edited(const Writer* writer, uint32_t tag) noexcept nogil:
    cdef int i
    for i in range(writer.edits_count):
        if writer.edits[i].tag == tag:
            return True
    return False


cdef bint is_left_out(Writer* writer, uint32_t tag) noexcept nogil:
    """At the root: put the edits that come before (or in the place of) a tag; whether its own element goes."""
    emit_edits(writer, tag)
    if is_edited(writer, tag):
        emit_edits(writer, tag + 1)
        return True
    if writer.hole and tag == PIXEL_DATA:
        emit_hole(writer)
        return True
    return False


cdef void open_level(Writer* writer, uint32_t tag, uint16_t vr, bint undefined) noexcept nogil:
    """A sequence or an item begins; a defined length is known from the first walk."""
    cdef uint32_t length = UNDEFINED
    cdef size_t slot = <size_t>-1
    cdef uint8_t* here
    if not undefined:
        slot = writer.level_next
        writer.level_next += 1
        if writer.counting:
            length = 0
            here = room(&writer.lengths, 4)
            if here == NULL:
                writer.fault = NO_MEMORY
                return
        else:
            length = written_le32(&writer.lengths, 4 * slot)
    emit_head(writer, tag, vr, length)
    writer.began[writer.depth] = writer.position
    writer.slot[writer.depth] = slot
    writer.depth += 1


cdef void close_level(Writer* writer, uint32_t delimiter) noexcept nogil:
    cdef uint64_t length
    writer.depth -= 1
    if writer.slot[writer.depth] == <size_t>-1:
        emit_head(writer, delimiter, 0, 0)
        return
    if writer.counting:
        length = writer.position - writer.began[writer.depth]
        if length > LENGTH_MAX:
            writer.fault = BAD_LENGTH
        patch_le32(&writer.lengths, 4 * writer.slot[writer.depth], <uint32_t>length)


cdef void on_element(Writer* writer, const Walker* walker) noexcept nogil:
    cdef uint16_t vr = walker.vr
    cdef int word = word_bytes(vr)
    if walker.depth == 0:
        if walker.tag == PIXEL_REPRESENTATION and walker.length == 2:
            writer.signed_pixels = (walker.value[0] | walker.value[1]) & 1
        if is_left_out(writer, walker.tag):
            return
    if walker.tag & 0xFFFF == 0:
        return
    if vr == VR_XS:
        vr = VR_SS if writer.signed_pixels else VR_US
    if not writer.implicit and not is_long(vr) and walker.length > 65534:
        vr = VR_UN           # PS3.5 6.2.2: too long for a length of 16 bits
    emit_head(writer, walker.tag, vr, <uint32_t>walker.length)
    if walker.big == (writer.big and vr != VR_UN):
        word = 1             # what is UN is little endian, always
    emit_value(writer, walker, word)


cdef void on_fragments(Writer* writer, const Walker* walker) noexcept nogil:
    emit_head(writer, walker.tag, VR_OB if walker.vr == VR_OB else VR_OW, UNDEFINED)


cdef void on_event(Writer* writer, Step step, const Walker* walker) noexcept nogil:
    if writer.skipping:
        if walker.depth < writer.skipping:
            writer.skipping = 0
        return
    if step == STEP_ELEMENT:
        on_element(writer, walker)
    elif step == STEP_SEQUENCE or step == STEP_FRAGMENTS:
        if walker.depth == 1 and is_left_out(writer, walker.tag):
            writer.skipping = 1
        elif step == STEP_FRAGMENTS:
            on_fragments(writer, walker)
        else:
            open_level(writer, walker.tag, VR_SQ, walker.stack[walker.depth].undefined)
    elif step == STEP_ITEM:
        open_level(writer, ITEM, 0, walker.stack[walker.depth].undefined)
    elif step == STEP_ITEM_END:
        close_level(writer, ITEM_DELIMITER)
    elif step == STEP_SEQUENCE_END:
        close_level(writer, SEQUENCE_DELIMITER)
    elif step == STEP_FRAGMENT:
        emit_head(writer, ITEM, 0, <uint32_t>walker.length)
        emit_value(writer, walker, 1)
    elif step == STEP_FRAGMENTS_END:
        emit_head(writer, SEQUENCE_DELIMITER, 0, 0)
    elif step == STEP_END:
        emit_edits(writer, UNDEFINED)


cdef Step advance(Writer* writer, Walker* walker) noexcept nogil:
    """On to the next piece that is worth handing out, or to the end."""
    cdef Step step
    while True:
        step = walk_next(walker)
        if step == STEP_FAILED:
            return step
        on_event(writer, step, walker)
        if step == STEP_END or writer.fault or writer.span.waiting or writer.out.length >= PIECE_BYTES:
            return step


cdef class Reencoder:
    """See the stub."""

    cdef Walker walker
    cdef Writer writer
    cdef const uint8_t[::1] dataset
    cdef dict edits
    cdef bint ended
    cdef readonly object length

    def __cinit__(self):
        memset(&self.writer, 0, sizeof(Writer))

    def __init__(self, const uint8_t[::1] dataset, str source_uid, str target_uid, edits=None, bint hole=False):
        cdef Syntax source = plain_syntax(source_uid)
        cdef Syntax target = plain_syntax(target_uid)
        cdef Step step
        self.dataset = dataset
        self.writer.implicit, self.writer.big = target == IMPLICIT_LITTLE, target == EXPLICIT_BIG
        self.writer.hole = hole
        self._take_edits(edits or {})
        self.writer.counting = True
        self._begin(source)
        with nogil:
            step = advance(&self.writer, &self.walker)
        if step == STEP_FAILED:
            raise Malformed(self.walker.fault, self.walker.cursor.at)
        if self.writer.fault:
            raise Malformed(self.writer.fault)
        self.length = self.writer.position
        self.writer.counting = False
        self._begin(source)

    cdef void _begin(self, Syntax source):
        cdef Cursor cursor = over(self.dataset)
        self.writer.position = 0
        self.writer.level_next = 0
        self.writer.depth = self.writer.skipping = self.writer.edits_next = 0
        self.writer.signed_pixels = False
        walk_begin(&self.walker, cursor.data, cursor.end, source)

    cdef void _take_edits(self, edits):
        cdef int index = 0
        cdef const uint8_t[::1] view
        self.edits = {tag: edits[tag] for tag in sorted(edits)}
        self.writer.edits = <Edit*>malloc(sizeof(Edit) * (len(self.edits) + 1))
        if self.writer.edits == NULL:
            return
        for tag, value in self.edits.items():
            self.writer.edits[index].tag = tag
            self.writer.edits[index].data = NULL
            if value:
                view = value
                self.writer.edits[index].data = &view[0]
                self.writer.edits[index].length = len(value)
            index += 1
        self.writer.edits_count = index

    def __dealloc__(self):
        output_free(&self.writer.out)
        output_free(&self.writer.lengths)
        free(self.writer.edits)

    def __iter__(self):
        return self

    def __next__(self):
        cdef Step step = STEP_END
        cdef Writer* writer = &self.writer
        if not writer.out.length and not writer.span.waiting and not self.ended:
            with nogil:
                step = advance(writer, &self.walker)
            if step == STEP_FAILED or writer.fault or writer.out.failed:
                raise Malformed(self.walker.fault or writer.fault or NO_MEMORY)
            self.ended = step == STEP_END
        if writer.out.length:
            piece = bytes_of(writer.out.data, writer.out.length)
            writer.out.length = 0
            return piece
        if writer.span.waiting:
            writer.span.waiting = False
            return PIXELS if writer.span.hole else (writer.span.offset, writer.span.length, writer.span.word)
        raise StopIteration


cdef Syntax plain_syntax(str uid):
    cdef bytes text = uid.encode("ascii", "replace")
    cdef Syntax syntax = syntax_of(text, len(text))
    return EXPLICIT_LITTLE if syntax == DEFLATED_LITTLE else syntax
