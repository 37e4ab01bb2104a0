"""A growing output buffer, bounded, for code that runs without the GIL. Free it with ``output_free``."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, strlen

from native.cursor cimport le32, put_le16, put_le32
from native.vr cimport is_long

cdef struct Output:
    uint8_t* data
    size_t length
    size_t capacity
    bint failed              # no memory: everything written since is lost


cdef inline uint8_t* room(Output* output, size_t count) noexcept nogil:
    """Where the next ``count`` bytes may be written (they count as written), or NULL."""
    cdef size_t wanted = output.length + count
    cdef size_t capacity = output.capacity
    cdef uint8_t* grown
    if wanted > capacity:
        capacity = capacity * 2 if capacity else 4096
        if capacity < wanted:
            capacity = wanted
        grown = <uint8_t*>realloc(output.data, capacity)
        if grown == NULL:
            output.failed = True
            return NULL
        output.data, output.capacity = grown, capacity
    output.length = wanted
    return output.data + wanted - count


cdef inline void write(Output* output, const void* data, size_t count) noexcept nogil:
    cdef uint8_t* here
    if count:
        here = room(output, count)
        if here != NULL:
            memcpy(here, data, count)


cdef inline void write_value(Output* output, const uint8_t* value, size_t length, int word) noexcept nogil:
    """A value, the bytes of each ``word`` of it turned round; what is left of a last one stays as it is."""
    cdef uint8_t* here
    cdef size_t i = 0
    cdef int k
    if word == 1:
        write(output, value, length)
        return
    here = room(output, length)
    if here == NULL:
        return
    while length - i >= <size_t>word:
        for k in range(word):
            here[i + k] = value[i + word - 1 - k]
        i += word
    while i < length:
        here[i] = value[i]
        i += 1


cdef inline void write_literal(Output* output, const char* text) noexcept nogil:
    write(output, text, strlen(text))


cdef inline uint32_t written_le32(const Output* output, size_t at) noexcept nogil:
    """Four bytes that were written before; 0 when they are not there."""
    return le32(output.data + at) if not output.failed and at + 4 <= output.length else 0


cdef inline void patch_le32(Output* output, size_t at, uint32_t value) noexcept nogil:
    """Over four bytes that were written before."""
    if not output.failed and at + 4 <= output.length:
        put_le32(output.data + at, value)


cdef inline void write_byte(Output* output, uint8_t value) noexcept nogil:
    cdef uint8_t* here = room(output, 1)
    if here != NULL:
        here[0] = value


cdef inline void write_tag(Output* output, uint32_t tag) noexcept nogil:
    cdef uint8_t* here = room(output, 4)
    if here != NULL:
        put_le16(here, <uint16_t>(tag >> 16))
        put_le16(here + 2, <uint16_t>(tag & 0xFFFF))


cdef inline void write_le32(Output* output, uint32_t value) noexcept nogil:
    cdef uint8_t* here = room(output, 4)
    if here != NULL:
        put_le32(here, value)


cdef inline void write_element_head(
    Output* output, uint32_t tag, uint16_t vr, size_t length, bint implicit
) noexcept nogil:
    """Element header, little endian; ``length`` must fit the VR."""
    cdef uint8_t* here
    write_tag(output, tag)
    if implicit:
        write_le32(output, <uint32_t>length)
        return
    here = room(output, 8 if is_long(vr) else 4)
    if here == NULL:
        return
    put_le16(here, vr)
    if is_long(vr):
        put_le16(here + 2, 0)
        put_le32(here + 4, <uint32_t>length)
    else:
        put_le16(here + 2, <uint16_t>length)


cdef inline void output_free(Output* output) noexcept nogil:
    free(output.data)
    output.data, output.length, output.capacity = NULL, 0, 0
