"""The sending half of native.wire: files straight into a buffer with gaps for PDV headers, then one send.

What is sent is hashed where it lies in that buffer: an object that is not what its key says is not sent, or, when it is
longer than one send, never sent to its end.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcmp, memcpy, memset

from native.command cimport FRAME_BYTES_MAX, put_fragment_head, write_store_request
from native.cursor cimport Cursor, be32, cursor_over, data_of, left, peek, skip, take
from native.gate cimport monotonic_ns
from native.growing cimport Growing, free_bytes, place_at
from native.job cimport KEY_BYTES, SEALED_HEAD_BYTES_MAX, Held, Job, fill, prepare, put_seal
from native.replies cimport Replies, Reply
from native.socket_io cimport POLLIN, POLLOUT, await_ready, iovec, read_gapped, receive, send_at_once, send_some
from native.stream cimport ABORT, CONTROL_COMMAND, CONTROL_LAST, MESSAGE, NEED, RELEASE, Event
from native.xxh cimport (
    XXH3_128bits_reset,
    XXH3_128bits_update,
    XXH3_createState,
    XXH3_freeState,
    XXH3_state_t,
    xxh128_digest,
)

cdef enum:
    OUR_PDU_BYTES = 1 << 17
    WINDOW_BYTES = 1 << 20   # of data set in one send
    FIRST_BYTES = 1 << 16    # sent by themselves: the peer wakes and reads while the rest is copied
    PARTS_MAX = 512          # fragments in one send
    BYTES_PER_MS_MIN = 8     # a peer that takes less than an ISDN line carries does not hold a thread for days
    FRAGMENT_BYTES = 12      # before a fragment that has a PDU of its own
    FRAGMENT_LEAST = 10      # of a command, for a peer that takes PDUs of 16 bytes
    STATUS_UNSOUND = 1 << 16  # no status of DIMSE: what we say of an object that is not what it was and was not sent

cdef enum Failure:
    SOUND = 0
    TIME_UP = 1
    CANCELLED = 2
    BROKEN = 3
    CLOSED = 4
    ABORTED = 5
    RELEASE_ASKED = 6
    PROTOCOL = 7
    SPOILED = 8
    UNANSWERED = 9

UNSOUND_OBJECT = STATUS_UNSOUND

REASONS = {
    0: "",
    1: "no answer in time",
    2: "cancelled",
    3: "connection failed",
    4: "peer closed the connection",
    5: "peer aborted the association",
    6: "peer asked for release",
    7: "peer broke the protocol",
    8: "an object is not what was written",
    9: "",
}

cdef inline int64_t now_ms() noexcept nogil:
    return monotonic_ns() // 1000000


cdef class Sender:
    cdef readonly str reason
    cdef readonly int unanswered
    cdef dict settled        # statuses by message ID of those among them that are known
    cdef int sent, open_count
    cdef size_t fragment
    cdef int window
    cdef uint8_t* out
    cdef size_t out_bytes
    # the job whose beginning stands in ``out`` (-1: none), where that ends (NULL: damaged), how much of it that is
    cdef int laid
    cdef uint8_t* laid_end
    cdef size_t laid_bytes
    cdef XXH3_state_t* hashed
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
        self.settled = {}
        self.out_bytes = FRAME_BYTES_MAX + WINDOW_BYTES
        self.out_bytes += FRAGMENT_BYTES * (FRAME_BYTES_MAX // FRAGMENT_LEAST + 1 + PARTS_MAX + 1)
        self.out = <uint8_t*>malloc(self.out_bytes)
        self.hashed = XXH3_createState()
        if self.out == NULL or self.hashed == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.out)
        if self.hashed != NULL:
            XXH3_freeState(self.hashed)

    def store(
        self, int fd, int cancel_fd, jobs, *, seals=(), originator=None, int timeout_ms, int patience_ms=0, int resume=0
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
            for index, seal in enumerate(seals[:count]):
                put_seal(&work[index], seal)
            for index in range(min(resume, count)):
                work[index].status = self.settled.get(work[index].command.message_id, -1)
            with nogil:
                send_at_once(fd)
                failure = self.send_all(fd, cancel_fd, work, count, resume, timeout_ms, patience_ms)
            self.reason = REASONS[failure]
            statuses = []
            for index in range(count):
                if work[index].status < 0:
                    break
                statuses.append(work[index].status)
            self.unanswered = max(self.sent - <int>len(statuses), 0)
            self.settled = {
                work[index].command.message_id: work[index].status
                for index in range(len(statuses), self.sent)
                if work[index].status >= 0
            }
            return statuses
        finally:
            free(work)
            for view in views:
                (<Held>view).close()

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
        """``resume``: so many of the first jobs were sent by the call before; peers may answer in any order."""
        cdef int index, answered
        cdef int64_t ends_ms = now_ms() + patience_ms if patience_ms else -1
        cdef Failure failure = SOUND
        self.open_count, self.sent, self.laid = 0, 0, -1
        for index in range(count):
            if index >= resume:
                if index and self.open_count == 0 and (self.replies.has_foreign() or 0 <= ends_ms <= now_ms()):
                    return SOUND
                failure = self.send_one(fd, cancel_fd, work, index, timeout_ms)
                if not failure and index + 1 < count:
                    self.lay_first(work, index + 1)  # while the peer is busy with this one
            if failure:
                return failure
            self.sent = index + 1
            self.open_count += work[index].status < 0
            while self.open_count >= (self.window if index + 1 < count else 1):
                answered = 0
                failure = self.take_answers(
                    fd, cancel_fd, work, index + 1, max(ends_ms - now_ms(), 1) if patience_ms else timeout_ms, &answered
                )
                if failure == TIME_UP and patience_ms:
                    return UNANSWERED
                if failure:
                    return failure
                self.open_count -= answered
        return SOUND

    cdef Failure send_one(self, int fd, int cancel_fd, Job* work, int index, int timeout_ms) noexcept nogil:
        cdef Job* job = &work[index]
        cdef int64_t ends_ms = now_ms() + timeout_ms + <int64_t>job.length // BYTES_PER_MS_MIN
        cdef bint has_begun = False
        cdef int state
        if self.laid != index:
            self.lay_first(work, index)
        self.laid = -1
        while True:
            if self.laid_end == NULL or (self.laid_bytes == job.length and not self.is_sound(job)):
                job.status = STATUS_UNSOUND
                return SPOILED if has_begun else SOUND
            state = self.push(fd, self.laid_end - self.out, cancel_fd, timeout_ms, ends_ms)
            if state:
                return <Failure>state
            if self.laid_bytes == job.length:
                return SOUND
            has_begun = True
            self.laid_end = self.lay_out(job, self.out, &self.laid_bytes)

    cdef void lay_first(self, Job* work, int index) noexcept nogil:
        """The request and the first fragments of a job."""
        cdef Job* job = &work[index]
        cdef uint8_t* at = self.out
        at = self.put_request(at, job)
        self.laid, self.laid_bytes = index, 0
        self.laid_end = self.lay_out(job, at, &self.laid_bytes) if self.hash_head(job) else NULL

    cdef uint8_t* put_request(self, uint8_t* at, const Job* job) noexcept nogil:
        """The command, in as many PDUs as the peer wants it; where they end."""
        cdef uint8_t whole[FRAME_BYTES_MAX]
        cdef size_t now, length = write_store_request(
            whole, job.context_id, &job.command, self.originator, self.originator_message_id
        )
        cdef Cursor rest = cursor_over(whole, length)
        skip(&rest, FRAGMENT_BYTES)
        while left(&rest):
            now = min(self.fragment, left(&rest))
            at = put_fragment_head(
                at, now, job.context_id, CONTROL_COMMAND | (CONTROL_LAST if now == left(&rest) else 0)
            )
            memcpy(at, take(&rest, now), now)
            at += now
        return at

    cdef int push(self, int fd, size_t length, int cancel_fd, int timeout_ms, int64_t ends_ms) noexcept nogil:
        """What is laid out; 0, or a Failure: TIME_UP also when the peer takes a little now and then, but too little."""
        cdef Cursor rest = cursor_over(self.out, length)
        cdef int64_t now
        cdef int state
        cdef size_t piece = min(length, <size_t>FIRST_BYTES)
        while left(&rest):
            now = send_some(fd, peek(&rest, piece), piece)
            if now == -2:
                return BROKEN
            if now >= 0:
                skip(&rest, now)
                piece = left(&rest)
                continue
            state = await_ready(fd, POLLOUT, cancel_fd, min(timeout_ms, max(ends_ms - now_ms(), 0)))
            if state:
                return state
        return SOUND

    cdef uint8_t* lay_out(self, Job* job, uint8_t* start, size_t* done) noexcept nogil:
        """The next fragments of the data set, each behind its head; where they end, NULL when they cannot be read."""
        cdef iovec parts[PARTS_MAX]
        cdef size_t now
        cdef int count = 0
        cdef uint8_t* at = start
        while count < PARTS_MAX:
            now = min(self.fragment, job.length - done[0])
            if count and <size_t>(at - start) + now + FRAGMENT_BYTES > WINDOW_BYTES:
                break
            done[0] += now
            at = put_fragment_head(at, now, job.context_id, 2 if done[0] == job.length else 0)
            parts[count].iov_base, parts[count].iov_len = at, now
            at += now
            count += 1
            if done[0] == job.length:
                break
        if not fill(job, parts, count):
            return NULL
        if job.head_length:
            self.hash_fragments(start, at)
        return at

    cdef bint hash_head(self, Job* job) noexcept nogil:
        """What stands before the data set belongs to the object that its key names."""
        cdef uint8_t head[SEALED_HEAD_BYTES_MAX]
        cdef Cursor before
        cdef iovec part
        cdef int64_t got
        if job.head_length == 0:
            return True
        XXH3_128bits_reset(self.hashed)
        if job.fd < 0:
            before = job.held
            before.at -= job.head_length
            XXH3_128bits_update(self.hashed, peek(&before, job.head_length), job.head_length)
            return True
        part.iov_base, part.iov_len = head, job.head_length
        got = read_gapped(job.fd, &part, 1, job.offset - <int64_t>job.head_length)
        if got < 0 or <size_t>got != job.head_length:
            return False
        XXH3_128bits_update(self.hashed, head, job.head_length)
        return True

    cdef void hash_fragments(self, const uint8_t* at, const uint8_t* end) noexcept nogil:
        cdef size_t length
        while at < end:
            length = be32(at + 2) - 6
            at += FRAGMENT_BYTES
            XXH3_128bits_update(self.hashed, at, length)
            at += length

    cdef bint is_sound(self, const Job* job) noexcept nogil:
        cdef uint8_t found[KEY_BYTES]
        if job.head_length == 0:
            return True
        xxh128_digest(self.hashed, found)
        return memcmp(found, job.key, KEY_BYTES) == 0

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
