"""C interface of the intake log. See segment.pyi for the Python one and lane.pxd for the way that protocols take."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint64_t

cdef enum Outcome:
    ACCEPTED = 0
    FULL = 1        # no room in the intake within the wait: A700, try again
    STOPPED = 2     # shutting down: A700
    FAILED = 3      # a write or sync failed: nothing more is acknowledged by this process
    TOO_LARGE = 4

cdef struct Place:
    # one record in memory: where it stands, and whether its write is complete
    uint64_t lsn
    uint64_t stamp
    uint64_t offset
    uint64_t payload_length
    uint64_t generation
    int64_t segment
    size_t context_length
    uint16_t kind
    bint written
    uint8_t key[16]

cdef struct File:
    int fd
    int64_t number
    uint64_t generation
    uint64_t capacity
    uint64_t used
    uint64_t last_lsn
    bint closed              # full: nothing more is appended
    bint dirty               # has writes that no sync has covered

cdef enum:
    FILES_MAX = 1024

cdef struct State:
    # behind one mutex
    File files[FILES_MAX]
    int files_count
    int current              # index into files of the one appended to; -1 when there is none
    Place* ring
    size_t ring_capacity
    uint64_t first_lsn       # of this process
    uint64_t next_lsn
    uint64_t written_lsn     # highest LSN below which every write is complete
    uint64_t drained_lsn
    uint64_t synced_lsn
    uint64_t acknowledged_lsn
    uint64_t last_stamp
    bint syncing
    bint stopped
    bint failed
    bint external_ack
    int wait_ms_max
    uint64_t waiting
    uint64_t appends
    uint64_t bytes
    uint64_t syncs
    uint64_t sync_ns

cdef class Log:
    cdef State state
    cdef void* gate          # mutex and conditions
    cdef str _failure
    cdef Outcome append(self, uint16_t kind, uint8_t* record, size_t context_length, uint64_t payload_length,
                        const uint8_t* key, uint64_t* lsn) noexcept nogil
    cdef Outcome wait_for(self, uint64_t lsn) noexcept nogil
