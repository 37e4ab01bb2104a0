"""The only pointer arithmetic of the room: reads that stay inside, and numbers in a stated byte order."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

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


cdef inline bint holds(const Cursor* cursor, size_t count) noexcept nogil:
    """Whether ``count`` more bytes stand before the end."""
    return cursor.at <= cursor.end and count <= cursor.end - cursor.at


cdef inline const uint8_t* take(Cursor* cursor, size_t count) noexcept nogil:
    """The next ``count`` bytes, or NULL when they would pass the end."""
    cdef const uint8_t* here
    if not holds(cursor, count):
        return NULL
    here = cursor.data + cursor.at
    cursor.at += count
    return here
