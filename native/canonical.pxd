"""The head of the canonical object, written without the GIL. See canonical.pyx."""

from libc.stdint cimport uint8_t

from native.cursor cimport Cursor

cdef enum:
    HEAD_BYTES_MAX = 512
    PREAMBLE_BYTES = 128
    META_AT = 132

# Writes the head into `out` (HEAD_BYTES_MAX bytes of room) from three NUL-terminated UIDs of at most 64 characters; its
# length.
cdef size_t write_head(
    uint8_t* out, const char* sop_class_uid, const char* sop_instance_uid, const char* transfer_syntax_uid
) noexcept nogil

# The transfer syntax (65 bytes of room) and where the data set begins, of a Part-10 file or, guessed, of a bare data
# set. 0, or a reason code and the place of what is wrong.
cdef int find_dataset(Cursor file, char* transfer_syntax, size_t* at) noexcept nogil
