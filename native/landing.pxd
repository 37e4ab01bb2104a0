"""Where the data of one part after the other lands, until the boundary behind it is found; and what becomes of it.

Bytes are received to the end of ``window``, at most ``room`` of them; then they are searched. The window's last bytes
may always be a boundary's beginning: they are held back until what follows has come.
"""

from libc.stdint cimport uint8_t, uint64_t

from native.arrival cimport Arrival
from native.growing cimport Growing
from native.identity cimport Checked
from native.lane cimport Lane
from native.ledger cimport Outcome

cdef enum Event:
    # body.pyi has more
    NEED = 0         # more bytes
    IDLE = 1
    HEAD = 2         # a part begins
    DATA = 3
    PART = 4         # it is whole
    PREAMBLE = 5
    END = 6          # the body is whole
    GONE = 7
    UNSOUND = 8
    REFUSED = 9
    LARGE = 10
    # never leaves native code
    GO_ON = 11

cdef enum:
    BOUNDARY_BYTES_MAX = 200
    OF_OTHER_STUDY = 32
    LARGER_THAN_ALLOWED = 33

cdef struct Came:
    # one part: appended (lsn), or why not
    uint64_t lsn
    int reason
    Checked uids

cdef class Landing:
    cdef Arrival arrival
    cdef bint is_kept            # by the arrival; else it is handed over
    cdef bytes study_uid
    cdef const char* only_study
    cdef bytes boundary
    cdef const uint8_t* delimiter
    cdef size_t delimiter_bytes
    cdef size_t held_back
    cdef Growing handed
    cdef Growing* window
    cdef size_t searched
    cdef bint is_given_up
    cdef uint64_t expected_bytes
    cdef Came* came
    cdef size_t came_count
    cdef size_t came_capacity
    cdef size_t kept_count
    cdef bint is_lost            # there is no memory left
    cdef Outcome outcome         # why all is refused

    cdef void begin(self, int verdict) noexcept nogil
    # 0: the part is refused (``refused`` says what of it).
    cdef size_t room(self) noexcept nogil
    # How much of what comes next probably belongs to it.
    cdef size_t wished(self) noexcept nogil
    # Whether the boundary is there; the window then ends behind it, and so many bytes stood behind that.
    cdef bint find(self, size_t* surplus) noexcept nogil
    # DATA when so much waits that it must be taken; else NEED.
    cdef Event not_yet(self) noexcept nogil
    # What was taken for a boundary is data, or one.
    cdef void go_on(self) noexcept nogil
    cdef void cut(self) noexcept nogil
    # The part is whole: GO_ON, PART, or what has to happen before.
    cdef Event end(self) noexcept nogil
    cdef Event keep(self, Lane lane) noexcept nogil
    cdef Event refused(self) noexcept nogil
    cdef bytes taken(self, bint is_whole)
    # body.pyi says what.
    cdef list told(self)
    cdef void free_all(self) noexcept nogil

    cdef void drop(self, size_t count) noexcept nogil
    cdef void give_up(self, int reason) noexcept nogil
    cdef void note(self, uint64_t lsn, int reason, const Checked* uids) noexcept nogil
