"""See gather.pxd."""

cimport cython
from libc.stdint cimport uint8_t, uint16_t, uint64_t
from libc.string cimport memcpy, strcmp

from native.answers cimport (
    STATUS_MISMATCH,
    STATUS_NOT_UNDERSTOOD,
    STATUS_OUT_OF_RESOURCES,
    STATUS_SUCCESS,
)
from native.canonical cimport HEAD_BYTES_MAX, write_head
from native.command cimport Command
from native.cursor cimport Cursor, cursor_over, left, peek, skip, take
from native.growing cimport free_bytes, grow, held, held_bytes, place_at, release
from native.identity cimport Checked, check_dataset
from native.lane cimport Lane
from native.ledger cimport ACCEPTED, Outcome
from native.walker cimport BAD_UID, NO_MEMORY, NO_ROOM, NO_UID, OTHER_INSTANCE, Syntax

cdef enum:
    GATHER_BYTES_MIN = 1 << 18


# The lane must be there when a spool is given up, also when the collector takes us with a cycle.
@cython.no_gc_clear
cdef class Gather:
    def __cinit__(self, Lane lane):
        self.lane, self.has_lane = lane, lane is not None
        self.headroom = lane.headroom if lane is not None else 0

    def __dealloc__(self):
        if self.way == SPOOLED:
            self.lane.spool_abort(&self.spool)
        release(&self.gathered)

    # ------------------------------------------------------------ begins

    cdef void begin(self, const Command* request, const char* transfer_syntax) noexcept nogil:
        if not self.has_lane:
            self.begin_refused(STATUS_SUCCESS, 0)
            return
        if not grow(&self.gathered, self.headroom + HEAD_BYTES_MAX, GATHER_BYTES_MIN):
            self.begin_refused(STATUS_OUT_OF_RESOURCES, NO_ROOM)
            return
        self.way, self.dataset_bytes = GATHERED, 0
        self.head_bytes = write_head(
            place_at(&self.gathered, self.headroom), request.sop_class_uid, request.sop_instance_uid, transfer_syntax
        )
        self.gathered.begin, self.gathered.end = self.headroom, self.headroom + self.head_bytes

    cdef void begin_refused(self, uint16_t status, int reason) noexcept nogil:
        self.dataset_bytes = 0
        self.refuse(status, reason)

    cdef void refuse(self, uint16_t status, int reason) noexcept nogil:
        """From here on its bytes are not kept."""
        if self.way == SPOOLED:
            self.lane.spool_abort(&self.spool)
        self.way = REFUSED
        self.verdict.status, self.verdict.reason, self.verdict.lsn = status, reason, 0

    # ------------------------------------------------------------ grows

    cdef void make_room(self, size_t coming) noexcept nogil:
        cdef size_t needed = self.gathered.end + coming
        if self.way == GATHERED and self.dataset_bytes + coming > self.lane.gather_bytes_max:
            if self.lane.spool_begin(&self.spool) == ACCEPTED:
                self.way = SPOOLED
            else:
                self.refuse(STATUS_OUT_OF_RESOURCES, NO_ROOM)
        if self.way == SPOOLED and (needed > self.gathered.capacity or free_bytes(&self.gathered) == 0):
            self.write_spool()
        if self.way == GATHERED and not grow(&self.gathered, needed, GATHER_BYTES_MIN):
            self.refuse(STATUS_OUT_OF_RESOURCES, NO_ROOM)

    cdef void write_spool(self) noexcept nogil:
        cdef Cursor gathered = held(&self.gathered)
        cdef size_t length = left(&gathered)
        if length and self.lane.spool_write(&self.spool, peek(&gathered, length), length) != ACCEPTED:
            self.refuse(STATUS_OUT_OF_RESOURCES, NO_ROOM)
        self.gathered.end = self.gathered.begin

    cdef uint8_t* place(self, size_t* length) noexcept nogil:
        length[0] = 0 if self.way == REFUSED else free_bytes(&self.gathered)
        return place_at(&self.gathered, self.gathered.end)

    cdef void landed(self, size_t length) noexcept nogil:
        self.gathered.end += length
        self.dataset_bytes += length

    cdef bint add(self, const uint8_t* data, size_t length, size_t coming) noexcept nogil:
        cdef Cursor cursor = cursor_over(data, length)
        cdef size_t now
        while left(&cursor) and self.way != REFUSED:
            if free_bytes(&self.gathered) == 0:
                self.make_room(coming - cursor.at)
                continue
            now = min(left(&cursor), free_bytes(&self.gathered))
            memcpy(place_at(&self.gathered, self.gathered.end), take(&cursor, now), now)
            self.landed(now)
        self.dataset_bytes += left(&cursor)
        if self.has_lane and self.dataset_bytes > self.lane.object_bytes_max:
            self.refuse(STATUS_OUT_OF_RESOURCES, NO_ROOM)
            return False
        return True

    cdef void give_up(self) noexcept nogil:
        self.refuse(STATUS_OUT_OF_RESOURCES, NO_ROOM)
        release(&self.gathered)

    cdef void trim(self) noexcept nogil:
        release(&self.gathered)

    # ------------------------------------------------------------ ends

    cdef Verdict finish(self, const Command* request, Syntax syntax) noexcept nogil:
        cdef Cursor whole
        if self.way == SPOOLED:
            self.write_spool()
        if self.way == REFUSED:
            return self.verdict
        if self.way == SPOOLED:
            whole = cursor_over(self.lane.spool_map(&self.spool), self.spool.length)
        else:
            whole = held(&self.gathered)
        if whole.data == NULL or not skip(&whole, self.head_bytes):
            self.refuse(STATUS_OUT_OF_RESOURCES, NO_ROOM)
        else:
            self.check(peek(&whole, left(&whole)), left(&whole), request, syntax)
        if self.way != REFUSED:
            self.append()
        return self.verdict

    cdef void check(
        self, const uint8_t* dataset, size_t length, const Command* request, Syntax syntax
    ) noexcept nogil:
        """Whether the data set may be kept under the command's UIDs; else it is refused here."""
        cdef Checked found
        cdef int reason = check_dataset(dataset, length, syntax, &found, self.way == SPOOLED)
        if reason == NO_MEMORY:
            self.refuse(STATUS_OUT_OF_RESOURCES, reason)
        elif reason:
            self.refuse(STATUS_MISMATCH if reason == NO_UID or reason == BAD_UID else STATUS_NOT_UNDERSTOOD, reason)
        elif strcmp(found.sop_class_uid, request.sop_class_uid) or strcmp(
            found.sop_instance_uid, request.sop_instance_uid
        ):
            self.refuse(STATUS_MISMATCH, OTHER_INSTANCE)

    cdef void append(self) noexcept nogil:
        cdef uint64_t lsn = 0
        cdef Outcome outcome
        if self.way == SPOOLED:
            self.way = GATHERED    # whatever comes of it, there is no spool of ours any more
            outcome = self.lane.spool_finish(&self.spool, &lsn)
        else:
            outcome = self.lane.append(place_at(&self.gathered, self.headroom), held_bytes(&self.gathered), &lsn)
        if outcome != ACCEPTED:
            self.refuse(STATUS_OUT_OF_RESOURCES, NO_ROOM)
        else:
            self.verdict.status, self.verdict.reason, self.verdict.lsn = STATUS_SUCCESS, 0, lsn
