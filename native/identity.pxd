"""Whether a data set is sound to its end, and which instance it is. See dataset.pyi for the Python side."""

from libc.stdint cimport uint8_t

from native.cursor cimport part
from native.gate cimport let_go
from native.walker cimport Syntax, Walker

cdef enum:
    WALKED_BYTES = 1 << 24   # of a mapped file, that count as ours until they are let go

cdef struct Checked:
    # the four UIDs, without padding
    char sop_class_uid[65]
    char sop_instance_uid[65]
    char study_uid[65]
    char series_uid[65]

# How a transfer syntax is walked; every unknown or encapsulated one is Explicit VR Little Endian.
cdef Syntax syntax_of(const char* uid, size_t length) noexcept nogil

# Walks a whole data set to its end. 0 = sound, else a reason code (dataset.pyi REASONS). Never reads outside. Deflated
# data is inflated whole, under the ceiling. ``is_mapped``: of a file that is mapped, in flat memory.
cdef int check_dataset(
    const uint8_t* data, size_t length, Syntax syntax, Checked* found, bint is_mapped=*
) noexcept nogil

# For those who walk themselves: takes an element at the root into account; 0 or a reason code.
cdef int note_uid(const Walker* walker, Checked* found) noexcept nogil
# 0, or NO_UID when one of the four is missing.
cdef int complete(const Checked* found) noexcept nogil


cdef inline void let_go_behind(const Walker* walker, size_t* gone) noexcept nogil:
    """Pages of a mapped file that the walk has left behind no longer count as ours: each element brings some."""
    cdef size_t walked = walker.cursor.at - gone[0]
    if walked >= WALKED_BYTES:
        let_go(part(walker.cursor.data, walker.cursor.at, gone[0], walked), walked)
        gone[0] = walker.cursor.at
