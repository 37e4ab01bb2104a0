"""The intake record's 80 bytes (engine/keep/intake_format.py draws them), written and checked without the GIL."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

from native.cursor cimport (
    Cursor,
    le16_at,
    le32_at,
    le64_at,
    left,
    part,
    peek,
    put_le16,
    put_le32,
    put_le64,
)
from native.xxh cimport XXH3_64bits_withSeed

cdef enum:
    RECORD_HEAD_BYTES = 80
    CHECKED_HEAD_BYTES = 72
    RECORD_ALIGNMENT = 8
    RECORD_MAGIC = 0x314D5246
    RECORD_VERSION = 1
    CONTEXT_BYTES_MAX = 4096


cdef inline uint64_t aligned(uint64_t length) noexcept nogil:
    return (length + RECORD_ALIGNMENT - 1) & ~<uint64_t>(RECORD_ALIGNMENT - 1)


cdef inline uint64_t record_checksum(const uint8_t* record, uint64_t generation, size_t body_length) noexcept nogil:
    """Head seeded by the body, the body seeded by the generation."""
    cdef const uint8_t* body_begin = part(record, RECORD_HEAD_BYTES + body_length, RECORD_HEAD_BYTES, body_length)
    cdef uint64_t body = XXH3_64bits_withSeed(body_begin, body_length, generation)
    return XXH3_64bits_withSeed(record, CHECKED_HEAD_BYTES, body)


cdef inline void seal_record(
    uint8_t* record, uint16_t kind, uint64_t generation, uint64_t lsn, uint64_t synced_to, uint64_t stamp,
    size_t context_length, uint64_t payload_length, const uint8_t* key
) noexcept nogil:
    """Write the head before a body that already stands at ``record + 80``."""
    put_le32(record, RECORD_MAGIC)
    put_le16(record + 4, RECORD_VERSION)
    put_le16(record + 6, kind)
    put_le64(record + 8, generation)
    put_le64(record + 16, lsn)
    put_le64(record + 24, synced_to)
    put_le64(record + 32, stamp)
    put_le32(record + 40, <uint32_t>context_length)
    put_le32(record + 44, 0)
    put_le64(record + 48, payload_length)
    memcpy(record + 56, key, 16)
    put_le64(record + 72, record_checksum(record, generation, context_length + payload_length))


cdef inline bint looks_like_record(const Cursor* cursor, uint64_t generation) noexcept nogil:
    return (
        le32_at(cursor, 0) == RECORD_MAGIC and le16_at(cursor, 4) == RECORD_VERSION and le64_at(cursor, 8) == generation
    )


cdef inline bint is_sound(const Cursor* cursor, uint64_t generation) noexcept nogil:
    """Whether a whole record of this generation stands here."""
    cdef uint64_t context_length = le32_at(cursor, 40), payload_length = le64_at(cursor, 48)
    cdef const uint8_t* record
    if not looks_like_record(cursor, generation):
        return False
    if context_length > CONTEXT_BYTES_MAX or payload_length > left(cursor):
        return False
    record = peek(cursor, RECORD_HEAD_BYTES + context_length + payload_length)
    if record == NULL:
        return False
    return le64_at(cursor, 72) == record_checksum(record, generation, context_length + payload_length)
