"""How long a thread may wait on a socket in all, so that a peer who moves next to nothing gives it free again: not from
one byte to the next, but until it has moved a good deal. Who is quick keeps its thread.
"""

from libc.stdint cimport int64_t

from native.gate cimport monotonic_ns
from native.socket_io cimport await_ready

cdef enum:
    GOOD_DEAL_BYTES = 64 << 10
    MS_NS = 1000000


cdef struct Waits:
    int64_t whole_ns
    int64_t left_ns
    int64_t moved_bytes


cdef inline void waits_begin(Waits* waits, int wait_ms) noexcept nogil:
    waits.whole_ns = waits.left_ns = <int64_t>wait_ms * MS_NS
    waits.moved_bytes = 0


cdef inline void waits_went_on(Waits* waits, int64_t count) noexcept nogil:
    """So many bytes have moved."""
    waits.moved_bytes += count
    if waits.moved_bytes >= GOOD_DEAL_BYTES:
        waits.left_ns, waits.moved_bytes = waits.whole_ns, 0


cdef inline int await_within(int fd, int events, Waits* waits) noexcept nogil:
    """As ``await_ready``, for what is left."""
    cdef int64_t began
    cdef int state
    if waits.left_ns <= 0:
        return 1
    began = monotonic_ns()
    state = await_ready(fd, events, -1, <int>((waits.left_ns + MS_NS - 1) / MS_NS))
    waits.left_ns -= monotonic_ns() - began
    return state
