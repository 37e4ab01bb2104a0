"""See job.pxd."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memcpy

from native.cursor cimport cursor_over, data_of, skip, take
from native.socket_io cimport iovec, read_gapped
from native.uid cimport copy_uid


cdef class Held:
    cdef int open(self, object source) except -1:
        PyObject_GetBuffer(source, &self.buffer, PyBUF_SIMPLE)
        self.is_open = True
        return 0

    cdef int close(self) except -1:
        if self.is_open:
            self.is_open = False
            PyBuffer_Release(&self.buffer)
        return 0

    def __dealloc__(self):
        self.close()


cdef int prepare(Job* job, tuple source, list views) except -1:
    cdef Held view
    cdef bytes raw
    context_id, message_id, sop_class_uid, sop_instance_uid, place, offset, length = source
    if offset < 0 or length < 0:
        raise ValueError("offset or length below zero")
    job.context_id = context_id
    job.command.message_id = message_id
    job.offset, job.length, job.status = offset, length, -1
    raw = sop_class_uid.encode("ascii")
    if not copy_uid(job.command.sop_class_uid, data_of(raw), len(raw)):
        raise ValueError("SOP class UID is too long")
    raw = sop_instance_uid.encode("ascii")
    if not copy_uid(job.command.sop_instance_uid, data_of(raw), len(raw)):
        raise ValueError("SOP instance UID is too long")
    if isinstance(place, int):
        job.fd = place
        return 0
    view = Held()
    view.open(place)
    views.append(view)
    if offset + length > view.buffer.len:
        raise ValueError("buffer is shorter than offset and length say")
    job.fd = -1
    job.held = cursor_over(<const uint8_t*>view.buffer.buf, view.buffer.len)
    skip(&job.held, offset)
    return 0


cdef int put_seal(Job* job, tuple seal) except -1:
    cdef const uint8_t[::1] key
    key_object, head_length = seal
    key = key_object
    if key.shape[0] != KEY_BYTES or not 0 < head_length <= min(SEALED_HEAD_BYTES_MAX, job.offset):
        raise ValueError("a seal is 16 bytes and the length of what stands before the data set")
    memcpy(job.key, &key[0], KEY_BYTES)
    job.head_length = head_length
    return 0


cdef bint fill(Job* job, iovec* parts, int count) noexcept nogil:
    """The next bytes of the object into the gaps."""
    cdef int first = 0
    cdef size_t size
    cdef int64_t got
    if job.fd < 0:
        for first in range(count):
            size = parts[first].iov_len
            memcpy(parts[first].iov_base, take(&job.held, size), size)
        return True
    while first < count:
        if parts[first].iov_len == 0:
            first += 1
            continue
        got = read_gapped(job.fd, &parts[first], count - first, job.offset)
        if got <= 0:
            return False
        job.offset += got
        while first < count and <size_t>got >= parts[first].iov_len:
            got -= parts[first].iov_len
            first += 1
        if got:
            parts[first].iov_base = <uint8_t*>parts[first].iov_base + got
            parts[first].iov_len -= got
    return True
