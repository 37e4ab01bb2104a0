"""The data set of one C-STORE on its way into the lane: gathered behind its canonical head, or spooled when large.

The bytes are received straight into ``place``; ``finish`` checks the data set against its command and appends it.
"""

from libc.stdint cimport uint8_t, uint16_t, uint64_t

from native.command cimport Command
from native.growing cimport Growing
from native.lane cimport Lane, Spool
from native.walker cimport Syntax

cdef enum Way:
    GATHERED = 0     # in memory
    SPOOLED = 1      # streamed to a file of its own
    REFUSED = 2      # its bytes are only counted

cdef struct Verdict:
    uint16_t status
    int reason       # dataset.pyi REASONS, or 0
    uint64_t lsn     # of what was appended: not yet acknowledged

cdef class Gather:
    cdef Lane lane
    cdef bint has_lane
    cdef Way way
    cdef Verdict verdict
    cdef Growing gathered
    cdef size_t headroom
    cdef size_t head_bytes
    cdef uint64_t dataset_bytes
    cdef Spool spool

    cdef void begin(self, const Command* request, const char* transfer_syntax) noexcept nogil
    # A store that is refused before a byte of its data set came.
    cdef void begin_refused(self, uint16_t status, int reason) noexcept nogil
    # So that the ``coming`` bytes of a fragment can land.
    cdef void make_room(self, size_t coming) noexcept nogil
    # Where bytes may be received to, and how many; then ``landed`` says how many came.
    cdef uint8_t* place(self, size_t* length) noexcept nogil
    cdef void landed(self, size_t length) noexcept nogil
    # The first ``length`` of the ``coming`` bytes. False when the data set is longer than an object may be.
    cdef bint add(self, const uint8_t* data, size_t length, size_t coming) noexcept nogil
    cdef Verdict finish(self, const Command* request, Syntax syntax) noexcept nogil
    # A store that is not finished never will be.
    cdef void give_up(self) noexcept nogil
    # Gives back what an idle association does not need.
    cdef void trim(self) noexcept nogil

    cdef void refuse(self, uint16_t status, int reason) noexcept nogil
    cdef void write_spool(self) noexcept nogil
    cdef void check(
        self, const uint8_t* dataset, size_t length, const Command* request, Syntax syntax
    ) noexcept nogil
    cdef void append(self) noexcept nogil
