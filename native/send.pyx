"""The sending half of native.wire: files straight into a buffer with gaps for PDV headers, then one send."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int64_t, uint8_t, uint16_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memset

from native.command cimport FRAME_BYTES_MAX, Command, put_fragment_head, write_store_request
from native.cursor cimport Cursor, cursor_over, data_of, skip, take
from native.gate cimport monotonic_ns
from native.growing cimport Growing, free_bytes, place_at
from native.replies cimport Replies, Reply
from native.socket_io cimport POLLIN, await_ready, iovec, no_delay, read_gapped, receive, send_whole
from native.stream cimport ABORT, MESSAGE, NEED, RELEASE, Event
from native.uid cimport copy_uid

cdef enum:
    OUR_PDU_BYTES = 1 << 17
    WINDOW_BYTES = 1 << 20   # of data set in one send
    PARTS_MAX = 512          # fragments in one send
    NOT_SENT = 0xC000        # status of a job of which nothing could be read, and nothing was sent

cdef enum Failure:
    SOUND = 0
    TIME_UP = 1
    CANCELLED = 2
    BROKEN = 3
    CLOSED = 4
    ABORTED = 5
    RELEASE_ASKED = 6
    PROTOCOL = 7
    UNREADABLE = 8
    UNANSWERED = 9

REASONS = {
    0: "",
    1: "no answer in time",
    2: "cancelled",
    3: "connection failed",
    4: "peer closed the connection",
    5: "peer aborted the association",
    6: "peer asked for release",
    7: "peer broke the protocol",
    8: "the object could not be read to its end",
    9: "",
}

cdef struct Job:
    Command command
    uint8_t context_id
    int fd
    Cursor held              # of an object in memory: what is still to be sent
    int64_t offset
    size_t length
    int status


cdef inline int64_t now_ms() noexcept nogil:
    return monotonic_ns() // 1000000


cdef class Sender:
    cdef readonly str reason
    cdef readonly int unanswered
    cdef size_t fragment
    cdef int window
    cdef uint8_t* out
    cdef size_t out_bytes
    cdef Replies replies
    cdef char originator[17]
    cdef uint16_t originator_message_id

    def __cinit__(self, *, size_t pdu_bytes_max, int window=1, bint shared=False):
        if pdu_bytes_max and pdu_bytes_max < 16:
            raise ValueError("the peer's maximum PDU length leaves no room for a fragment")
        self.fragment = (min(pdu_bytes_max or OUR_PDU_BYTES, <size_t>OUR_PDU_BYTES) - 6) & ~<size_t>1
        self.window = max(window, 1)
        self.replies = Replies(shared)
        self.reason = ""
        self.out_bytes = FRAME_BYTES_MAX + WINDOW_BYTES + 12 * (PARTS_MAX + 1)
        self.out = <uint8_t*>malloc(self.out_bytes)
        if self.out == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.out)

    def store(
        self, int fd, int cancel_fd, jobs, *, originator=None, int timeout_ms, int patience_ms=0, int resume=0
    ):
        cdef int count = len(jobs), index, failure
        cdef list views = []
        cdef Job* work
        self._set_originator(originator)
        work = <Job*>calloc(max(count, 1), sizeof(Job))
        if work == NULL:
            raise MemoryError
        try:
            for index, job in enumerate(jobs):
                prepare(&work[index], job, views)
            with nogil:
                no_delay(fd)
                failure = self.send_all(fd, cancel_fd, work, count, resume, timeout_ms, patience_ms)
            self.reason = REASONS[failure]
            statuses = []
            for index in range(count):
                if work[index].status < 0:
                    break
                statuses.append(work[index].status)
            return statuses
        finally:
            free(work)
            for view in views:
                (<_Held>view).close()

    def take_rest(self):
        """What came beside the answers: whole commands, one that is not whole yet, and bytes that are no PDU yet."""
        return self.replies.take_rest()

    def _set_originator(self, originator):
        title, message_id = originator or ("", 0)
        raw = title.encode("ascii").strip()
        if len(raw) > 16 or b"\0" in raw:
            raise ValueError("AE title of the move originator is not sound")
        memset(self.originator, 0, sizeof(self.originator))
        memcpy(self.originator, data_of(raw), len(raw))
        self.originator_message_id = message_id

    cdef Failure send_all(
        self, int fd, int cancel_fd, Job* work, int count, int resume, int timeout_ms, int patience_ms
    ) noexcept nogil:
        """``resume``: so many of the first jobs were sent by the call before."""
        cdef int index, answered
        cdef int64_t ends_ms = now_ms() + patience_ms if patience_ms else -1
        cdef Failure failure = SOUND
        self.unanswered = 0
        for index in range(count):
            if index >= resume:
                if index and self.unanswered == 0 and (self.replies.has_foreign() or 0 <= ends_ms <= now_ms()):
                    return SOUND
                failure = self.send_one(fd, cancel_fd, &work[index], timeout_ms)
            if failure:
                return failure
            self.unanswered += work[index].status < 0
            while self.unanswered >= (self.window if index + 1 < count else 1):
                answered = 0
                failure = self.take_answers(
                    fd, cancel_fd, work, index + 1, max(ends_ms - now_ms(), 1) if patience_ms else timeout_ms, &answered
                )
                if failure == TIME_UP and patience_ms:
                    return UNANSWERED
                if failure:
                    return failure
                self.unanswered -= answered
        return SOUND

    cdef Failure send_one(self, int fd, int cancel_fd, Job* job, int timeout_ms) noexcept nogil:
        cdef size_t done = 0, now, sent
        cdef iovec parts[PARTS_MAX]
        cdef int count
        cdef bint begun = False
        cdef uint8_t* start
        cdef uint8_t* at = self.out
        at += write_store_request(at, job.context_id, &job.command, self.originator, self.originator_message_id)
        while True:
            count, start = 0, at
            while True:
                now = min(self.fragment, job.length - done)
                if count == PARTS_MAX or (count and <size_t>(at - start) + now + 12 > WINDOW_BYTES):
                    break
                done += now
                at = put_fragment_head(at, now, job.context_id, 2 if done == job.length else 0)
                parts[count].iov_base, parts[count].iov_len = at, now
                at += now
                count += 1
                if done == job.length:
                    break
            if not fill(job, parts, count):
                if begun:
                    return UNREADABLE
                job.status = NOT_SENT
                return SOUND
            sent, begun = 0, True
            count = send_whole(fd, self.out, at - self.out, cancel_fd, timeout_ms, &sent)
            if count:
                return <Failure>count
            if done == job.length:
                return SOUND
            at = self.out

    cdef Failure take_answers(
        self, int fd, int cancel_fd, Job* work, int count, int timeout_ms, int* answered
    ) noexcept nogil:
        """Receive until a PDU with a C-STORE response is read and each in it given to its job."""
        cdef Growing* staged = &self.replies.staged
        cdef Reply reply
        cdef Event event
        cdef int64_t got
        cdef int state
        while not answered[0] or self.replies.is_inside_pdu():
            event = self.replies.next_reply(&reply)
            if event == MESSAGE:
                if not give(&reply, work, count):
                    return PROTOCOL
                answered[0] += 1
                continue
            if event != NEED:
                return ABORTED if event == ABORT else RELEASE_ASKED if event == RELEASE else PROTOCOL
            if answered[0]:
                break
            if free_bytes(staged) == 0:
                return PROTOCOL
            got = receive(fd, NULL, 0, place_at(staged, staged.end), free_bytes(staged))
            if got > 0:
                staged.end += got
            elif got == 0:
                return CLOSED
            elif got == -2:
                return BROKEN
            else:
                state = await_ready(fd, POLLIN, cancel_fd, timeout_ms)
                if state:
                    return <Failure>state
        return SOUND


cdef bint give(const Reply* reply, Job* work, int count) noexcept nogil:
    """A response to the job it answers, the last one of its number."""
    cdef int index = count - 1
    while index >= 0:
        if work[index].status < 0 and work[index].command.message_id == reply.message_id:
            work[index].status = reply.status
            return True
        index -= 1
    return False


cdef class _Held:
    cdef Py_buffer buffer
    cdef bint is_open

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
    cdef _Held view
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
    view = _Held()
    view.open(place)
    views.append(view)
    if offset + length > view.buffer.len:
        raise ValueError("buffer is shorter than offset and length say")
    job.fd = -1
    job.held = cursor_over(<const uint8_t*>view.buffer.buf, view.buffer.len)
    skip(&job.held, offset)
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
