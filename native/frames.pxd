"""Where each frame of Pixel Data stands, as a consumer of the walk's events. See frames.pyx."""

from libc.stdint cimport uint8_t, uint64_t

from native.cursor cimport Cursor
from native.output cimport Output
from native.walker cimport Step, Walker

cdef enum:
    FRAMES_MAX_C = 1000000
    FRAGMENTS_MAX = 1000000      # more are not told apart

cdef struct Fragment:
    uint64_t item                # offset of its item tag
    uint64_t length              # of its value

cdef struct Picture:
    uint64_t rows, columns, samples, bits
    bint halved                  # two samples a pixel instead of three (YBR_FULL_422)
    char frames[16]
    bint is_native
    size_t value_begin
    size_t value_length
    bint is_encapsulated
    bint inside                  # between the first and the last fragment
    bint has_basic
    bint too_many
    Cursor basic                 # offset tables: values in the data set
    Cursor offsets
    Cursor lengths
    Output fragments             # of Fragment

cdef void picture_begin(Picture* picture) noexcept nogil
cdef void picture_event(Picture* picture, Step step, const Walker* walker) noexcept nogil
# The packed table; ``base`` is added to every offset.
cdef bytes picture_table(Picture* picture, size_t base)
cdef void picture_free(Picture* picture) noexcept nogil
