"""What stands in the segments of the intake log, read back. See scan.pyi, and record.pxd for the bytes."""

from libc.stdint cimport int64_t, uint8_t, uint64_t

from native.cursor cimport (
    Cursor,
    bytes_of,
    cursor_over,
    holds,
    le16_at,
    le32_at,
    le64_at,
    skip,
    take,
)
from native.gate cimport map_file, munmap
from native.record cimport RECORD_ALIGNMENT, RECORD_HEAD_BYTES, aligned, is_sound, looks_like_record


class Entry:
    """A record's place: what drains out of the log, and what a scan finds."""

    __slots__ = (
        "context", "context_length", "generation", "key", "kind", "lsn", "payload_length", "payload_offset", "segment",
        "stamp", "synced_to",
    )

    def __init__(
        self, lsn, stamp, kind, segment, generation, context, context_length, payload_offset, payload_length, key,
        synced_to
    ):
        self.lsn = lsn
        self.stamp = stamp
        self.kind = kind
        self.segment = segment
        self.generation = generation
        self.context = context
        self.context_length = context_length
        self.payload_offset = payload_offset
        self.payload_length = payload_length
        self.key = key
        self.synced_to = synced_to


class Scan:
    """What stands in one segment."""

    __slots__ = ("end", "entries", "synced_to_max", "torn")

    def __init__(self, entries, synced_to_max, end, torn):
        self.entries = entries
        self.synced_to_max = synced_to_max
        self.end = end
        self.torn = torn


def scan(int fd, int64_t number, uint64_t generation, uint64_t capacity_bytes):
    """See the stub. Looks on behind a torn record too: what was written in parallel may stand whole after it."""
    cdef uint64_t end = 0, synced_to_max = 0
    cdef void* mapped = map_file(fd, capacity_bytes)
    cdef Cursor cursor
    cdef bint torn = False
    if mapped == NULL:
        raise OSError(5, "a segment of the intake cannot be mapped")
    cursor = cursor_over(<const uint8_t*>mapped, capacity_bytes)
    found = []
    try:
        while holds(&cursor, RECORD_HEAD_BYTES):
            if is_sound(&cursor, generation):
                synced_to_max = max(synced_to_max, le64_at(&cursor, 24))
                found.append(scanned(&cursor, number, generation))
                cursor.at += aligned(RECORD_HEAD_BYTES + le32_at(&cursor, 40) + le64_at(&cursor, 48))
                end = cursor.at
                continue
            torn = torn or looks_like_record(&cursor, generation)
            with nogil:
                skip(&cursor, RECORD_ALIGNMENT)
                while holds(&cursor, RECORD_HEAD_BYTES) and not looks_like_record(&cursor, generation):
                    skip(&cursor, RECORD_ALIGNMENT)
    finally:
        munmap(mapped, capacity_bytes)
    return Scan(found, synced_to_max, end, torn)


cdef scanned(const Cursor* record, uint64_t number, uint64_t generation):
    cdef Cursor body = record[0]
    cdef size_t context_length = le32_at(record, 40)
    skip(&body, 56)
    key = bytes_of(take(&body, 16), 16)
    skip(&body, 8)
    context = bytes_of(take(&body, context_length), context_length)
    return Entry(
        le64_at(record, 16), le64_at(record, 32), le16_at(record, 6), number, generation, context, context_length,
        body.at, le64_at(record, 48), key, le64_at(record, 24),
    )
