"""One DICOM file after another on its way into the intake, for those who write without the GIL. See arrival.pyi.

Bytes are received to the end of ``gathered``, at most ``room`` of them; the caller moves its end. The last ones may
prove not to belong to the file (what was taken for data is a boundary): as long as that is open they are ``held_back``.
Whatever returns a bint: False means that the file is refused, ``reason`` (dataset.pyi REASONS) or ``outcome`` says why.
"""

from libc.stdint cimport uint8_t, uint64_t

from native.canonical cimport HEAD_BYTES_MAX, PREAMBLE_BYTES
from native.cursor cimport Cursor
from native.growing cimport Growing
from native.identity cimport Checked
from native.lane cimport Lane, Spool
from native.ledger cimport Outcome
from native.walker cimport Syntax

cdef class Arrival:
    cdef Lane lane
    cdef size_t gather_bytes_max
    cdef Growing gathered        # the file as it came, or what of it is not in the spool yet
    cdef uint64_t written_bytes  # of the file, that have left ``gathered``
    cdef bint is_spooled
    cdef bint is_checked
    cdef Spool spool
    cdef size_t dataset_at       # where the data set begins in what came
    cdef bint has_preamble
    cdef uint8_t first[PREAMBLE_BYTES]
    cdef Syntax syntax
    cdef char transfer_syntax[65]
    cdef uint8_t head[HEAD_BYTES_MAX]
    cdef size_t head_bytes
    cdef Checked found
    cdef int reason
    cdef Outcome outcome

    # The next file.
    cdef void begin(self) noexcept nogil
    # 0: it is refused.
    cdef size_t room(self, size_t held_back) noexcept nogil
    # All has come: walks it to its end.
    cdef bint examine(self) noexcept nogil
    # A preamble that is kept (a TIFF's): the lane's context has to name it.
    cdef bint has_kept_preamble(self) noexcept nogil
    # Appends what was examined, and is ready for the next one. Does not wait.
    cdef bint store(self, Lane lane, uint64_t* lsn) noexcept nogil
    cdef void forget(self) noexcept nogil

    cdef bint refuse(self, int reason, Outcome outcome) noexcept nogil
    cdef bint begin_spool(self, size_t held_back) noexcept nogil
    cdef bint flush(self, size_t held_back) noexcept nogil
    cdef bint spool_on(self, const uint8_t* data, size_t length) noexcept nogil
    cdef bint shrink(self) noexcept nogil
    cdef bint read_head(self, Cursor* dataset) noexcept nogil
    cdef Outcome append(self, Lane lane, uint64_t* lsn) noexcept nogil
    cdef Outcome rewrite(self, Lane lane, uint64_t* lsn) noexcept nogil
    cdef int raise_refusal(self) except -1

# SOP class, SOP instance, study, series; empty what is no UID.
cdef tuple uids_of(const Checked* found)
