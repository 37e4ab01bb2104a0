"""See opening.pyi."""

from libc.errno cimport EINTR, ENOENT, errno
from libc.stdlib cimport free, malloc
from posix.fcntl cimport O_CLOEXEC, O_NONBLOCK, O_RDONLY, open as posix_open
from posix.stat cimport S_ISREG, fstat, struct_stat
from posix.unistd cimport close

cdef struct Opened:
    const char* name
    int fd        # or a negative errno
    long long size_bytes


def open_files(names):
    cdef list kept = list(names)  # the names live as long as the pointers to them
    cdef Py_ssize_t count = len(kept), number
    cdef bytes name
    cdef Opened* work = <Opened*> malloc(max(count, 1) * sizeof(Opened))
    if work == NULL:
        raise MemoryError
    try:
        for number in range(count):
            name = kept[number]
            if b"\0" in name:
                raise ValueError("not a name")
            work[number].name = name
        with nogil:
            for number in range(count):
                open_one(&work[number])
        return [(work[number].fd, work[number].size_bytes) for number in range(count)]
    finally:
        free(work)


def close_files(descriptors):
    cdef Py_ssize_t count = len(descriptors), number
    cdef int* work = <int*> malloc(max(count, 1) * sizeof(int))
    if work == NULL:
        raise MemoryError
    try:
        for number in range(count):
            work[number] = descriptors[number]
        with nogil:
            for number in range(count):
                close(work[number])
    finally:
        free(work)


cdef void open_one(Opened* one) noexcept nogil:
    cdef struct_stat status
    one.size_bytes = 0
    one.fd = posix_open(one.name, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    while one.fd < 0 and errno == EINTR:
        one.fd = posix_open(one.name, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    if one.fd < 0:
        one.fd = -errno
    elif fstat(one.fd, &status) != 0 or not S_ISREG(status.st_mode):
        close(one.fd)
        one.fd = -ENOENT
    else:
        one.size_bytes = status.st_size
