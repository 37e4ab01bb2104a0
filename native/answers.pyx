"""See answers.pxd."""

from libc.stdint cimport uint8_t, uint16_t, uint64_t

from native.command cimport FRAME_BYTES_MAX, Command, write_response
from native.cursor cimport put_le16
from native.growing cimport grow, place_at, release
from native.lane cimport Lane
from native.ledger cimport ACCEPTED
from native.walker cimport FAULTS_MAX, NO_ROOM

from native.faults import REASONS

cdef enum:
    OUTPUT_BYTES_MIN = 4096

cdef list KEPT = [REASONS.get(reason, "").encode("ascii") for reason in range(FAULTS_MAX)]
cdef const char* comments[FAULTS_MAX]
cdef int number
for number in range(FAULTS_MAX):
    comments[number] = KEPT[number]


cdef class Answers:
    def __cinit__(self, Lane lane):
        self.lane, self.has_lane = lane, lane is not None

    def __dealloc__(self):
        release(&self.output)

    cdef size_t respond(self, const Command* request, uint8_t context_id, uint16_t status, int reason) noexcept nogil:
        cdef size_t status_at = 0, begin = self.output.end
        if not grow(&self.output, begin + FRAME_BYTES_MAX, OUTPUT_BYTES_MIN):
            self.lost = True
            return 0
        self.output.end += write_response(
            place_at(&self.output, begin), context_id, request, status, comments[reason], &status_at
        )
        return begin + status_at

    cdef void refuse(self, const Command* request, uint8_t context_id, uint16_t status, int reason) noexcept nogil:
        self.note(status, reason)
        self.respond(request, context_id, status, reason)

    cdef void note(self, uint16_t status, int reason) noexcept nogil:
        cdef int kind = 0
        while kind < self.kinds_count and (self.refusals[kind][0] != status or self.refusals[kind][1] != reason):
            kind += 1
        if kind == KINDS_MAX:
            return
        if kind == self.kinds_count:
            self.refusals[kind][0], self.refusals[kind][1], self.refusals[kind][2] = status, reason, 0
            self.kinds_count += 1
        self.refusals[kind][2] += 1

    cdef void keep(
        self, const Command* request, uint8_t context_id, uint64_t lsn, uint64_t dataset_bytes
    ) noexcept nogil:
        cdef size_t status_at = self.respond(request, context_id, STATUS_SUCCESS, 0)
        if self.lost:
            return
        self.pending_lsn = lsn
        self.pending[self.pending_count] = status_at
        self.pending_count += 1
        self.pending_bytes += dataset_bytes
        if self.pending_count == PENDING_MAX:
            self.settle()

    cdef void settle(self) noexcept nogil:
        cdef int index
        if self.pending_count == 0:
            return
        if not self.has_lane or self.lane.wait(self.pending_lsn) == ACCEPTED:
            self.stored_count += self.pending_count
            self.stored_bytes += self.pending_bytes
        else:
            for index in range(self.pending_count):
                put_le16(place_at(&self.output, self.pending[index]), STATUS_OUT_OF_RESOURCES)
                self.note(STATUS_OUT_OF_RESOURCES, NO_ROOM)
        self.pending_count, self.pending_bytes = 0, 0

    cdef list take_refusals(self):
        found = [(kind[0], kind[1], kind[2]) for kind in self.refusals[:self.kinds_count]]
        self.kinds_count = 0
        return found
