"""One data set on its way out by C-STORE: where it lies, and what the object that ends with it hashes to."""

from libc.stdint cimport int64_t, uint8_t

from native.command cimport Command
from native.cursor cimport Cursor
from native.socket_io cimport iovec

cdef enum:
    KEY_BYTES = 16
    SEALED_HEAD_BYTES_MAX = 1 << 10

cdef struct Job:
    Command command
    uint8_t context_id
    int fd
    Cursor held              # of an object in memory: what is still to be sent
    int64_t offset
    size_t length
    size_t head_length       # 0: it is not checked
    uint8_t key[KEY_BYTES]
    int status

cdef class Held:
    """A buffer that stays where it is until it is closed."""
    cdef Py_buffer buffer
    cdef bint is_open

    cdef int open(self, object source) except -1
    cdef int close(self) except -1

# From (context id, message id, SOP class, SOP instance, descriptor or buffer, offset, length); buffers go to ``views``.
cdef int prepare(Job* job, tuple source, list views) except -1
# From (key, length of what stands before the data set).
cdef int put_seal(Job* job, tuple seal) except -1
# The next bytes of the data set into the parts; False when they cannot be read.
cdef bint fill(Job* job, iovec* parts, int count) noexcept nogil
