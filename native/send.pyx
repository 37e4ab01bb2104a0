"""The sending half of native.wire: files straight into a buffer with gaps for PDV headers, then one send."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int64_t, uint8_t, uint16_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memset

from native.command cimport (
    C_STORE_RESPONSE,
    FRAME_BYTES_MAX,
    NO_DATASET,
    Command,
    put_fragment_head,
    read_command,
    write_store_request,
)
from native.cursor cimport Cursor, cursor_over, data_of, skip, take
from native.growing cimport (
    Growing,
    add,
    compact,
    free_bytes,
    grow,
    held,
    held_bytes,
    place_at,
    release,
)
from native.socket_io cimport POLLIN, await_ready, iovec, no_delay, read_gapped, receive, send_whole
from native.stream cimport (
    ABORT,
    CONTROL_COMMAND,
    CONTROL_LAST,
    FRAGMENT,
    GO_ON,
    NEED,
    RELEASE,
    Event,
    Stream,
    read_head,
)
from native.uid cimport copy_uid

cdef enum:
    OUR_PDU_BYTES = 1 << 17
    WINDOW_BYTES = 1 << 20   # of data set in one send
    PARTS_MAX = 512          # fragments in one send
    ANSWER_BYTES_MAX = 1 << 16
    COMMAND_BYTES_MAX = 4096

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
    NO_ROOM = 9

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
    9: "no memory for the answer",
}

cdef struct Job:
    Command command
    uint8_t context_id
    int fd
    Cursor held              # of an object in memory: what is still to be sent
    int64_t offset
    size_t length
    int status


cdef class Sender:
    cdef readonly str reason
    cdef size_t fragment
    cdef int window
    cdef uint8_t* out
    cdef size_t out_bytes
    cdef Growing staged
    cdef Stream stream
    cdef Growing command
    cdef char originator[17]
    cdef uint16_t originator_message_id

    def __cinit__(self, *, size_t pdu_bytes_max, int window=1):
        if pdu_bytes_max and pdu_bytes_max < 16:
            raise ValueError("the peer's maximum PDU length leaves no room for a fragment")
        self.fragment = (min(pdu_bytes_max or OUR_PDU_BYTES, <size_t>OUR_PDU_BYTES) - 6) & ~<size_t>1
        self.window = max(window, 1)
        self.reason = ""
        self.out_bytes = FRAME_BYTES_MAX + WINDOW_BYTES + 12 * (PARTS_MAX + 1)
        self.out = <uint8_t*>malloc(self.out_bytes)
        if self.out == NULL or not grow(&self.staged, ANSWER_BYTES_MAX, ANSWER_BYTES_MAX):
            raise MemoryError
        self.stream.pdu_bytes_max = ANSWER_BYTES_MAX

    def __dealloc__(self):
        free(self.out)
        release(&self.staged)
        release(&self.command)

    def store(self, int fd, int cancel_fd, jobs, *, originator=None, int timeout_ms):
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
                failure = self.send_all(fd, cancel_fd, work, count, timeout_ms)
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

    def _set_originator(self, originator):
        title, message_id = originator or ("", 0)
        raw = title.encode("ascii").strip()
        if len(raw) > 16 or b"\0" in raw:
            raise ValueError("AE title of the move originator is not sound")
        memset(self.originator, 0, sizeof(self.originator))
        memcpy(self.originator, data_of(raw), len(raw))
        self.originator_message_id = message_id

    cdef Failure send_all(self, int fd, int cancel_fd, Job* work, int count, int timeout_ms) noexcept nogil:
        cdef int index, answered, open_count = 0
        cdef Failure failure
        for index in range(count):
            failure = self.send_one(fd, cancel_fd, &work[index], timeout_ms)
            if failure:
                return failure
            open_count += 1
            while open_count >= (self.window if index + 1 < count else 1):
                answered = 0
                failure = self.take_answers(fd, cancel_fd, work, index + 1, timeout_ms, &answered)
                if failure:
                    return failure
                open_count -= answered
        return SOUND

    cdef Failure send_one(self, int fd, int cancel_fd, Job* job, int timeout_ms) noexcept nogil:
        cdef size_t done = 0, now, sent
        cdef iovec parts[PARTS_MAX]
        cdef int count
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
                return UNREADABLE
            sent = 0
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
            if free_bytes(&self.staged) == 0:
                return PROTOCOL
            got = receive(fd, NULL, 0, place_at(&self.staged, self.staged.end), free_bytes(&self.staged))
            if got > 0:
                self.staged.end += got
            elif got == 0:
                return CLOSED
            elif got == -2:
                return BROKEN
            else:
                state = await_ready(fd, POLLIN, cancel_fd, timeout_ms)
                if state:
                    return <Failure>state

    cdef Failure read_answer(self, Job* work, int count, int* answered) noexcept nogil:
        """Read of what has come until one response is found."""
        cdef Event event = GO_ON
        cdef Failure failure = SOUND
        while not answered[0] and failure == SOUND:
            if self.stream.in_fragment:
                if held_bytes(&self.staged) < self.stream.fragment_left:
                    break
                failure = self.take_fragment(work, count, answered)
                continue
            event = read_head(&self.stream, &self.staged)
            if event == NEED:
                break
            if event == FRAGMENT:
                failure = SOUND if self.stream.control & CONTROL_COMMAND else PROTOCOL
            elif event != GO_ON:
                failure = ABORTED if event == ABORT else RELEASE_ASKED if event == RELEASE else PROTOCOL
        compact(&self.staged)
        return failure

    cdef Failure take_fragment(self, Job* work, int count, int* answered) noexcept nogil:
        """A fragment of a command set that has come whole."""
        cdef Cursor cursor = held(&self.staged)
        cdef size_t length = self.stream.fragment_left
        if self.command.end + length > COMMAND_BYTES_MAX:
            return PROTOCOL
        if not add(&self.command, take(&cursor, length), length, COMMAND_BYTES_MAX):
            return NO_ROOM
        self.staged.begin += length
        self.stream.fragment_left, self.stream.in_fragment = 0, False
        if self.stream.control & CONTROL_LAST:
            cursor = held(&self.command)
            if not answer_job(&cursor, work, count):
                return PROTOCOL
            self.command.end = 0
            answered[0] += 1
        return SOUND


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


cdef bint answer_job(Cursor* answer, Job* work, int count) noexcept nogil:
    cdef Command command
    cdef int index = count - 1
    if not read_command(answer, &command):
        return False
    if command.field != C_STORE_RESPONSE or command.dataset_type != NO_DATASET:
        return False
    while index >= 0:
        if work[index].status < 0 and work[index].command.message_id == command.message_id:
            work[index].status = command.status
            return True
        index -= 1
    return False
