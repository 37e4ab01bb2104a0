"""UIDs as C strings (PS3.5 9.1): without padding, at most 64 characters."""

from libc.stdint cimport uint8_t
from libc.string cimport memcpy, strlen

from native.cursor cimport unpadded

cdef enum:
    UID_BYTES_MAX = 64


cdef inline bint copy_uid(char* out, const uint8_t* data, size_t length) noexcept nogil:
    """A value without its padding into ``out`` (65 bytes); False when it is too long or holds a NUL."""
    length = unpadded(data, length)
    out[0] = 0
    if length > UID_BYTES_MAX:
        return False
    memcpy(out, data, length)
    out[length] = 0
    return strlen(out) == length


cdef inline bint is_uid(const char* uid) noexcept nogil:
    """Digits and single dots between them; leading zeros pass: too many devices write them."""
    cdef size_t index, length = strlen(uid)
    if length == 0 or uid[0] == c"." or uid[length - 1] == c".":
        return False
    for index in range(length):
        if uid[index] == c".":
            if uid[index + 1] == c".":
                return False
        elif not c"0" <= uid[index] <= c"9":
            return False
    return True
