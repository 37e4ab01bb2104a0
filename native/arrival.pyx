"""See arrival.pyi and arrival.pxd.

A gathered file stands behind room for the largest record head, context and canonical head, so that these are written
over whatever head it came with and all goes to the segment in one pwrite. A spooled one needs its head first: the UIDs
in it are those that the gathered beginning tells. Should the whole data set tell others (deflated ones tell nothing
before their end), the file is written anew.
"""

cimport cython
from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memcmp, memcpy, memmove, memset, strlen

from native.canonical cimport HEAD_BYTES_MAX, META_AT, PREAMBLE_BYTES, find_dataset, write_head
from native.cursor cimport Cursor, bytes_of, cursor_over, left, peek, skip, take
from native.growing cimport Growing, add, free_bytes, grow, held, held_bytes, place_at, release
from native.identity cimport Checked, check_dataset, syntax_of
from native.lane cimport Lane, Spool
from native.ledger cimport ACCEPTED, FAILED, Outcome
from native.record cimport CONTEXT_BYTES_MAX, RECORD_HEAD_BYTES
from native.segment cimport raise_for
from native.uid cimport is_uid
from native.view cimport over
from native.walker cimport NO_MEMORY, NOT_DICOM, SOUND

from native.canonical import TIFF
from native.faults import Malformed

cdef enum:
    ROOM_BYTES = RECORD_HEAD_BYTES + CONTEXT_BYTES_MAX + HEAD_BYTES_MAX
    GATHER_BYTES_MIN = 1 << 18
    SPOOL_BYTES = 1 << 20    # that wait for one write to a spool

cdef bytes KEPT_PREAMBLES = b"".join(TIFF)
cdef const char* kept_preambles = KEPT_PREAMBLES


# The lane must be there when a spool is given up, also when the collector takes us with a cycle.
@cython.no_gc_clear
cdef class Arrival:
    def __cinit__(self, Lane lane not None, uint64_t gather_bytes_max=0):
        self.lane = lane
        self.gather_bytes_max = max(
            HEAD_BYTES_MAX, min(gather_bytes_max or lane.gather_bytes_max, lane.gather_bytes_max)
        )
        self.begin()

    def __dealloc__(self):
        if self.is_spooled:
            self.lane.spool_abort(&self.spool)
        release(&self.gathered)

    @property
    def length(self):
        return self.written_bytes + held_bytes(&self.gathered)

    @property
    def preamble(self):
        return bytes_of(self.first, PREAMBLE_BYTES) if self.has_preamble else b""

    @property
    def known(self):
        return uids_of(&self.found)

    cdef void begin(self) noexcept nogil:
        self.gathered.begin = self.gathered.end = ROOM_BYTES
        self.written_bytes = self.dataset_at = self.head_bytes = 0
        self.is_spooled = self.is_checked = self.has_preamble = False
        self.reason, self.outcome = SOUND, ACCEPTED
        memset(&self.found, 0, sizeof(Checked))

    cdef bint refuse(self, int reason, Outcome outcome) noexcept nogil:
        self.reason, self.outcome = reason, outcome
        return False

    # ------------------------------------------------------------ grows

    cdef size_t room(self, size_t held_back) noexcept nogil:
        cdef size_t most = ROOM_BYTES + held_back
        if not self.is_spooled and self.gathered.end >= most + self.gather_bytes_max:
            if not self.begin_spool(held_back):
                return 0
        most += self.gather_bytes_max if not self.is_spooled else min(self.gather_bytes_max, <size_t>SPOOL_BYTES)
        if self.gathered.end >= most:
            if not self.flush(held_back):
                return 0
        if self.gathered.end >= self.gathered.capacity:
            if not grow(&self.gathered, self.gathered.end + 1, min(most, max(GATHER_BYTES_MIN, 2 * self.gathered.end))):
                self.refuse(NO_MEMORY, ACCEPTED)
                return 0
        return min(most - self.gathered.end, free_bytes(&self.gathered))

    def write(self, const uint8_t[::1] piece not None):
        cdef Cursor coming = over(piece)
        cdef size_t now
        if left(&coming) > self.lane.object_bytes_max - self.length:
            raise ValueError(f"larger than the limit of {self.lane.object_bytes_max} bytes")
        with nogil:
            while left(&coming):
                if self.is_spooled and held_bytes(&self.gathered) == 0:
                    now = left(&coming)
                    self.written_bytes += now
                    self.spool_on(take(&coming, now), now)
                    break
                now = min(self.room(0), left(&coming))
                if now == 0:
                    break
                add(&self.gathered, take(&coming, now), now, GATHER_BYTES_MIN)
        self.raise_refusal()

    cdef bint flush(self, size_t held_back) noexcept nogil:
        """What is gathered goes to the spool."""
        cdef Cursor file = held(&self.gathered)
        cdef size_t count = left(&file) - held_back
        if not self.spool_on(peek(&file, count), count):
            return False
        skip(&file, count)
        memmove(place_at(&self.gathered, ROOM_BYTES), peek(&file, held_back), held_back)
        self.gathered.end = ROOM_BYTES + held_back
        self.written_bytes += count
        return True

    cdef bint spool_on(self, const uint8_t* data, size_t length) noexcept nogil:
        cdef Outcome outcome = self.lane.spool_write(&self.spool, data, length) if length else ACCEPTED
        return outcome == ACCEPTED or self.refuse(SOUND, outcome)

    cdef bint begin_spool(self, size_t held_back) noexcept nogil:
        """The spool begins with the head that what is gathered tells of; then goes its data set so far."""
        cdef Outcome outcome
        cdef Cursor dataset
        cdef bint is_begun
        self.gathered.end -= held_back
        is_begun = self.read_head(&dataset)
        self.gathered.end += held_back
        if not is_begun:
            return False
        check_dataset(peek(&dataset, left(&dataset)), left(&dataset), self.syntax, &self.found)
        self.head_bytes = write_head(
            self.head, self.found.sop_class_uid, self.found.sop_instance_uid, self.transfer_syntax
        )
        outcome = self.lane.spool_begin(&self.spool)
        if outcome != ACCEPTED:
            return self.refuse(SOUND, outcome)
        self.is_spooled = True
        self.gathered.begin += self.dataset_at
        self.written_bytes = self.dataset_at
        if not self.spool_on(self.head, self.head_bytes) or not self.flush(held_back):
            return False
        self.gathered.begin = ROOM_BYTES
        return self.shrink()

    cdef bint shrink(self) noexcept nogil:
        """A spooled file needs no more than one write's room."""
        cdef Growing small
        cdef Cursor kept = held(&self.gathered)
        memset(&small, 0, sizeof(Growing))
        small.begin = small.end = ROOM_BYTES
        if self.gathered.capacity > ROOM_BYTES + 2 * SPOOL_BYTES:
            if not add(&small, peek(&kept, left(&kept)), left(&kept), ROOM_BYTES + SPOOL_BYTES):
                return self.refuse(NO_MEMORY, ACCEPTED)
            release(&self.gathered)
            self.gathered = small
        return True

    cdef bint read_head(self, Cursor* dataset) noexcept nogil:
        """Transfer syntax, where the data set begins, and a preamble, of what is gathered; its data set so far."""
        cdef Cursor file = held(&self.gathered)
        cdef int reason = find_dataset(file, self.transfer_syntax, &self.dataset_at)
        if reason:
            return self.refuse(reason, ACCEPTED)
        self.syntax = syntax_of(self.transfer_syntax, strlen(self.transfer_syntax))
        self.has_preamble = self.dataset_at > META_AT
        if self.has_preamble:
            memcpy(self.first, peek(&file, PREAMBLE_BYTES), PREAMBLE_BYTES)
        skip(&file, self.dataset_at)
        dataset[0] = file
        return True

    # ------------------------------------------------------------ ends

    cdef bint examine(self) noexcept nogil:
        cdef Cursor dataset
        cdef int reason
        if self.written_bytes + held_bytes(&self.gathered) == 0:
            return self.refuse(NOT_DICOM, ACCEPTED)
        if not self.is_spooled:
            if not self.read_head(&dataset):
                return False
        elif not self.flush(0):
            return False
        else:
            dataset = cursor_over(self.lane.spool_map(&self.spool), self.spool.length)
            if dataset.data == NULL or not skip(&dataset, self.head_bytes):
                return self.refuse(NO_MEMORY, ACCEPTED)
        reason = check_dataset(
            peek(&dataset, left(&dataset)), left(&dataset), self.syntax, &self.found, self.is_spooled
        )
        self.is_checked = reason == SOUND
        return self.is_checked or self.refuse(reason, ACCEPTED)

    def check(self):
        with nogil:
            self.examine()
        self.raise_refusal()
        return self.known

    cdef bint has_kept_preamble(self) noexcept nogil:
        cdef Cursor kept = cursor_over(<const uint8_t*>kept_preambles, 16)
        cdef const uint8_t* one = take(&kept, 4)
        while self.has_preamble and one != NULL:
            if memcmp(one, self.first, 4) == 0:
                return True
            one = take(&kept, 4)
        return False

    def keep(self, Lane lane=None):
        cdef uint64_t lsn = 0
        if not self.is_checked:
            raise ValueError("only what was checked is kept")
        if lane is None:
            lane = self.lane
        with nogil:
            self.store(lane, &lsn)
        self.raise_refusal()
        return lsn

    cdef bint store(self, Lane lane, uint64_t* lsn) noexcept nogil:
        cdef uint8_t head[HEAD_BYTES_MAX]
        cdef size_t head_bytes
        cdef Outcome outcome
        if not self.is_spooled:
            outcome = self.append(lane, lsn)
        else:
            head_bytes = write_head(
                head, self.found.sop_class_uid, self.found.sop_instance_uid, self.transfer_syntax
            )
            if head_bytes == self.head_bytes and memcmp(head, self.head, head_bytes) == 0:
                self.is_spooled = False  # whatever comes of it, there is no spool of ours any more
                outcome = lane.spool_finish(&self.spool, lsn)
            else:
                outcome = self.rewrite(lane, lsn)
        if outcome != ACCEPTED:
            return self.refuse(SOUND, outcome)
        self.forget()
        return True

    cdef Outcome append(self, Lane lane, uint64_t* lsn) noexcept nogil:
        """The canonical head goes right before the data set."""
        cdef uint8_t head[HEAD_BYTES_MAX]
        cdef size_t head_bytes = write_head(
            head, self.found.sop_class_uid, self.found.sop_instance_uid, self.transfer_syntax
        )
        cdef size_t begin = self.gathered.begin + self.dataset_at - head_bytes
        memcpy(place_at(&self.gathered, begin), head, head_bytes)
        return lane.append(place_at(&self.gathered, begin), self.gathered.end - begin, lsn)

    cdef Outcome rewrite(self, Lane lane, uint64_t* lsn) noexcept nogil:
        """Another spool, with the head that the whole data set tells of."""
        cdef Spool anew
        cdef Cursor dataset = cursor_over(self.lane.spool_map(&self.spool), self.spool.length)
        cdef uint8_t head[HEAD_BYTES_MAX]
        cdef size_t head_bytes = write_head(
            head, self.found.sop_class_uid, self.found.sop_instance_uid, self.transfer_syntax
        )
        cdef Outcome outcome
        if dataset.data == NULL or not skip(&dataset, self.head_bytes):
            return FAILED
        outcome = lane.spool_begin(&anew)
        if outcome == ACCEPTED:
            outcome = lane.spool_write(&anew, head, head_bytes)
            if outcome == ACCEPTED:
                outcome = lane.spool_write(&anew, peek(&dataset, left(&dataset)), left(&dataset))
            if outcome == ACCEPTED:
                return lane.spool_finish(&anew, lsn)
            lane.spool_abort(&anew)
        return outcome

    cdef int raise_refusal(self) except -1:
        if self.reason:
            raise Malformed(self.reason)
        raise_for(self.lane.log, self.outcome)
        return 0

    cdef void forget(self) noexcept nogil:
        if self.is_spooled:
            self.lane.spool_abort(&self.spool)
        self.begin()

    def give_up(self):
        self.forget()

    def close(self):
        self.forget()
        release(&self.gathered)


cdef tuple uids_of(const Checked* found):
    return (
        uid_or_nothing(found.sop_class_uid), uid_or_nothing(found.sop_instance_uid),
        uid_or_nothing(found.study_uid), uid_or_nothing(found.series_uid),
    )


cdef str uid_or_nothing(const char* found):
    return found.decode("ascii") if is_uid(found) else ""
