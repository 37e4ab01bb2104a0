"""A Lane is what the engine hands to a protocol: one association's (or request's) way into the intake.

Payloads are gathered by the caller in one buffer that leaves ``lane.headroom`` free bytes before them, so that record
head, context and payload go to the segment in one pwrite. Larger ones are streamed to a file of their own (Spool).
"""

from libc.stdint cimport uint8_t, uint64_t

from native.ledger cimport Outcome
from native.segment cimport Log

cdef struct Spool:
    # an object above the gather limit, streamed to a file of its own
    int fd
    uint64_t length
    void* hash128
    const uint8_t* mapped
    char name[64]

cdef class Lane:
    cdef readonly Log log
    cdef readonly bytes context
    cdef readonly size_t headroom
    cdef readonly uint64_t object_bytes_max
    cdef readonly uint64_t gather_bytes_max
    cdef int spool_directory
    cdef uint64_t spool_serial
    cdef bytes spool_prefix_bytes
    cdef const char* context_data
    cdef size_t context_length
    cdef const char* prefix_data

    # payload must have `headroom` writable bytes before it. Fills them, reserves, writes. lsn is set on ACCEPTED.
    cdef Outcome append(self, uint8_t* payload, uint64_t length, uint64_t* lsn) noexcept nogil
    # Blocks until lsn is acknowledged as the `ack` setting promises (leads or follows the group sync).
    cdef Outcome wait(self, uint64_t lsn) noexcept nogil

    cdef Outcome spool_begin(self, Spool* spool) noexcept nogil
    cdef Outcome spool_write(self, Spool* spool, const uint8_t* data, uint64_t length) noexcept nogil
    # maps the spooled bytes for a check before they are finished; NULL on failure. unmapped by finish/abort
    cdef const uint8_t* spool_map(self, Spool* spool) noexcept nogil
    cdef Outcome spool_finish(self, Spool* spool, uint64_t* lsn) noexcept nogil
    cdef void spool_abort(self, Spool* spool) noexcept nogil
