"""System calls on a non-blocking socket, without the GIL: one call each, retried on EINTR."""

from libc.stdint cimport int64_t, uint8_t

cdef extern from *:
    """
    #include <errno.h>
    #include <poll.h>
    #include <string.h>
    #include <sys/socket.h>
    #include <sys/uio.h>
    #include <netinet/in.h>
    #include <netinet/tcp.h>
    /* trio has its streams hold back what the network did not take (TCP_NOTSENT_LOWAT, 16 KiB): one send becomes two,
       and each side waits for the other in between */
    static inline void fr_send_at_once(int fd) {
        int one = 1, no_limit = -1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &no_limit, sizeof no_limit);
    }
    /* not sticky: the kernel falls back to delayed ACKs, and a peer with Nagle's algorithm then waits 40 ms */
    static inline void fr_quick_ack(int fd) {
        int one = 1; setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof one);
    }
    static inline int64_t fr_receive(int fd, void *a, size_t an, void *b, size_t bn) {
        struct iovec v[2] = {{a, an}, {b, bn}};
        struct msghdr m; memset(&m, 0, sizeof m);
        m.msg_iov = an ? v : v + 1; m.msg_iovlen = an ? 2 : 1;
        ssize_t k; do k = recvmsg(fd, &m, MSG_DONTWAIT); while (k < 0 && errno == EINTR);
        if (k > 0) fr_quick_ack(fd);
        return k >= 0 ? k : (errno == EAGAIN || errno == EWOULDBLOCK) ? -1 : -2;
    }
    static inline int64_t fr_send(int fd, const void *p, size_t n) {
        ssize_t k; do k = send(fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL); while (k < 0 && errno == EINTR);
        return k >= 0 ? k : (errno == EAGAIN || errno == EWOULDBLOCK) ? -1 : -2;
    }
    static inline int fr_await(int fd, int events, int cancel_fd, int ms) {
        struct pollfd p[2] = {{fd, (short)events, 0}, {cancel_fd, POLLIN, 0}};
        int r; do r = poll(p, cancel_fd >= 0 ? 2 : 1, ms); while (r < 0 && errno == EINTR);
        if (r < 0) return 3;
        if (r == 0) return 1;
        return cancel_fd >= 0 && p[1].revents ? 2 : 0;
    }
    static inline int64_t fr_preadv(int fd, struct iovec *v, int n, int64_t at) {
        ssize_t k; do k = preadv(fd, v, n, at); while (k < 0 && errno == EINTR);
        return k;
    }
    """
    struct iovec:
        void* iov_base
        size_t iov_len
    enum:
        POLLIN
        POLLOUT
    void send_at_once "fr_send_at_once"(int fd) noexcept nogil
    # bytes, 0 at the end, -1 nothing now, -2 failed; sets TCP_QUICKACK
    int64_t receive "fr_receive"(int fd, void* a, size_t a_bytes, void* b, size_t b_bytes) noexcept nogil
    int64_t send_some "fr_send"(int fd, const void* data, size_t length) noexcept nogil
    # 0 ready, 1 time is up, 2 cancelled, 3 failed
    int await_ready "fr_await"(int fd, int events, int cancel_fd, int timeout_ms) noexcept nogil
    int64_t read_gapped "fr_preadv"(int fd, iovec* parts, int count, int64_t offset) noexcept nogil


cdef inline int send_whole(
    int fd, const uint8_t* data, size_t length, int cancel_fd, int timeout_ms, size_t* sent
) noexcept nogil:
    """As await_ready; ``sent`` counts on from what it holds."""
    cdef int64_t now
    cdef int state
    while sent[0] < length:
        now = send_some(fd, data + sent[0], length - sent[0])
        if now == -2:
            return 3
        if now >= 0:
            sent[0] += now
            continue
        state = await_ready(fd, POLLOUT, cancel_fd, timeout_ms)
        if state:
            return state
    return 0
