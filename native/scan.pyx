"""What stands in the segments of the intake log, read back. See scan.pyi, and record.pxd for the bytes."""

from libc.stdint cimport int64_t, uint8_t, uint64_t

from native.cursor cimport le16, le32, le64
from native.gate cimport map_file, munmap
from native.record cimport RECORD_HEAD_BYTES, aligned, is_sound, looks_like_record


class Entry:
    """A record's place: what drains out of the log, and what a scan finds."""

    __slots__ = (
        "context", "context_length", "generation", "key", "kind", "lsn", "payload_length", "payload_offset", "segment",
        "stamp", "synced_to",
    )

    def __init__(
        self, lsn, stamp, kind, segment, generation, context, context_length, payload_offset, payload_length, key, synced_to
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
    cdef uint64_t at = 0, end = 0, synced_to_max = 0
    cdef const uint8_t* data = <const uint8_t*>map_file(fd, capacity_bytes)
    cdef bint torn = False
    if data == NULL:
        raise OSError(5, "a segment of the intake cannot be mapped")
    found = []
    try:
        while at + RECORD_HEAD_BYTES <= capacity_bytes:
            if is_sound(data + at, generation, capacity_bytes - at):
                synced_to_max = max(synced_to_max, le64(data + at + 24))
                found.append(scanned(data + at, at, number, generation))
                at += aligned(RECORD_HEAD_BYTES + le32(data + at + 40) + le64(data + at + 48))
                end = at
                continue
            torn = torn or looks_like_record(data + at, generation)
            with nogil:
                at += 8
                while at + RECORD_HEAD_BYTES <= capacity_bytes and not looks_like_record(data + at, generation):
                    at += 8
    finally:
        munmap(<void*>data, capacity_bytes)
    return Scan(found, synced_to_max, end, torn)


cdef scanned(const uint8_t* record, uint64_t at, int64_t number, uint64_t generation):
    context_length = le32(record + 40)
    context = (<const char*>record)[RECORD_HEAD_BYTES : RECORD_HEAD_BYTES + context_length]
    key = (<const char*>record)[56:72]
    return Entry(
        le64(record + 16), le64(record + 32), le16(record + 6), number, generation, context, context_length,
        at + RECORD_HEAD_BYTES + context_length, le64(record + 48), key, le64(record + 24),
    )
