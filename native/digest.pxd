"""The content digest as a consumer of the walk's events. See digest.pyx."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t

from native.walker cimport Step, Walker
from native.xxh cimport XXH3_state_t

cdef struct Digest:
    XXH3_state_t* state
    uint32_t waiting_tag     # a sequence that has shown no item yet
    bint waiting
    int guesses              # how deep private values are being read as sequences
    bint is_mapped           # large values are pages of a mapped file, and let go when they are read

cdef bint digest_begin(Digest* digest, bint is_mapped=*) noexcept nogil
cdef void digest_event(Digest* digest, Step step, const Walker* walker) noexcept nogil
cdef void digest_end(Digest* digest, uint8_t* out) noexcept nogil
