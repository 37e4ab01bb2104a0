"""What the intake log knows of its records, behind one mutex: places given out, writes finished, groups synced.

An LSN goes four steps, each a contiguous prefix: reserved, written, synced, acknowledged. All without the GIL.
"""

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

cdef struct Ledger:
    void* gate               # mutex and conditions
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

cdef bint ledger_begin(
    Ledger* ledger, uint64_t first_lsn, uint64_t stamp_floor, size_t ring_capacity
) noexcept nogil
cdef void ledger_end(Ledger* ledger) noexcept nogil
# False when there are too many.
cdef bint ledger_add_file(
    Ledger* ledger, int fd, int64_t number, uint64_t generation, uint64_t capacity
) noexcept nogil
cdef void ledger_remove_file(Ledger* ledger, int64_t number) noexcept nogil
# Copies of all (room for FILES_MAX) and the index of the one appended to; their number.
cdef int ledger_files(Ledger* ledger, File* files, int* current) noexcept nogil
# Close the file that is appended to.
cdef void ledger_rotate(Ledger* ledger) noexcept nogil

# An LSN, a stamp and a place in a segment; waits for room up to the limit.
cdef Outcome ledger_reserve(Ledger* ledger, uint64_t size, Place* place, int* fd, uint64_t* synced_to) noexcept nogil
# The record is written whole, or the log has failed.
cdef Outcome ledger_mark_written(Ledger* ledger, Place* place, uint64_t size, int error) noexcept nogil
# Returns when every record up to ``lsn`` is on disk: leads a group sync or follows one.
cdef Outcome ledger_sync(Ledger* ledger, uint64_t lsn) noexcept nogil
# Returns when ``lsn`` is acknowledged: by the group sync, or from outside (``external_ack``).
cdef Outcome ledger_wait(Ledger* ledger, uint64_t lsn) noexcept nogil
# The records that may be drained, waiting for the first: from ``first`` to ``last`` (none when it is lower).
cdef void ledger_await_written(Ledger* ledger, int timeout_ms, uint64_t* first, uint64_t* last) noexcept nogil
cdef void ledger_drained(Ledger* ledger, uint64_t last) noexcept nogil
cdef void ledger_acknowledge(Ledger* ledger, uint64_t lsn) noexcept nogil
# Nothing is acknowledged from now on; all waiters wake.
cdef void ledger_fail(Ledger* ledger) noexcept nogil
cdef void ledger_stop(Ledger* ledger) noexcept nogil
