"""See pour.pyi."""

from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memcmp, memcpy

from native.cursor cimport data_of
from native.growing cimport Growing, grow, place_at, release
from native.job cimport Held
from native.socket_io cimport POLLOUT, iovec, read_gapped
from native.waits cimport Waits, await_within, waits_begin, waits_went_on
from native.xxh cimport (
    XXH3_128bits_reset,
    XXH3_128bits_update,
    XXH3_createState,
    XXH3_freeState,
    XXH3_state_t,
    xxh128_digest,
)

cdef extern from *:
    """
    #include <errno.h>
    #include <string.h>
    #include <sys/socket.h>
    #include <sys/uio.h>
    /* what is left of two stretches, in one call */
    static inline int64_t fr_send_two(int fd, const uint8_t *a, size_t at, size_t an,
                                      const uint8_t *b, size_t bt, size_t bn) {
        struct iovec v[2] = {{(void *)(a + at), an - at}, {(void *)(b + bt), bn - bt}};
        struct msghdr m; memset(&m, 0, sizeof m);
        m.msg_iov = v; m.msg_iovlen = 2;
        ssize_t k; do k = sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL); while (k < 0 && errno == EINTR);
        return k >= 0 ? k : (errno == EAGAIN || errno == EWOULDBLOCK) ? -1 : -2;
    }
    """
    int64_t send_two "fr_send_two"(
        int fd, const uint8_t* a, size_t a_at, size_t a_bytes, const uint8_t* b, size_t b_at, size_t b_bytes
    ) noexcept nogil

cdef enum:
    WHOLE_BYTES_MAX = 1 << 20    # an object up to here is checked before its head is sent
    PIECE_BYTES = 256 << 10      # of a larger one: still in the cache when it is sent
    KEY_BYTES = 16

cdef enum State:
    POURED_C = 0
    SLOW_C = 1
    LEASED_C = 2
    UNSOUND_C = 3
    SHORT_C = 4
    GONE_C = 5

POURED, SLOW, LEASED, UNSOUND, SHORT, GONE = POURED_C, SLOW_C, LEASED_C, UNSOUND_C, SHORT_C, GONE_C


cdef class Pour:
    cdef int fileno
    cdef readonly int64_t count
    # what is sent next: before, then now
    cdef bytes before
    cdef size_t before_at
    cdef Held held
    cdef const uint8_t* now
    cdef size_t now_at, now_bytes
    # the rest of an object
    cdef int fd
    cdef int64_t offset, left
    cdef uint8_t key[KEY_BYTES]
    cdef bytes preamble
    cdef XXH3_state_t* seen
    cdef Growing room

    def __cinit__(self, int fileno):
        self.fileno = fileno
        self.before = b""
        self.seen = XXH3_createState()
        if self.seen == NULL:
            raise MemoryError

    def __dealloc__(self):
        XXH3_freeState(self.seen)
        release(&self.room)

    def put(self, bytes before, data=b""):
        self.before, self.before_at = before, 0
        cdef Held held = Held()
        held.open(data)
        self.held = held
        self.now, self.now_at, self.now_bytes = <const uint8_t*>held.buffer.buf, 0, held.buffer.len

    def put_object(self, bytes before, int fd, int64_t offset, int64_t length, bytes key, bytes preamble):
        if len(key) != KEY_BYTES or length < 0 or len(preamble) > min(length, PIECE_BYTES):
            raise ValueError("not an object")
        self.put(before)
        self.fd, self.offset, self.left, self.preamble = fd, offset, length, preamble
        memcpy(self.key, data_of(key), KEY_BYTES)
        XXH3_128bits_reset(self.seen)
        cdef size_t room = <size_t>(length if length <= WHOLE_BYTES_MAX else PIECE_BYTES)
        if not grow(&self.room, room, PIECE_BYTES):
            raise MemoryError

    def work(self, int64_t lease_bytes, int wait_ms):
        cdef int state
        cdef const uint8_t* before = data_of(self.before)
        cdef size_t before_bytes = len(self.before)
        cdef const uint8_t* preamble = data_of(self.preamble) if self.preamble else NULL
        cdef size_t preamble_bytes = len(self.preamble) if self.preamble else 0
        with nogil:
            state = self.run(before, before_bytes, preamble, preamble_bytes, lease_bytes, wait_ms)
        return state

    cdef int run(
        self,
        const uint8_t* before,
        size_t before_bytes,
        const uint8_t* preamble,
        size_t preamble_bytes,
        int64_t lease_bytes,
        int wait_ms,
    ) noexcept nogil:
        cdef int state
        cdef int64_t end = self.count + lease_bytes
        cdef Waits waits
        waits_begin(&waits, wait_ms)
        while True:
            if self.now_at == self.now_bytes and self.left:
                state = self.fill(preamble, preamble_bytes)
                if state != POURED_C:
                    return state
            if self.now_at == self.now_bytes and self.before_at == before_bytes:
                return POURED_C
            if self.count >= end:
                return LEASED_C
            state = self.send(before, before_bytes, &waits)
            if state != POURED_C:
                return state

    cdef int fill(self, const uint8_t* preamble, size_t preamble_bytes) noexcept nogil:
        """The next piece of the object; the last one only when all of it is what its key says."""
        cdef uint8_t digest[KEY_BYTES]
        cdef size_t wanted = <size_t>min(self.left, <int64_t>self.room.capacity)
        cdef size_t got = 0
        cdef iovec part
        cdef int64_t count
        cdef bint is_first = self.now != place_at(&self.room, 0)
        while got < wanted:
            part.iov_base, part.iov_len = place_at(&self.room, got), wanted - got
            count = read_gapped(self.fd, &part, 1, self.offset)
            if count <= 0:
                return SHORT_C
            got += count
            self.offset += count
        XXH3_128bits_update(self.seen, place_at(&self.room, 0), wanted)
        self.left -= wanted
        if self.left == 0:
            xxh128_digest(self.seen, digest)
            if memcmp(digest, self.key, KEY_BYTES) != 0:
                return UNSOUND_C
        if is_first and preamble_bytes:
            memcpy(place_at(&self.room, 0), preamble, preamble_bytes)
        self.now, self.now_at, self.now_bytes = place_at(&self.room, 0), 0, wanted
        return POURED_C

    cdef int send(self, const uint8_t* before, size_t before_bytes, Waits* waits) noexcept nogil:
        cdef size_t first = before_bytes - self.before_at
        cdef int64_t sent = send_two(
            self.fileno, before, self.before_at, before_bytes, self.now, self.now_at, self.now_bytes
        )
        if sent == -2:
            return GONE_C
        if sent == -1:
            return POURED_C if await_within(self.fileno, POLLOUT, waits) == 0 else SLOW_C
        waits_went_on(waits, sent)
        self.count += sent
        first = min(<size_t>sent, first)
        self.before_at += first
        self.now_at += <size_t>sent - first
        return POURED_C
