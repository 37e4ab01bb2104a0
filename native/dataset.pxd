"""C interface of the data-set walk, for native.wire. See dataset.pyi for the Python one."""

from libc.stdint cimport uint8_t, uint32_t

cdef enum Syntax:
    IMPLICIT_LITTLE = 0
    EXPLICIT_LITTLE = 1
    EXPLICIT_BIG = 2
    DEFLATED_LITTLE = 3

cdef struct Checked:
    # where the four UIDs stand in the walked bytes (inflated ones for a deflated data set); values without padding are copied here
    char sop_class_uid[65]
    char sop_instance_uid[65]
    char study_uid[65]
    char series_uid[65]

# The walked syntax of a transfer syntax UID; every unknown or encapsulated one is Explicit VR Little Endian.
cdef Syntax syntax_of(const char* uid, size_t length) noexcept nogil

# Walks a whole data set to its end. 0 = sound, else a reason code (dataset.pyi REASONS); never reads outside, never allocates
# more than the inflate window for deflated data (which it inflates under the ceiling without keeping it).
cdef int check_dataset(const uint8_t* data, size_t length, Syntax syntax, Checked* found) noexcept nogil
