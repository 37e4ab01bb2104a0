"""See walker.pxd."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t

from native.cursor cimport (
    Cursor,
    be16_at,
    be32_at,
    cursor_over,
    holds,
    le16_at,
    le32_at,
    skip,
    tag_at,
    take,
)
from native.vr cimport VR_OB, VR_OW, VR_SQ, VR_UN, is_letters, is_long, vr_of

cdef enum:
    UNDEFINED = 0xFFFFFFFFU
    ITEM = 0xFFFEE000U
    ITEM_DELIMITER = 0xFFFEE00DU
    SEQUENCE_DELIMITER = 0xFFFEE0DDU
    PIXEL_DATA = 0x7FE00010U


cdef void walk_begin(Walker* walker, const uint8_t* data, size_t length, Syntax syntax) noexcept nogil:
    walker.cursor = cursor_over(data, length)
    walker.depth = 0
    walker.elements = 0
    walker.fault = SOUND
    walker.stack[0].end = length
    walker.stack[0].undefined = False
    walker.stack[0].implicit = syntax == IMPLICIT_LITTLE
    walker.stack[0].big = syntax == EXPLICIT_BIG
    walker.stack[0].kind = LEVEL_ITEM
    if syntax == EXPLICIT_LITTLE:
        # Some devices announce Explicit VR and write Implicit VR: read as what it is, as pydicom does.
        walker.stack[0].implicit = looks_implicit(&walker.cursor)


cdef void walk_items(Walker* walker, const uint8_t* data, size_t length) noexcept nogil:
    walk_begin(walker, data, length, IMPLICIT_LITTLE)
    walker.stack[0].kind = LEVEL_SEQUENCE


cdef inline bint looks_implicit(const Cursor* cursor) noexcept nogil:
    """Whether no letters stand where the first element's VR should be (and it is an element, not a delimiter)."""
    if not holds(cursor, 8):
        return False
    return not is_letters(le16_at(cursor, 4)) and le16_at(cursor, 0) != 0xFFFE and be16_at(cursor, 0) != 0xFFFE


cdef inline Step failed(Walker* walker, Fault fault) noexcept nogil:
    walker.fault = fault
    return STEP_FAILED


cdef inline Step closed(Walker* walker) noexcept nogil:
    """Leave the top level."""
    cdef LevelKind kind = walker.stack[walker.depth].kind
    walker.depth -= 1
    if kind == LEVEL_SEQUENCE:
        return STEP_SEQUENCE_END
    return STEP_FRAGMENTS_END if kind == LEVEL_FRAGMENTS else STEP_ITEM_END


cdef inline Step opened(Walker* walker, LevelKind kind, size_t length, bint implicit, Step step) noexcept nogil:
    """Enter a level of ``length`` bytes (UNDEFINED: until its delimiter, at most to its parent's end)."""
    cdef Level* parent = &walker.stack[walker.depth]
    cdef Level* level
    if walker.depth + 1 >= STACK_MAX - 1:
        return failed(walker, TOO_DEEP)
    level = &walker.stack[walker.depth + 1]
    level.kind = kind
    level.implicit = implicit
    level.big = parent.big and not (implicit and not parent.implicit)
    level.undefined = length == UNDEFINED
    if level.undefined:
        level.end = parent.end
    elif length > parent.end - walker.cursor.at:
        return failed(walker, PAST_END)
    else:
        level.end = walker.cursor.at + length
    walker.depth += 1
    return step


cdef inline bint fits(const Walker* walker, const Level* level, size_t count) noexcept nogil:
    """Whether ``count`` more bytes stand before the level's end."""
    return walker.cursor.at <= level.end and count <= level.end - walker.cursor.at and holds(&walker.cursor, count)


cdef inline uint32_t long_length(const Cursor* cursor, bint big) noexcept nogil:
    return be32_at(cursor, 4) if big else le32_at(cursor, 4)


cdef inline bint begin_header(Walker* walker, const Level* level) noexcept nogil:
    """An element's or item's first 8 bytes are there."""
    walker.header_at = walker.cursor.at
    if not fits(walker, level, 8):
        failed(walker, CUT)
        return False
    return True


cdef Step next_item(Walker* walker, Level* level) noexcept nogil:
    """Inside a sequence or encapsulated Pixel Data: an item, or the end."""
    cdef uint32_t tag, length
    cdef bint implicit = level.implicit
    if not begin_header(walker, level):
        return STEP_FAILED
    tag = tag_at(&walker.cursor, level.big)
    length = long_length(&walker.cursor, level.big)
    skip(&walker.cursor, 8)
    if tag == SEQUENCE_DELIMITER:
        return closed(walker) if level.undefined else failed(walker, STRAY_DELIMITER)
    if tag != ITEM:
        return failed(walker, BAD_ITEM)
    walker.elements += 1
    if walker.elements > ELEMENTS_MAX_C:
        return failed(walker, TOO_MANY)
    if level.kind == LEVEL_FRAGMENTS:
        if length == UNDEFINED:
            return failed(walker, BAD_LENGTH)
        if length > level.end - walker.cursor.at:
            return failed(walker, PAST_END)
        walker.value = take(&walker.cursor, length)
        walker.length = length
        return STEP_FRAGMENT
    if not implicit and length >= 8:
        # Some devices write Implicit VR items into Explicit VR sequences.
        implicit = looks_implicit(&walker.cursor)
    return opened(walker, LEVEL_ITEM, length, implicit, STEP_ITEM)


cdef Step next_element(Walker* walker, Level* level) noexcept nogil:
    """Inside an item or at the root: an element, or the item's delimiter."""
    cdef uint32_t tag, length
    cdef uint16_t vr
    if not begin_header(walker, level):
        return STEP_FAILED
    tag = tag_at(&walker.cursor, level.big)
    if tag >> 16 == 0xFFFE:
        skip(&walker.cursor, 8)
        if tag == ITEM_DELIMITER and level.undefined and walker.depth > 0:
            return closed(walker)
        return failed(walker, STRAY_DELIMITER)
    walker.elements += 1
    if walker.elements > ELEMENTS_MAX_C:
        return failed(walker, TOO_MANY)
    vr = vr_of(tag) if level.implicit else le16_at(&walker.cursor, 4)
    if level.implicit:
        length = le32_at(&walker.cursor, 4)
    elif not is_letters(vr):
        if level.big:
            return failed(walker, BAD_VR)
        # one Implicit VR element among explicit ones, as pydicom reads it
        vr, length = vr_of(tag), le32_at(&walker.cursor, 4)
    elif not is_long(vr):
        length = be16_at(&walker.cursor, 6) if level.big else le16_at(&walker.cursor, 6)
    else:
        skip(&walker.cursor, 4)
        if not fits(walker, level, 8):
            return failed(walker, CUT)
        length = long_length(&walker.cursor, level.big)
    skip(&walker.cursor, 8)
    walker.tag, walker.vr, walker.big = tag, vr, level.big
    return placed_value(walker, level, length)


cdef inline bint starts_item(const Cursor* cursor) noexcept nogil:
    return holds(cursor, 8) and tag_at(cursor, False) == ITEM


cdef Step placed_value(Walker* walker, Level* level, uint32_t length) noexcept nogil:
    """The value behind an element header: bytes, a sequence, or fragments."""
    cdef uint16_t vr = walker.vr
    if length == UNDEFINED:
        if vr == VR_OB or vr == VR_OW or walker.tag == PIXEL_DATA:
            return opened(walker, LEVEL_FRAGMENTS, UNDEFINED, level.implicit, STEP_FRAGMENTS)
        if vr == VR_SQ or vr == VR_UN or level.implicit:
            # UN of undefined length holds Implicit VR Little Endian (PS3.5 6.2.2, note on UN)
            walker.vr = VR_SQ
            return opened(walker, LEVEL_SEQUENCE, UNDEFINED, level.implicit or vr == VR_UN, STEP_SEQUENCE)
        return failed(walker, BAD_LENGTH)
    if length > level.end - walker.cursor.at:
        return failed(walker, PAST_END)
    if vr == VR_UN and not level.big and length >= 8 and vr_of(walker.tag) == VR_SQ and starts_item(&walker.cursor):
        # a public sequence that passed through a system that did not know it (PS3.5 6.2.2)
        walker.vr = VR_SQ
        return opened(walker, LEVEL_SEQUENCE, length, True, STEP_SEQUENCE)
    if vr == VR_SQ:
        return opened(walker, LEVEL_SEQUENCE, length, level.implicit, STEP_SEQUENCE)
    walker.value = take(&walker.cursor, length)
    walker.length = length
    return STEP_ELEMENT


cdef Step walk_next(Walker* walker) noexcept nogil:
    """The next event; STEP_END at the sound end of the data set, STEP_FAILED with ``fault`` otherwise."""
    cdef Level* level = &walker.stack[walker.depth]
    if not level.undefined and walker.cursor.at >= level.end:
        return STEP_END if walker.depth == 0 else closed(walker)
    if level.kind == LEVEL_ITEM:
        return next_element(walker, level)
    return next_item(walker, level)
