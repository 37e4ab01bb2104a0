"""A buffer that grows by doubling, without the GIL: it holds what stands from ``begin`` to ``end``.

Free it with ``release``.
"""

from libc.stdint cimport uint8_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memmove

from native.cursor cimport Cursor, bytes_of, cursor_over

cdef struct Growing:
    uint8_t* data
    size_t begin
    size_t end
    size_t capacity


cdef inline bint grow(Growing* room, size_t needed, size_t least) noexcept nogil:
    """Room for ``needed`` bytes in all; doubles, so that growing stays linear."""
    cdef size_t capacity = max(room.capacity, least)
    cdef uint8_t* moved
    if needed <= room.capacity:
        return True
    while capacity < needed:
        capacity *= 2
    moved = <uint8_t*>realloc(room.data, capacity)
    if moved == NULL:
        return False
    room.data, room.capacity = moved, capacity
    return True


cdef inline bint add(Growing* room, const uint8_t* data, size_t length, size_t least) noexcept nogil:
    if not grow(room, room.end + length, least):
        return False
    if length:
        memcpy(room.data + room.end, data, length)
        room.end += length
    return True


cdef inline uint8_t* place_at(Growing* room, size_t at) noexcept nogil:
    """A byte that it holds, or may hold next."""
    return room.data + at if at <= room.capacity else NULL


cdef inline size_t free_bytes(const Growing* room) noexcept nogil:
    return room.capacity - room.end


cdef inline size_t held_bytes(const Growing* room) noexcept nogil:
    return room.end - room.begin


cdef inline Cursor held(const Growing* room) noexcept nogil:
    """What it holds, to be read."""
    return cursor_over(room.data + room.begin, room.end - room.begin)


cdef inline bytes held_as_bytes(const Growing* room):
    return bytes_of(room.data + room.begin, room.end - room.begin)


cdef inline void compact(Growing* room) noexcept nogil:
    if room.begin:
        memmove(room.data, room.data + room.begin, room.end - room.begin)
        room.end -= room.begin
        room.begin = 0


cdef inline void release(Growing* room) noexcept nogil:
    free(room.data)
    room.data, room.begin, room.end, room.capacity = NULL, 0, 0, 0
