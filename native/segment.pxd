"""C interface of the intake log. See segment.pyi for the Python one and lane.pxd for the way that protocols take."""

from libc.stdint cimport uint8_t, uint16_t, uint64_t

from native.latency cimport Latency
from native.ledger cimport Ledger, Outcome

cdef class Log:
    cdef Ledger ledger
    cdef str _failure
    cdef Latency waits       # for the acknowledgement
    cdef Outcome append(self, uint16_t kind, uint8_t* record, size_t context_length, uint64_t payload_length,
                        const uint8_t* key, uint64_t* lsn) noexcept nogil
    cdef Outcome wait_for(self, uint64_t lsn) noexcept nogil

# As the stub says of append_parts; ValueError when it is too large. Nothing when it was accepted.
cdef void raise_for(Log log, Outcome outcome) except *
