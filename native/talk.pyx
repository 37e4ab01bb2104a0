"""See talk.pyi."""

from libc.stdint cimport int64_t, uint8_t

from native.cursor cimport Cursor, be32, data_of, holds, left, skip, take
from native.growing cimport Growing, free_bytes, grow, held, held_as_bytes, place_at, release
from native.socket_io cimport POLLIN, await_ready, receive, send_whole

cdef enum:
    HEARD_BYTES_MAX = 1 << 16
    PDU_HEAD_BYTES = 6
    WAITS_COUNT_MAX = 8  # a peer that dribbles is heard by who holds no thread


def tell(int fd, int cancel_fd, bytes data, *, int timeout_ms):
    cdef const uint8_t* begin = data_of(data)
    cdef size_t length = len(data), sent = 0
    with nogil:
        send_whole(fd, begin, length, cancel_fd, timeout_ms, &sent)
    return sent


def hear(int fd, int cancel_fd, *, int timeout_ms):
    cdef Growing heard
    cdef int64_t now
    cdef int waits_count = 0
    heard.data, heard.begin, heard.end, heard.capacity = NULL, 0, 0, 0
    if not grow(&heard, HEARD_BYTES_MAX, HEARD_BYTES_MAX):
        raise MemoryError
    try:
        with nogil:
            while free_bytes(&heard) and not is_whole(&heard):
                now = receive(fd, NULL, 0, place_at(&heard, heard.end), free_bytes(&heard))
                if now == -1 and waits_count < WAITS_COUNT_MAX and not await_ready(fd, POLLIN, cancel_fd, timeout_ms):
                    waits_count += 1
                    continue
                if now <= 0:
                    break
                heard.end += now
        return held_as_bytes(&heard)
    finally:
        release(&heard)


cdef bint is_whole(const Growing* heard) noexcept nogil:
    """Whether it holds a PDU (PS3.8 9.3.1)."""
    cdef Cursor rest = held(heard)
    cdef size_t length
    if not holds(&rest, PDU_HEAD_BYTES):
        return False
    skip(&rest, 2)
    length = be32(take(&rest, 4))
    return left(&rest) >= length
