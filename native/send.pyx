"""The sending half of native.wire: files straight into a buffer with gaps for PDV headers, then one send."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint8_t, uint16_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memmove, memset

from native.command cimport (
    C_STORE_RESPONSE,
    FRAME_BYTES_MAX,
    NO_DATASET,
    Command,
    put_fragment_head,
    read_command,
    write_store_request,
)
from native.cursor cimport Cursor, be32, cursor_over
from native.gate cimport monotonic_ns
from native.socket_io cimport POLLIN, await_ready, iovec, no_delay, read_gapped, receive, send_whole
from native.uid cimport copy_uid

cdef enum:
    OUR_PDU_BYTES = 1 << 17
    WINDOW_BYTES = 1 << 20   # of data set in one send
    PARTS_MAX = 512          # fragments in one send
    ANSWER_BYTES_MAX = 1 << 16
    COMMAND_BYTES_MAX = 4096
    FOREIGN_BYTES_MAX = 1 << 13  # commands of the peer's own: C-CANCEL, 80 bytes each
    FRAGMENT_BYTES = 12      # before a fragment that has a PDU of its own
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
    const uint8_t* data
    int64_t offset
    size_t length
    int status


cdef inline int64_t now_ms() noexcept nogil:
    return monotonic_ns() // 1000000


cdef class Sender:
    cdef readonly str reason
    cdef readonly int unanswered
    cdef bint shared
    cdef size_t fragment
    cdef int window
    cdef uint8_t* out
    cdef size_t out_bytes
    cdef uint8_t answer[ANSWER_BYTES_MAX]
    cdef size_t answer_length
    cdef uint8_t command[COMMAND_BYTES_MAX]
    cdef size_t command_length
    cdef uint8_t command_context
    cdef uint8_t foreign[FOREIGN_BYTES_MAX]
    cdef size_t foreign_length
    cdef char originator[17]
    cdef uint16_t originator_message_id

    def __cinit__(self, *, size_t pdu_bytes_max, int window=1, bint shared=False):
        if pdu_bytes_max and pdu_bytes_max < 16:
            raise ValueError("the peer's maximum PDU length leaves no room for a fragment")
        self.fragment = (min(pdu_bytes_max or OUR_PDU_BYTES, <size_t>OUR_PDU_BYTES) - 6) & ~<size_t>1
        self.window = max(window, 1)
        self.shared = shared
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
        cdef bytes rest = PyBytes_FromStringAndSize(<const char*>self.foreign, self.foreign_length)
        self.foreign_length = 0
        if self.command_length:
            put_fragment_head(self.foreign, self.command_length, self.command_context, 1)
            rest += PyBytes_FromStringAndSize(<const char*>self.foreign, FRAGMENT_BYTES)
            rest += PyBytes_FromStringAndSize(<const char*>self.command, self.command_length)
            self.command_length = 0
        rest += PyBytes_FromStringAndSize(<const char*>self.answer, self.answer_length)
        self.answer_length = 0
        return rest

    def _set_originator(self, originator):
        title, message_id = originator or ("", 0)
        raw = title.encode("ascii").strip()
        if len(raw) > 16 or b"\0" in raw:
            raise ValueError("AE title of the move originator is not sound")
        memset(self.originator, 0, sizeof(self.originator))
        memcpy(self.originator, PyBytes_AS_STRING(raw), len(raw))
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
                if index and self.unanswered == 0 and (self.foreign_length or 0 <= ends_ms <= now_ms()):
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
        cdef int64_t got
        cdef int state
        cdef Failure failure
        while True:
            failure = self.read_answer(work, count, answered)
            if failure or answered[0]:
                return failure
            if self.answer_length == ANSWER_BYTES_MAX:
                return PROTOCOL
            got = receive(
                fd, NULL, 0, self.answer + self.answer_length, ANSWER_BYTES_MAX - self.answer_length
            )
            if got > 0:
                self.answer_length += got
            elif got == 0:
                return CLOSED
            elif got == -2:
                return BROKEN
            else:
                state = await_ready(fd, POLLIN, cancel_fd, timeout_ms)
                if state:
                    return <Failure>state

    cdef Failure read_answer(self, Job* work, int count, int* answered) noexcept nogil:
        """Read whole PDUs of what has come until one response is found."""
        cdef size_t at = 0, length
        cdef Failure failure = SOUND
        while not answered[0] and failure == SOUND and self.answer_length - at >= 6:
            length = be32(self.answer + at + 2)
            if self.answer[at] == 7:
                failure = ABORTED
            elif self.answer[at] == 5:
                failure = RELEASE_ASKED
            elif self.answer[at] != 4 or length < 6 or length > ANSWER_BYTES_MAX - 6:
                failure = PROTOCOL
            elif self.answer_length - at - 6 < length:
                break
            else:
                failure = self.read_values(self.answer + at + 6, length, work, count, answered)
                at += 6 + length
        self.answer_length -= at
        if at and self.answer_length:
            memmove(self.answer, self.answer + at, self.answer_length)
        return failure

    cdef Failure read_values(
        self, const uint8_t* data, size_t length, Job* work, int count, int* answered
    ) noexcept nogil:
        cdef size_t at = 0, size
        while at < length:
            if length - at < 6:
                return PROTOCOL
            size = be32(data + at)
            if size < 2 or size > length - at - 4 or not data[at + 5] & 1:
                return PROTOCOL
            if size - 2 > COMMAND_BYTES_MAX - self.command_length:
                return PROTOCOL
            memcpy(self.command + self.command_length, data + at + 6, size - 2)
            self.command_length += size - 2
            self.command_context = data[at + 4]
            if data[at + 5] & 2:
                if answer_job(self.command, self.command_length, work, count):
                    answered[0] += 1
                elif not self.keep_foreign():
                    return PROTOCOL
                self.command_length = 0
            at += 4 + size
        return SOUND

    cdef bint keep_foreign(self) noexcept nogil:
        """On an association that the peer made, its commands go back to who receives there."""
        cdef Command command
        cdef Cursor cursor = cursor_over(self.command, self.command_length)
        cdef uint8_t* at = self.foreign + self.foreign_length
        if not self.shared or not read_command(&cursor, &command):
            return False
        if command.field == C_STORE_RESPONSE or command.dataset_type != NO_DATASET:
            return False
        if self.command_length + FRAGMENT_BYTES > FOREIGN_BYTES_MAX - self.foreign_length:
            return False
        at = put_fragment_head(at, self.command_length, self.command_context, 3)
        memcpy(at, self.command, self.command_length)
        self.foreign_length += FRAGMENT_BYTES + self.command_length
        return True


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
    if not copy_uid(job.command.sop_class_uid, <const uint8_t*>PyBytes_AS_STRING(raw), len(raw)):
        raise ValueError("SOP class UID is too long")
    raw = sop_instance_uid.encode("ascii")
    if not copy_uid(job.command.sop_instance_uid, <const uint8_t*>PyBytes_AS_STRING(raw), len(raw)):
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
    job.data = <const uint8_t*>view.buffer.buf + <size_t>offset
    return 0


cdef bint fill(Job* job, iovec* parts, int count) noexcept nogil:
    """The next bytes of the object into the gaps."""
    cdef int first = 0
    cdef size_t size
    cdef int64_t got
    if job.fd < 0:
        for first in range(count):
            size = parts[first].iov_len
            memcpy(parts[first].iov_base, job.data, size)
            job.data += size
        return True
    while first < count:
        if parts[first].iov_len == 0:
            first += 1
            continue
        got = read_gapped(job.fd, parts + first, count - first, job.offset)
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


cdef bint answer_job(const uint8_t* data, size_t length, Job* work, int count) noexcept nogil:
    cdef Command command
    cdef Cursor cursor = cursor_over(data, length)
    cdef int index = count - 1
    if not read_command(&cursor, &command):
        return False
    if command.field != C_STORE_RESPONSE or command.dataset_type != NO_DATASET:
        return False
    while index >= 0:
        if work[index].status < 0 and work[index].command.message_id == command.message_id:
            work[index].status = command.status
            return True
        index -= 1
    return False
