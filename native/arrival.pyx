"""See arrival.pyi.

A gathered file stands behind room for the largest record head, context and canonical head, so that these are written
over whatever head it came with and all goes to the segment in one pwrite. A spooled one needs its head first: the UIDs
in it are those that the gathered beginning tells. Should the whole data set tell others (deflated ones tell nothing
before their end), the file is written anew.
"""

cimport cython
from cpython.buffer cimport PyBUF_READ
from cpython.memoryview cimport PyMemoryView_FromMemory
from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memset

from native.canonical cimport HEAD_BYTES_MAX, write_head
from native.cursor cimport Cursor, bytes_of, cursor_over, data_of, left, peek, skip, take
from native.growing cimport Growing, add, grow, held, held_bytes, place_at, release
from native.identity cimport Checked, check_dataset, syntax_of
from native.lane cimport Lane, Spool
from native.ledger cimport ACCEPTED, Outcome
from native.record cimport CONTEXT_BYTES_MAX, RECORD_HEAD_BYTES
from native.segment cimport raise_for
from native.uid cimport copy_uid, is_uid
from native.view cimport over
from native.walker cimport NO_MEMORY, Syntax

from native.canonical import read_meta
from native.faults import Malformed

cdef enum:
    ROOM_BYTES = RECORD_HEAD_BYTES + CONTEXT_BYTES_MAX + HEAD_BYTES_MAX
    GATHER_BYTES_MIN = 1 << 18
    PREAMBLE_BYTES = 128
    META_AT = 132
    NOT_DICOM = 14


# The lane must be there when a spool is given up, also when the collector takes us with a cycle.
@cython.no_gc_clear
cdef class Arrival:
    cdef Lane lane
    cdef size_t gather_bytes_max
    cdef readonly uint64_t length
    cdef readonly bytes preamble
    cdef Growing gathered        # from ROOM_BYTES on: the file as it came, while it is small
    cdef bint is_spooled
    cdef bint is_checked
    cdef Spool spool
    cdef size_t dataset_at       # where the data set begins in what came
    cdef Syntax syntax
    cdef char transfer_syntax[65]
    cdef uint8_t head[HEAD_BYTES_MAX]
    cdef size_t head_bytes
    cdef Checked found

    def __cinit__(self, Lane lane not None, uint64_t gather_bytes_max=0):
        self.lane = lane
        self.gather_bytes_max = max(
            HEAD_BYTES_MAX, min(gather_bytes_max or lane.gather_bytes_max, lane.gather_bytes_max)
        )
        self.preamble = b""
        self.begin()

    def __dealloc__(self):
        if self.is_spooled:
            self.lane.spool_abort(&self.spool)
        release(&self.gathered)

    @property
    def known(self):
        return (
            uid_or_nothing(self.found.sop_class_uid), uid_or_nothing(self.found.sop_instance_uid),
            uid_or_nothing(self.found.study_uid), uid_or_nothing(self.found.series_uid),
        )

    cdef void begin(self) noexcept nogil:
        self.gathered.begin = self.gathered.end = ROOM_BYTES
        self.length = self.dataset_at = self.head_bytes = 0
        self.is_spooled = self.is_checked = False
        memset(&self.found, 0, sizeof(Checked))

    # ------------------------------------------------------------ grows

    def write(self, const uint8_t[::1] piece not None):
        cdef Cursor coming = over(piece)
        if left(&coming) > self.lane.object_bytes_max - self.length:
            raise ValueError(f"larger than the limit of {self.lane.object_bytes_max} bytes")
        self.length += left(&coming)
        if not self.is_spooled:
            self.gather(&coming)
        if left(&coming):
            if not self.is_spooled:
                self.begin_spool()
            self.spool_on(&coming)

    cdef int gather(self, Cursor* coming) except -1:
        cdef size_t now = min(left(coming), self.gather_bytes_max - held_bytes(&self.gathered))
        if not grow(&self.gathered, ROOM_BYTES, GATHER_BYTES_MIN) or not add(
            &self.gathered, take(coming, now), now, GATHER_BYTES_MIN
        ):
            raise MemoryError
        return 0

    cdef int spool_on(self, Cursor* coming) except -1:
        cdef size_t count = left(coming)
        cdef Outcome outcome
        with nogil:
            outcome = self.lane.spool_write(&self.spool, take(coming, count), count)
        raise_for(self.lane.log, outcome)
        return 0

    cdef int begin_spool(self) except -1:
        """What is gathered goes first, behind the head that it tells of."""
        cdef Outcome outcome
        cdef Cursor dataset = self.read_head()
        cdef Cursor head
        with nogil:
            check_dataset(peek(&dataset, left(&dataset)), left(&dataset), self.syntax, &self.found)
            self.head_bytes = write_head(
                self.head, self.found.sop_class_uid, self.found.sop_instance_uid, self.transfer_syntax
            )
            outcome = self.lane.spool_begin(&self.spool)
        raise_for(self.lane.log, outcome)
        self.is_spooled = True
        head = cursor_over(self.head, self.head_bytes)
        self.spool_on(&head)
        self.spool_on(&dataset)
        release(&self.gathered)
        return 0

    cdef Cursor read_head(self) except *:
        """Transfer syntax, where the data set begins, and a preamble, of what is gathered; its data set so far."""
        cdef Cursor file = held(&self.gathered)
        cdef bytes raw
        uid, self.dataset_at = read_meta(seen(&file))
        raw = uid.encode("ascii")
        copy_uid(self.transfer_syntax, data_of(raw), len(raw))
        self.syntax = syntax_of(self.transfer_syntax, len(raw))
        self.preamble = bytes_of(file.data, PREAMBLE_BYTES) if self.dataset_at > META_AT else b""
        skip(&file, self.dataset_at)
        return file

    # ------------------------------------------------------------ ends

    def check(self):
        cdef Cursor dataset
        cdef int reason
        if self.length == 0:
            raise Malformed(NOT_DICOM)
        if self.is_spooled:
            dataset = cursor_over(self.lane.spool_map(&self.spool), self.spool.length)
            if dataset.data == NULL or not skip(&dataset, self.head_bytes):
                raise Malformed(NO_MEMORY)
        else:
            dataset = self.read_head()
        with nogil:
            reason = check_dataset(peek(&dataset, left(&dataset)), left(&dataset), self.syntax, &self.found)
        if reason:
            raise Malformed(reason)
        self.is_checked = True
        return self.known

    def keep(self, Lane lane=None):
        cdef Cursor dataset
        cdef uint8_t head[HEAD_BYTES_MAX]
        cdef size_t head_bytes
        cdef uint64_t lsn = 0
        cdef Outcome outcome
        if not self.is_checked:
            raise ValueError("only what was checked is kept")
        if lane is None:
            lane = self.lane
        head_bytes = write_head(
            head, self.found.sop_class_uid, self.found.sop_instance_uid, self.transfer_syntax
        )
        if not self.is_spooled:
            outcome = self.append(lane, head_bytes, &lsn)
        elif bytes_of(head, head_bytes) == bytes_of(self.head, self.head_bytes):
            self.is_spooled = False  # whatever comes of it, there is no spool of ours any more
            with nogil:
                outcome = lane.spool_finish(&self.spool, &lsn)
        else:
            dataset = cursor_over(self.lane.spool_map(&self.spool), self.spool.length)
            skip(&dataset, self.head_bytes)
            lsn = lane.keep([bytes_of(head, head_bytes), seen(&dataset)])
            outcome = ACCEPTED
        raise_for(self.lane.log, outcome)
        self.give_up()
        return lsn

    cdef Outcome append(self, Lane lane, size_t head_bytes, uint64_t* lsn) noexcept nogil:
        """The canonical head goes right before the data set."""
        cdef size_t begin = self.gathered.begin + self.dataset_at - head_bytes
        write_head(
            place_at(&self.gathered, begin), self.found.sop_class_uid, self.found.sop_instance_uid,
            self.transfer_syntax
        )
        return lane.append(place_at(&self.gathered, begin), self.gathered.end - begin, lsn)

    def give_up(self):
        if self.is_spooled:
            self.lane.spool_abort(&self.spool)
        self.preamble = b""
        self.begin()

    def close(self):
        self.give_up()
        release(&self.gathered)


cdef str uid_or_nothing(const char* found):
    return found.decode("ascii") if is_uid(found) else ""


cdef object seen(const Cursor* cursor):
    """What is left, as a view for Python; valid as long as the bytes are."""
    return PyMemoryView_FromMemory(<char*>peek(cursor, left(cursor)), left(cursor), PyBUF_READ)
