"""C interface of the data-set walk, for native.wire. See dataset.pyi for the Python one."""

from libc.stdint cimport uint8_t

from native.walker cimport Syntax

cdef struct Checked:
    # the four UIDs, without padding
    char sop_class_uid[65]
    char sop_instance_uid[65]
    char study_uid[65]
    char series_uid[65]

# The walked syntax of a transfer syntax UID; every unknown or encapsulated one is Explicit VR Little Endian.
cdef Syntax syntax_of(const char* uid, size_t length) noexcept nogil

# Walks a whole data set to its end. 0 = sound, else a reason code (dataset.pyi REASONS). Never reads outside. Deflated data is
# inflated whole, under the ceiling.
cdef int check_dataset(const uint8_t* data, size_t length, Syntax syntax, Checked* found) noexcept nogil
