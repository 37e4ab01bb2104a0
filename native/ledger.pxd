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

cdef enum Waiting:
    # who waits for what: a change wakes those alone whom it concerns
    FRESH = 0       # the drain: for records
    WHOLE = 1       # an earlier record is still being written
    GROUP = 2       # and 3: for the sync that runs, or for the next one, by turns
    ACKNOWLEDGED = 4
    ROOM = 5        # an append: for a segment, for less backlog
    NEED = 6        # who makes segments: for one to be taken

cdef struct Ledger:
    void* gate               # mutex and conditions: see Waiting
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
    unsigned int round       # of group syncs: its parity says which condition its followers wait on
    uint64_t sync_target     # what the sync that runs will have covered
    int64_t sync_begun_ns
    uint64_t drain_from      # the drain wakes when a record of this LSN is written
    bint hurried             # somebody waits for the drain: no lingering
    bint refusing            # the disk is nearly full: no appends
    int64_t backlog_bytes    # payloads and spool files between their append and their checkpoint
    int64_t backlog_bytes_max
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
# ``urgent``: whatever the backlog, and however full the disk.
cdef Outcome ledger_reserve(
    Ledger* ledger, uint64_t size, bint urgent, Place* place, int* fd, uint64_t* synced_to
) noexcept nogil
# The record is written whole, or the log has failed.
cdef Outcome ledger_mark_written(Ledger* ledger, Place* place, uint64_t size, int error) noexcept nogil
# Returns when every record up to ``lsn`` is on disk: leads a group sync or follows one. FULL: not within the wait.
cdef Outcome ledger_sync(Ledger* ledger, uint64_t lsn) noexcept nogil
# Returns when ``lsn`` is acknowledged: by the group sync, or from outside (``external_ack``). FULL: not in time.
cdef Outcome ledger_wait(Ledger* ledger, uint64_t lsn) noexcept nogil
# A sync runs for longer than anybody waits for it: the disk hangs.
cdef bint ledger_suspect(const Ledger* ledger) noexcept nogil
# The records that may be drained: waits for the first, then up to ``linger_ms`` for ``count`` of them, unless hurried
# or none comes for ``pause_ms``. From ``first`` to ``last`` (none when it is lower).
cdef void ledger_await_written(
    Ledger* ledger, int timeout_ms, int linger_ms, int pause_ms, uint64_t count, uint64_t* first, uint64_t* last
) noexcept nogil
cdef void ledger_drained(Ledger* ledger, uint64_t last) noexcept nogil
# Somebody waits for what is written to be drained.
cdef void ledger_hurry(Ledger* ledger) noexcept nogil
cdef void ledger_acknowledge(Ledger* ledger, uint64_t lsn) noexcept nogil
# More (or less) backlog than the records that were appended.
cdef void ledger_charge(Ledger* ledger, int64_t bytes_more) noexcept nogil
# Waits for the backlog to be below its limit: for who is about to make more of it in another way.
cdef Outcome ledger_await_room(Ledger* ledger) noexcept nogil
# Waits until no empty segment is left, or for a while.
cdef void ledger_await_need(Ledger* ledger, int timeout_ms) noexcept nogil
cdef void ledger_refuse(Ledger* ledger, bint refusing) noexcept nogil
# Nothing is acknowledged from now on; all waiters wake.
cdef void ledger_fail(Ledger* ledger) noexcept nogil
cdef void ledger_stop(Ledger* ledger) noexcept nogil
