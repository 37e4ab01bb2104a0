"""See glance.pyi."""

from libc.errno cimport EINTR, errno
from libc.stdint cimport uint8_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memcpy
from posix.types cimport off_t
from posix.unistd cimport close

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize

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
    #include <fcntl.h>
    #include <stdint.h>
    #include <sys/syscall.h>
    #include <sys/uio.h>
    #include <unistd.h>
    #ifndef SYS_openat2
    #define SYS_openat2 437
    #endif
    #ifndef RWF_NOWAIT
    #define RWF_NOWAIT 8
    #endif
    /* Linux 5.12: an open that would wait for a disk fails instead. Older kernels refuse the flag. */
    static int fr_open_cached(const char *path) {
        struct { uint64_t flags, mode, resolve; } how = {O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0, 0x20};
        return (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
    }
    """
    struct iovec:
        void* iov_base
        size_t iov_len
    const int RWF_NOWAIT
    int fr_open_cached(const char* path) nogil
    ssize_t preadv2(int fd, const iovec* parts, int count, off_t offset, int flags) nogil

cdef enum:
    PARTS_COUNT = 3
    KEY_BYTES = 16


cdef bint read_now(int fd, iovec* parts) noexcept nogil:
    """Whether all parts could be filled, one behind the other, from the beginning of a file without waiting."""
    cdef iovec* part = parts
    cdef int left = PARTS_COUNT
    cdef off_t offset = 0
    cdef ssize_t count
    while left:
        if not part.iov_len:
            part += 1
            left -= 1
            continue
        count = preadv2(fd, part, left, offset, RWF_NOWAIT)
        if count <= 0:
            if count < 0 and errno == EINTR:
                continue
            return False
        offset += count
        while left and <size_t>count >= part.iov_len:
            count -= part.iov_len
            part += 1
            left -= 1
        if count:
            part.iov_base = <uint8_t*>part.iov_base + count
            part.iov_len -= count
    return True


cdef bint is_sound(const iovec* parts, const uint8_t* key) noexcept nogil:
    cdef uint8_t found[KEY_BYTES]
    cdef XXH3_state_t* state = XXH3_createState()
    cdef int number
    if state == NULL:
        return False
    XXH3_128bits_reset(state)
    for number in range(PARTS_COUNT):
        XXH3_128bits_update(state, parts[number].iov_base, parts[number].iov_len)
    xxh128_digest(state, found)
    XXH3_freeState(state)
    return memcmp(found, key, KEY_BYTES) == 0


cdef bint fill(const char* path, iovec* parts, const uint8_t* key) noexcept nogil:
    cdef iovec reading[PARTS_COUNT]
    cdef bint is_read
    cdef int fd = fr_open_cached(path)
    if fd < 0:
        return False
    memcpy(reading, parts, sizeof(reading))
    is_read = read_now(fd, reading)
    close(fd)
    return is_read and is_sound(parts, key)


def glance(
    bytes path not None, bytes key not None, size_t size, size_t offset, size_t length, bytes before not None,
    bytes behind not None,
):
    """See the stub."""
    cdef iovec parts[PARTS_COUNT]
    cdef bytes made
    cdef uint8_t* target
    cdef uint8_t* others
    cdef bint is_filled
    if len(key) != KEY_BYTES or b"\0" in path or offset > size or length > size - offset:
        raise ValueError("no key, no path, or no range of the object")
    made = PyBytes_FromStringAndSize(NULL, len(before) + length + len(behind))
    target = <uint8_t*>PyBytes_AS_STRING(made)
    others = <uint8_t*>malloc(size - length + 1)
    if others == NULL:
        raise MemoryError
    parts[0].iov_base, parts[0].iov_len = others, offset
    parts[1].iov_base, parts[1].iov_len = target + <size_t>len(before), length
    parts[2].iov_base, parts[2].iov_len = others + offset, size - offset - length
    is_filled = fill(path, parts, <const uint8_t*>PyBytes_AS_STRING(key))
    free(others)
    if not is_filled:
        return None
    memcpy(target, PyBytes_AS_STRING(before), len(before))
    memcpy(target + <size_t>len(before) + length, PyBytes_AS_STRING(behind), len(behind))
    return made
