"""See place.pyi."""

from libc.errno cimport EBADF, EINTR, EINVAL, ENOSYS, EOPNOTSUPP, EPERM, EXDEV, errno
from libc.stdlib cimport free, malloc
from posix.fcntl cimport O_CLOEXEC, O_CREAT, O_EXCL, O_WRONLY, open as posix_open
from posix.types cimport mode_t, off_t
from posix.unistd cimport close, link, pread, pwrite, unlink

cdef extern from *:
    """
    #include <fcntl.h>
    #include <stdio.h>
    #include <unistd.h>
    #ifndef RENAME_NOREPLACE
    #define RENAME_NOREPLACE 1
    #endif
    """
    const int AT_FDCWD
    const unsigned int RENAME_NOREPLACE
    ssize_t copy_file_range(int source, off_t* source_offset, int target, off_t* target_offset, size_t length,
                            unsigned int flags) nogil
    int renameat2(int old_dir, const char* old, int new_dir, const char* new, unsigned int flags) nogil

cdef enum:
    PIECE_BYTES = 1 << 20
    ENDED_EARLY = 100000  # no errno

SHORT_SOURCE = -ENDED_EARLY

cdef struct Job:
    const char* temporary
    const char* target
    int source
    off_t offset
    off_t length
    int result


def place(jobs, mode_t mode):
    cdef list kept = []  # the names live as long as the pointers to them
    cdef Py_ssize_t count = len(jobs)
    cdef Py_ssize_t number
    cdef Job* work = <Job*> malloc(max(count, 1) * sizeof(Job))
    if work == NULL:
        raise MemoryError
    try:
        for number in range(count):
            _prepare(&work[number], jobs[number], kept)
        with nogil:
            for number in range(count):
                work[number].result = _place(&work[number], mode)
        return [work[number].result for number in range(count)]
    finally:
        free(work)


cdef int _prepare(Job* job, tuple given, list kept) except -1:
    cdef bytes temporary = given[0]
    cdef bytes target = given[1]
    if b"\0" in temporary or b"\0" in target or given[3] < 0 or given[4] < 0:
        raise ValueError("not a range, or not a name")
    kept.append(temporary)
    kept.append(target)
    job.temporary = temporary
    job.target = target
    job.source = given[2]
    job.offset = given[3]
    job.length = given[4]
    return 0


cdef int _place(Job* job, mode_t mode) noexcept nogil:
    """A descriptor, or a negative errno, or SHORT_SOURCE."""
    cdef int failure = 0
    cdef int fd = posix_open(job.temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
    if fd < 0:
        return -errno
    failure = _copy(job.source, job.offset, job.length, fd)
    if failure == 0:
        failure = _name(job.temporary, job.target)
    if failure == 0:
        return fd
    close(fd)
    unlink(job.temporary)
    return -failure


cdef int _copy(int source, off_t offset, off_t length, int target) noexcept nogil:
    """0, an errno, or ENDED_EARLY."""
    cdef off_t done = 0
    cdef off_t written = 0
    cdef ssize_t copied = 1
    while done < length and copied > 0:
        copied = copy_file_range(source, &offset, target, &written, <size_t> (length - done), 0)
        if copied > 0:
            done += copied
        elif copied < 0:
            if errno == EINTR:
                copied = 1
            elif not _cannot_copy(errno):
                return errno
    return 0 if done == length else _read_and_write(source, offset, length - done, target, done)


cdef int _read_and_write(int source, off_t offset, off_t length, int target, off_t written) noexcept nogil:
    """For what the kernel cannot copy between these two files, and to tell a true end from a file system's whim."""
    cdef size_t piece_bytes = <size_t> min(length, <off_t> PIECE_BYTES)
    cdef char* piece = <char*> malloc(piece_bytes)
    cdef ssize_t count = 0
    cdef ssize_t put = 0
    cdef ssize_t part = 0
    cdef int failure = 0
    if piece == NULL:
        return 12  # ENOMEM
    while length > 0 and failure == 0:
        count = pread(source, piece, <size_t> min(length, <off_t> piece_bytes), offset)
        if count == 0:
            failure = ENDED_EARLY
        elif count < 0:
            failure = 0 if errno == EINTR else errno
        put = 0
        while put < count and failure == 0:
            part = pwrite(target, &piece[put], <size_t> (count - put), written + put)
            if part >= 0:
                put += part
            elif errno != EINTR:
                failure = errno
        if count > 0:
            offset += count
            written += count
            length -= count
    free(piece)
    return failure


cdef int _name(const char* temporary, const char* target) noexcept nogil:
    if renameat2(AT_FDCWD, temporary, AT_FDCWD, target, RENAME_NOREPLACE) == 0:
        return 0
    if errno != EINVAL and errno != ENOSYS:
        return errno
    if link(temporary, target) != 0:  # file systems without an exclusive rename (NFS)
        return errno
    unlink(temporary)
    return 0


cdef bint _cannot_copy(int number) noexcept nogil:
    return number in (EXDEV, EINVAL, ENOSYS, EOPNOTSUPP, EPERM, EBADF)
