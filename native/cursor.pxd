"""The only pointer arithmetic over bytes that came from outside: reads that stay inside, numbers in a byte order.

Where others write (room of their own) stands in tests/tidy/test_pointers.py.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memchr

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>
    static inline uint16_t fr_le16(const uint8_t *p) { uint16_t v; memcpy(&v, p, 2); return v; }
    static inline uint32_t fr_le32(const uint8_t *p) { uint32_t v; memcpy(&v, p, 4); return v; }
    static inline uint64_t fr_le64(const uint8_t *p) { uint64_t v; memcpy(&v, p, 8); return v; }
    static inline uint16_t fr_be16(const uint8_t *p) { return __builtin_bswap16(fr_le16(p)); }
    static inline uint32_t fr_be32(const uint8_t *p) { return __builtin_bswap32(fr_le32(p)); }
    static inline void fr_put_le16(uint8_t *p, uint16_t v) { memcpy(p, &v, 2); }
    static inline void fr_put_le32(uint8_t *p, uint32_t v) { memcpy(p, &v, 4); }
    static inline void fr_put_le64(uint8_t *p, uint64_t v) { memcpy(p, &v, 8); }
    static inline void fr_put_be16(uint8_t *p, uint16_t v) { fr_put_le16(p, __builtin_bswap16(v)); }
    static inline void fr_put_be32(uint8_t *p, uint32_t v) { fr_put_le32(p, __builtin_bswap32(v)); }
    """
    uint16_t le16 "fr_le16"(const uint8_t* p) noexcept nogil
    uint32_t le32 "fr_le32"(const uint8_t* p) noexcept nogil
    uint64_t le64 "fr_le64"(const uint8_t* p) noexcept nogil
    uint16_t be16 "fr_be16"(const uint8_t* p) noexcept nogil
    uint32_t be32 "fr_be32"(const uint8_t* p) noexcept nogil
    void put_le16 "fr_put_le16"(uint8_t* p, uint16_t v) noexcept nogil
    void put_le32 "fr_put_le32"(uint8_t* p, uint32_t v) noexcept nogil
    void put_le64 "fr_put_le64"(uint8_t* p, uint64_t v) noexcept nogil
    void put_be16 "fr_put_be16"(uint8_t* p, uint16_t v) noexcept nogil
    void put_be32 "fr_put_be32"(uint8_t* p, uint32_t v) noexcept nogil
    const void* memmem(const void* data, size_t length, const void* wanted, size_t wanted_length) noexcept nogil


cdef struct Cursor:
    const uint8_t* data
    size_t at
    size_t end


cdef inline Cursor cursor_over(const uint8_t* data, size_t length) noexcept nogil:
    cdef Cursor cursor
    cursor.data = data
    cursor.at = 0
    cursor.end = length
    return cursor


cdef inline size_t left(const Cursor* cursor) noexcept nogil:
    return cursor.end - cursor.at if cursor.at < cursor.end else 0


cdef inline bint holds(const Cursor* cursor, size_t count) noexcept nogil:
    """Whether ``count`` more bytes stand before the end."""
    return cursor.at <= cursor.end and count <= cursor.end - cursor.at


cdef inline const uint8_t* peek(const Cursor* cursor, size_t count) noexcept nogil:
    """The next ``count`` bytes, or NULL when they would pass the end."""
    return cursor.data + cursor.at if holds(cursor, count) else NULL


cdef inline bint skip(Cursor* cursor, size_t count) noexcept nogil:
    """False (and nothing moves) when they would pass the end."""
    if not holds(cursor, count):
        return False
    cursor.at += count
    return True


cdef inline const uint8_t* take(Cursor* cursor, size_t count) noexcept nogil:
    """As ``peek``, and moves behind them."""
    cdef const uint8_t* here = peek(cursor, count)
    cursor.at += count if here != NULL else 0
    return here


# Numbers ``offset`` bytes further on; 0 when they would pass the end (ask ``holds`` first where 0 says something).


cdef inline uint8_t byte_at(const Cursor* cursor, size_t offset) noexcept nogil:
    return cursor.data[cursor.at + offset] if holds(cursor, offset + 1) else 0


cdef inline uint16_t le16_at(const Cursor* cursor, size_t offset) noexcept nogil:
    return le16(cursor.data + cursor.at + offset) if holds(cursor, offset + 2) else 0


cdef inline uint16_t be16_at(const Cursor* cursor, size_t offset) noexcept nogil:
    return be16(cursor.data + cursor.at + offset) if holds(cursor, offset + 2) else 0


cdef inline uint32_t le32_at(const Cursor* cursor, size_t offset) noexcept nogil:
    return le32(cursor.data + cursor.at + offset) if holds(cursor, offset + 4) else 0


cdef inline uint32_t be32_at(const Cursor* cursor, size_t offset) noexcept nogil:
    return be32(cursor.data + cursor.at + offset) if holds(cursor, offset + 4) else 0


cdef inline uint64_t le64_at(const Cursor* cursor, size_t offset) noexcept nogil:
    return le64(cursor.data + cursor.at + offset) if holds(cursor, offset + 8) else 0


cdef inline uint32_t tag_at(const Cursor* cursor, bint big) noexcept nogil:
    if big:
        return (<uint32_t>be16_at(cursor, 0) << 16) | be16_at(cursor, 2)
    return (<uint32_t>le16_at(cursor, 0) << 16) | le16_at(cursor, 2)


# Pieces of a value.


cdef inline const uint8_t* part(const uint8_t* data, size_t length, size_t at, size_t count) noexcept nogil:
    """``count`` bytes from ``at`` on of a value, or NULL when they are not all inside."""
    return data + at if at <= length and count <= length - at else NULL


cdef inline size_t find_byte(const uint8_t* data, size_t length, uint8_t wanted) noexcept nogil:
    """Where it stands first; ``length`` when nowhere."""
    cdef const uint8_t* found = <const uint8_t*>memchr(data, wanted, length) if length else NULL
    return found - data if found != NULL else length


cdef inline size_t find_bytes(
    const uint8_t* data, size_t length, size_t begin, const uint8_t* wanted, size_t wanted_length
) noexcept nogil:
    """Where they stand first from ``begin`` on; ``length`` when nowhere."""
    cdef const uint8_t* found = NULL
    if begin <= length and wanted_length <= length - begin:
        found = <const uint8_t*>memmem(data + begin, length - begin, wanted, wanted_length)
    return found - data if found != NULL else length


cdef inline size_t unpadded(const uint8_t* data, size_t length) noexcept nogil:
    """Length without the spaces and NULs at the end (PS3.5 6.2)."""
    while length and (data[length - 1] == 0x20 or data[length - 1] == 0):
        length -= 1
    return length


# To Python and back.


cdef inline bytes bytes_of(const uint8_t* data, size_t length):
    return PyBytes_FromStringAndSize(<const char*>data, length)


cdef inline const uint8_t* data_of(bytes source):
    return <const uint8_t*>PyBytes_AS_STRING(source)
