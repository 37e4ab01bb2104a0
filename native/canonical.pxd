"""The head of the canonical object, written without the GIL. See canonical.pyx."""

from libc.stdint cimport uint8_t

cdef enum:
    HEAD_BYTES_MAX = 512

# Writes the head into `out` (HEAD_BYTES_MAX bytes of room) from three NUL-terminated UIDs of at most 64 characters; its
# length.
cdef size_t write_head(
    uint8_t* out, const char* sop_class_uid, const char* sop_instance_uid, const char* transfer_syntax_uid
) noexcept nogil
