"""One level of a stored header, element by element: Explicit VR Little Endian, defined lengths, ascending."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t

from native.cursor cimport Cursor, bytes_of, holds, le16_at, le32_at, part, skip, tag_at
from native.vr cimport is_long


cdef struct Found:
    uint32_t tag
    uint16_t vr
    size_t begin             # of the element, its value, and behind it
    size_t value_begin
    size_t end


cdef inline bint next_element(Cursor* cursor, Found* found) noexcept nogil:
    """The next element of a sound header. False at the end (or at bytes that are no header)."""
    cdef size_t length
    if not holds(cursor, 8):
        return False
    found.begin, found.tag, found.vr = cursor.at, tag_at(cursor, False), le16_at(cursor, 4)
    if is_long(found.vr):
        if not holds(cursor, 12):
            return False
        length = le32_at(cursor, 8)
        skip(cursor, 12)
    else:
        length = le16_at(cursor, 6)
        skip(cursor, 8)
    found.value_begin = cursor.at
    if not skip(cursor, length):
        cursor.at = found.begin
        return False
    found.end = cursor.at
    return True


cdef inline bint find(Cursor* cursor, uint32_t tag, Found* found) noexcept nogil:
    while next_element(cursor, found):
        if found.tag == tag:
            return True
    return False


cdef inline const uint8_t* between(const Cursor* cursor, size_t begin, size_t end) noexcept nogil:
    return part(cursor.data, cursor.end, begin, end - begin)


cdef inline bytes cut_out(const Cursor* cursor, size_t begin, size_t end):
    return bytes_of(between(cursor, begin, end), end - begin)
