"""The answers of one association (PS3.7 9.3.1.2).

None leaves before the store that it speaks of is acknowledged by the log.
"""

from libc.stdint cimport uint8_t, uint16_t, uint64_t

from native.command cimport Command
from native.growing cimport Growing
from native.lane cimport Lane

cdef enum:
    PENDING_MAX = 64             # stores that share one wait and one send
    KINDS_MAX = 32               # of refusals: status and reason
    STATUS_SUCCESS = 0x0000
    STATUS_NOT_SUPPORTED = 0x0122
    STATUS_OUT_OF_RESOURCES = 0xA700
    STATUS_MISMATCH = 0xA900
    STATUS_NOT_UNDERSTOOD = 0xC000

cdef class Answers:
    cdef Lane lane
    cdef bint has_lane
    cdef Growing output
    cdef bint lost               # no memory for an answer: the association must end
    cdef uint64_t stored_count
    cdef uint64_t stored_bytes
    # stores appended and not yet waited for: where their status stands in the output
    cdef size_t pending[PENDING_MAX]
    cdef int pending_count
    cdef uint64_t pending_lsn
    cdef uint64_t pending_bytes
    # status, reason and how often, since they were last taken
    cdef int refusals[KINDS_MAX][3]
    cdef int kinds_count

    # Adds a response to the output; where its status stands in it. ``reason``: of native.faults, or 0.
    cdef size_t respond(self, const Command* request, uint8_t context_id, uint16_t status, int reason) noexcept nogil
    cdef void note(self, uint16_t status, int reason) noexcept nogil
    cdef void refuse(self, const Command* request, uint8_t context_id, uint16_t status, int reason) noexcept nogil
    # Success, once ``lsn`` is acknowledged.
    cdef void keep(
        self, const Command* request, uint8_t context_id, uint64_t lsn, uint64_t dataset_bytes
    ) noexcept nogil
    # Waits once for all that was appended.
    cdef void settle(self) noexcept nogil
    cdef list take_refusals(self)
