"""Deflated data sets (PS3.5 A.5) unfolded under a ceiling of bytes and of ratio; all threads share one of bytes."""

from libc.stdint cimport uint8_t

from native.walker cimport Fault

cdef enum:
    INFLATED_BYTES_MAX_C = 128 << 20     # of one data set, and of all that are unfolded at the same time
    INFLATED_RATIO_MAX_C = 250
    INFLATED_FREE_BYTES = 8 << 20        # whatever the ratio

cdef struct Inflated:
    uint8_t* data
    size_t length
    size_t reserved          # of what all threads share

# SOUND, or why there is nothing. Waits while others hold too much. Give it back with ``inflated_free``, also after a
# fault.
cdef Fault inflate(const uint8_t* data, size_t length, Inflated* plain) noexcept nogil
cdef void inflated_free(Inflated* plain) noexcept nogil
