"""One level of a stored header, element by element: Explicit VR Little Endian, defined lengths, ascending."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t

from native.cursor cimport le16, le32
from native.vr cimport is_long


cdef struct Found:
    uint32_t tag
    uint16_t vr
    size_t at                # of the element
    size_t value
    size_t length


cdef inline const uint8_t* start(const uint8_t[::1] data) noexcept nogil:
    return &data[0] if data.shape[0] else <const uint8_t*>b""


cdef inline bint next_element(const uint8_t* data, size_t end, size_t* at, Found* found) noexcept nogil:
    """The element at ``at`` of a sound header; moves on. False at the end (or at bytes that are no header)."""
    cdef size_t here = at[0]
    if end < 8 or here > end - 8:
        return False
    found.at = here
    found.tag = (<uint32_t>le16(data + here) << 16) | le16(data + here + 2)
    found.vr = le16(data + here + 4)
    if is_long(found.vr):
        if here + 12 > end:
            return False
        found.length, found.value = le32(data + here + 8), here + 12
    else:
        found.length, found.value = le16(data + here + 6), here + 8
    if found.length > end - found.value:
        return False
    at[0] = found.value + found.length
    return True


cdef inline bint find(const uint8_t* data, size_t begin, size_t end, uint32_t tag, Found* found) noexcept nogil:
    cdef size_t at = begin
    while next_element(data, end, &at, found):
        if found.tag == tag:
            return True
    return False
