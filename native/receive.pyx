"""The receiving half of native.wire: fragments in, stores kept through the lane, answers out (PS3.8 9.3)."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memmove, strcmp

from native.canonical cimport HEAD_BYTES_MAX, write_head
from native.command cimport (
    C_ECHO_REQUEST,
    C_STORE_REQUEST,
    FRAME_BYTES_MAX,
    NO_DATASET,
    Command,
    copy_uid,
    is_uid,
    read_command,
    write_response,
)
from native.cursor cimport be32, put_le16
from native.dataset cimport Checked, Syntax, check_dataset, syntax_of
from native.lane cimport Lane, Spool
from native.segment cimport ACCEPTED, Outcome
from native.socket_io cimport POLLIN, await_ready, no_delay, receive, send_whole
from native.walker cimport BAD_UID, NO_UID

cdef enum Event:
    NEED = 0
    MESSAGE = 1
    RELEASE = 2
    RELEASED = 3
    ABORT = 4
    END = 5
    IDLE = 6
    CANCEL = 7
    ERROR = 8

EVENT_NEED, EVENT_MESSAGE, EVENT_RELEASE, EVENT_RELEASED, EVENT_ABORT = NEED, MESSAGE, RELEASE, RELEASED, ABORT
EVENT_EOF, EVENT_IDLE, EVENT_CANCEL, EVENT_ERROR = END, IDLE, CANCEL, ERROR

cdef enum Mode:
    COMMAND = 0      # a command set is expected
    GATHER = 1       # data set of a store, gathered behind its canonical head
    SPOOL = 2        # the same, streamed to a file of its own
    DRAIN = 3        # refused: its bytes are only counted
    HAND_OVER = 4    # data set for Python

cdef enum:
    STAGING_BYTES = 1 << 16
    GATHER_BYTES_MIN = 1 << 18
    PENDING_MAX = 64             # stores that share one wait and one send
    EMPTY_FRAGMENTS_MAX = 16     # of one message: they make no progress
    SEND_TIMEOUT_MS = 30000
    REFUSED_MAX = 64
    PDU_BYTES_LIMIT = 1 << 24    # when we announced no maximum
    STATUS_SUCCESS = 0x0000
    STATUS_NOT_SUPPORTED = 0x0122
    STATUS_OUT_OF_RESOURCES = 0xA700
    STATUS_MISMATCH = 0xA900
    STATUS_NOT_UNDERSTOOD = 0xC000

cdef struct Context:
    bint is_accepted
    bint is_storage
    Syntax syntax
    char abstract_syntax[65]
    char transfer_syntax[65]

cdef struct Growing:
    uint8_t* data
    size_t begin
    size_t end
    size_t capacity


cdef bint grow(Growing* room, size_t needed, size_t least) noexcept nogil:
    """Room for ``needed`` bytes in all; doubles, so that growing stays linear."""
    cdef size_t capacity = max(room.capacity, least)
    cdef uint8_t* moved
    if needed <= room.capacity:
        return True
    while capacity < needed:
        capacity *= 2
    moved = <uint8_t*>realloc(room.data, capacity)
    if moved == NULL:
        return False
    room.data, room.capacity = moved, capacity
    return True


cdef void release(Growing* room) noexcept nogil:
    free(room.data)
    room.data, room.begin, room.end, room.capacity = NULL, 0, 0, 0


cdef bint has_sound_uids(const Command* command) noexcept nogil:
    return command.uids_fit and is_uid(command.sop_class_uid) and is_uid(command.sop_instance_uid)


cdef class Receiver:
    cdef public str reason
    cdef readonly uint64_t stored_count
    cdef readonly uint64_t stored_bytes
    cdef Lane lane
    cdef bint has_lane
    cdef Context contexts[256]
    cdef size_t pdu_bytes_max
    cdef size_t command_bytes_max
    cdef size_t dataset_bytes_max
    cdef const char* fault
    # what has come and is not parsed; the command set; head and data set; what is to be sent
    cdef Growing staging
    cdef Growing command
    cdef Growing gather
    cdef Growing output
    cdef size_t headroom
    cdef size_t head_bytes
    # where in the stream
    cdef size_t pdu_left
    cdef size_t fragment_left
    cdef bint in_fragment
    cdef uint8_t fragment_context
    cdef uint8_t fragment_control
    # the message
    cdef Mode mode
    cdef Command request
    cdef uint8_t context_id
    cdef uint64_t dataset_bytes
    cdef int empty_fragments
    cdef bint has_message
    cdef bint has_dataset
    cdef uint16_t refusal
    cdef int refusal_reason
    cdef Spool spool
    # stores appended and not yet waited for: where their status stands in the output
    cdef size_t pending[PENDING_MAX]
    cdef int pending_count
    cdef uint64_t pending_lsn
    cdef uint64_t pending_bytes
    cdef int refusals[REFUSED_MAX][2]
    cdef int refusal_count

    def __cinit__(self, dict contexts, Lane lane, *, pdu_bytes_max, command_bytes_max, dataset_bytes_max):
        cdef bytes raw
        cdef Context* context
        self.lane, self.has_lane = lane, lane is not None
        self.headroom = lane.headroom if lane is not None else 0
        self.pdu_bytes_max = pdu_bytes_max or PDU_BYTES_LIMIT
        self.command_bytes_max, self.dataset_bytes_max = command_bytes_max, dataset_bytes_max
        self.reason, self.fault = "", b""
        for context_id, (abstract_syntax, transfer_syntax, is_storage) in contexts.items():
            context = &self.contexts[<uint8_t>context_id]
            context.is_accepted, context.is_storage = True, is_storage
            raw = abstract_syntax.encode("ascii")
            copy_uid(context.abstract_syntax, <const uint8_t*>PyBytes_AS_STRING(raw), len(raw))
            raw = transfer_syntax.encode("ascii")
            copy_uid(context.transfer_syntax, <const uint8_t*>PyBytes_AS_STRING(raw), len(raw))
            context.syntax = syntax_of(context.transfer_syntax, len(raw))

    def __dealloc__(self):
        if self.mode == SPOOL:
            self.lane.spool_abort(&self.spool)
        release(&self.staging)
        release(&self.command)
        release(&self.gather)
        release(&self.output)

    @property
    def refused(self):
        found = [(self.refusals[index][0], self.refusals[index][1]) for index in range(self.refusal_count)]
        self.refusal_count = 0
        return found

    def run(self, int fd, int cancel_fd, int idle_ms, int64_t budget_bytes):
        cdef Event event
        with nogil:
            event = self.lease(fd, cancel_fd, idle_ms, budget_bytes)
        return self.told(event)

    def feed(self, const uint8_t[::1] data not None):
        cdef Event event = NEED
        with nogil:
            if data.shape[0] and not self.stage(&data[0], data.shape[0]):
                event = self.failed(b"no memory")
            else:
                event = self.parse()
                self.settle()
        return self.told(event)

    def take_output(self):
        cdef Growing* output = &self.output
        taken = PyBytes_FromStringAndSize(<const char*>output.data + output.begin, output.end - output.begin)
        self.output.begin = self.output.end = 0
        return taken

    def take_message(self):
        if not self.has_message:
            raise ValueError("no message is there to be taken")
        command = PyBytes_FromStringAndSize(<const char*>self.command.data, self.command.end)
        dataset = None
        if self.has_dataset:
            dataset = PyBytes_FromStringAndSize(<const char*>self.gather.data, self.gather.end)
        self.has_message = False
        self.command.end = 0
        return self.context_id, command, dataset

    def trim(self):
        """Give back what is not needed while the association is idle."""
        if self.mode == COMMAND and not self.has_message:
            release(&self.gather)
        if self.staging.begin == self.staging.end:
            release(&self.staging)

    cdef int told(self, Event event) except -1:
        self.reason = self.fault.decode("ascii") if event == ERROR else ""
        return event

    cdef Event failed(self, const char* sentence) noexcept nogil:
        self.fault = sentence
        return ERROR

    # ------------------------------------------------------------ socket

    cdef bint stage(self, const uint8_t* data, size_t length) noexcept nogil:
        self.compact()
        if not grow(&self.staging, self.staging.end + length, STAGING_BYTES):
            return False
        memcpy(self.staging.data + self.staging.end, data, length)
        self.staging.end += length
        return True

    cdef void compact(self) noexcept nogil:
        cdef Growing* staging = &self.staging
        if staging.begin:
            memmove(staging.data, staging.data + staging.begin, staging.end - staging.begin)
            staging.end -= staging.begin
            staging.begin = 0

    cdef Event lease(self, int fd, int cancel_fd, int idle_ms, int64_t budget_bytes) noexcept nogil:
        cdef Event event
        cdef int64_t got
        cdef int state
        no_delay(fd)
        while True:
            event = self.parse()
            state = self.flush(fd, cancel_fd)
            if state:
                return CANCEL if state == 2 else self.failed(b"the peer does not take our answers")
            if event != NEED:
                return event
            if budget_bytes <= 0:
                return NEED
            got = self.receive_some(fd)
            if got > 0:
                budget_bytes -= got
            elif got == 0:
                return END
            elif got == -2:
                return self.failed(b"connection failed")
            else:
                state = await_ready(fd, POLLIN, cancel_fd, idle_ms)
                if state:
                    return IDLE if state == 1 else CANCEL if state == 2 else self.failed(b"poll failed")

    cdef int64_t receive_some(self, int fd) noexcept nogil:
        """The rest of a data set's fragment goes straight behind what is gathered, what follows it to the staging."""
        cdef int64_t got
        cdef size_t direct = 0
        cdef uint8_t* place = NULL
        self.compact()
        if not grow(&self.staging, STAGING_BYTES, STAGING_BYTES):
            return -2
        if self.staging.end == 0 and self.in_fragment and (self.mode == GATHER or self.mode == SPOOL):
            direct = min(self.fragment_left, self.gather.capacity - self.gather.end)
            place = self.gather.data + self.gather.end
        if not grow(&self.staging, self.staging.end + 1, STAGING_BYTES):
            return -2
        got = receive(fd, place, direct, self.staging.data + self.staging.end, self.staging.capacity - self.staging.end)
        if got > 0:
            direct = min(direct, <size_t>got)
            self.gather.end += direct
            self.dataset_bytes += direct
            self.fragment_left -= direct
            self.staging.end += <size_t>got - direct
        return got

    cdef int flush(self, int fd, int cancel_fd) noexcept nogil:
        cdef int state
        self.settle()
        if self.output.begin == self.output.end:
            return 0
        state = send_whole(fd, self.output.data, self.output.end, cancel_fd, SEND_TIMEOUT_MS, &self.output.begin)
        if state == 0:
            self.output.begin = self.output.end = 0
        return state

    # ------------------------------------------------------------ stream

    cdef Event parse(self) noexcept nogil:
        """Everything that is staged, until something stops it."""
        cdef size_t length, now
        cdef const uint8_t* at
        cdef Event event
        while True:
            if self.has_message:
                return MESSAGE
            at, length = self.staging.data + self.staging.begin, self.staging.end - self.staging.begin
            if self.in_fragment:
                now = min(self.fragment_left, length)
                event = self.take_bytes(at, now)
                self.staging.begin += now
                self.fragment_left -= now
                if event == NEED and self.fragment_left == 0:
                    self.in_fragment = False
                    event = self.end_fragment()
                elif event == NEED:
                    return NEED
            elif length < 6:
                return NEED
            elif self.pdu_left:
                self.staging.begin += 6
                event = self.begin_fragment(be32(at), at[4], at[5])
            else:
                if at[0] != 4 and length < 10 and be32(at + 2) == 4:
                    return NEED
                self.staging.begin += 6
                event = self.begin_pdu(at[0], be32(at + 2))
            if event != NEED:
                return event

    cdef Event begin_pdu(self, uint8_t kind, size_t length) noexcept nogil:
        if kind == 4:
            if length < 6 or length > self.pdu_bytes_max:
                return self.failed(b"P-DATA-TF shorter than a fragment or longer than announced")
            self.pdu_left = length
            return NEED
        if kind < 5 or kind > 7:
            return self.failed(b"PDU that is not expected on an open association")
        if length != 4:
            return self.failed(b"release or abort PDU of a wrong length")
        self.staging.begin += 4
        return RELEASE if kind == 5 else RELEASED if kind == 6 else ABORT

    cdef Event begin_fragment(self, size_t length, uint8_t context_id, uint8_t control) noexcept nogil:
        if length < 2 or length + 4 > self.pdu_left:
            return self.failed(b"fragment that does not fit into its PDU")
        self.pdu_left -= length + 4
        if 0 < self.pdu_left < 6:
            return self.failed(b"PDU with a rest too short for a fragment")
        if not self.contexts[context_id].is_accepted:
            return self.failed(b"fragment on a presentation context that was not accepted")
        if (control & 1) != (self.mode == COMMAND):
            return self.failed(b"command and data set fragments in a wrong order")
        if self.mode != COMMAND or self.command.end:
            if context_id != self.context_id:
                return self.failed(b"message that changes its presentation context")
        if length == 2 and not control & 2:
            self.empty_fragments += 1
            if self.empty_fragments > EMPTY_FRAGMENTS_MAX:
                return self.failed(b"too many empty fragments")
        self.context_id = context_id
        self.fragment_control = control
        self.fragment_left = length - 2
        self.in_fragment = True
        if self.mode == GATHER or self.mode == SPOOL:
            return self.make_room()
        return NEED

    cdef Event take_bytes(self, const uint8_t* data, size_t length) noexcept nogil:
        cdef Growing* target = &self.command if self.mode == COMMAND else &self.gather
        cdef size_t now
        if self.mode == COMMAND or self.mode == HAND_OVER:
            if target.end + length > (self.command_bytes_max if self.mode == COMMAND else self.dataset_bytes_max):
                return self.failed(b"command set or identifier longer than its limit")
            if not grow(target, target.end + length, 1024):
                return self.failed(b"no memory")
            memcpy(target.data + target.end, data, length)
            target.end += length
            return NEED
        self.dataset_bytes += length
        if self.mode == DRAIN:
            if self.has_lane and self.dataset_bytes > 2 * self.lane.object_bytes_max:
                return self.failed(b"data set that does not end")
            return NEED
        while length:
            if self.gather.end == self.gather.capacity and self.make_room() != NEED:
                return ERROR
            if self.mode == DRAIN:
                return NEED
            now = min(length, self.gather.capacity - self.gather.end)
            memcpy(self.gather.data + self.gather.end, data, now)
            self.gather.end += now
            data += now
            length -= now
        return NEED

    cdef Event make_room(self) noexcept nogil:
        """So that the rest of the fragment can land: grow, or send what is gathered to the spool."""
        cdef size_t needed = self.gather.end + self.fragment_left
        if self.mode == GATHER and self.dataset_bytes + self.fragment_left > self.lane.gather_bytes_max:
            if self.lane.spool_begin(&self.spool) != ACCEPTED:
                return self.drain(STATUS_OUT_OF_RESOURCES, 0)
            self.mode = SPOOL
        if self.mode == SPOOL and (needed > self.gather.capacity or self.gather.end == self.gather.capacity):
            return self.spool_gathered()
        if self.mode == GATHER and not grow(&self.gather, needed, GATHER_BYTES_MIN):
            return self.drain(STATUS_OUT_OF_RESOURCES, 0)
        return NEED

    cdef Event spool_gathered(self) noexcept nogil:
        cdef size_t length = self.gather.end - self.headroom
        if length and self.lane.spool_write(&self.spool, self.gather.data + self.headroom, length) != ACCEPTED:
            self.lane.spool_abort(&self.spool)
            return self.drain(STATUS_OUT_OF_RESOURCES, 0)
        self.gather.end = self.headroom
        return NEED

    cdef Event drain(self, uint16_t status, int reason) noexcept nogil:
        """From here on the message is refused; its bytes are not kept."""
        self.mode, self.refusal, self.refusal_reason = DRAIN, status, reason
        return NEED

    # ------------------------------------------------------------ messages

    cdef Event end_fragment(self) noexcept nogil:
        if not self.fragment_control & 2:
            return NEED
        self.empty_fragments = 0
        if self.mode == COMMAND:
            return self.begin_message()
        if self.mode == HAND_OVER:
            self.mode, self.has_message = COMMAND, True
            return MESSAGE
        self.command.end = 0
        if self.mode == GATHER:
            self.keep_gathered()
        elif self.mode == SPOOL:
            self.keep_spooled()
        elif self.refusal:
            self.refuse(self.refusal, self.refusal_reason)
        else:
            self.stored_count += 1
            self.stored_bytes += self.dataset_bytes
            self.respond(STATUS_SUCCESS)
        self.mode = COMMAND
        return self.failed(b"no memory") if self.output.capacity == 0 else NEED

    cdef Event begin_message(self) noexcept nogil:
        cdef bint has_dataset
        if not read_command(self.command.data, self.command.end, &self.request):
            return self.failed(b"command set that is not sound")
        has_dataset = self.request.dataset_type != NO_DATASET
        if self.request.field == C_ECHO_REQUEST and not has_dataset:
            self.command.end = 0
            self.request.sop_instance_uid[0] = 0
            self.respond(STATUS_SUCCESS)
            return NEED
        if self.request.field == C_STORE_REQUEST and has_dataset:
            return self.begin_store()
        self.has_dataset, self.gather.end = has_dataset, 0
        if has_dataset:
            self.mode = HAND_OVER
            return NEED
        self.has_message = True
        return MESSAGE

    cdef Event begin_store(self) noexcept nogil:
        cdef Context* context = &self.contexts[self.context_id]
        self.dataset_bytes = 0
        if not context.is_storage:
            return self.drain(STATUS_NOT_SUPPORTED, 0)
        if not has_sound_uids(&self.request):
            return self.drain(STATUS_MISMATCH, BAD_UID)
        if strcmp(self.request.sop_class_uid, context.abstract_syntax):
            return self.drain(STATUS_MISMATCH, 0)
        if not self.has_lane:
            return self.drain(STATUS_SUCCESS, 0)
        if not grow(&self.gather, self.headroom + HEAD_BYTES_MAX, GATHER_BYTES_MIN):
            return self.drain(STATUS_OUT_OF_RESOURCES, 0)
        self.head_bytes = write_head(
            self.gather.data + self.headroom, self.request.sop_class_uid, self.request.sop_instance_uid,
            context.transfer_syntax,
        )
        self.gather.end = self.headroom + self.head_bytes
        self.mode = GATHER
        return NEED

    cdef bint is_sound(self, const uint8_t* dataset, size_t length) noexcept nogil:
        """Whether the data set may be kept under the command's UIDs; else it is refused here."""
        cdef Checked found
        cdef int reason = check_dataset(dataset, length, self.contexts[self.context_id].syntax, &found)
        if reason:
            self.refuse(STATUS_MISMATCH if reason == NO_UID or reason == BAD_UID else STATUS_NOT_UNDERSTOOD, reason)
            return False
        if strcmp(found.sop_class_uid, self.request.sop_class_uid) or strcmp(
            found.sop_instance_uid, self.request.sop_instance_uid
        ):
            self.refuse(STATUS_MISMATCH, 0)
            return False
        return True

    cdef void keep_gathered(self) noexcept nogil:
        cdef uint64_t lsn = 0
        cdef uint8_t* object_begin = self.gather.data + self.headroom
        cdef size_t length = self.gather.end - self.headroom
        cdef Outcome outcome
        if self.is_sound(object_begin + self.head_bytes, length - self.head_bytes):
            outcome = self.lane.append(object_begin, length, &lsn)
            self.kept(outcome, lsn)

    cdef void keep_spooled(self) noexcept nogil:
        cdef uint64_t lsn = 0
        cdef const uint8_t* object_begin
        cdef Outcome outcome
        self.spool_gathered()
        if self.mode == DRAIN:
            self.refuse(self.refusal, self.refusal_reason)
            return
        object_begin = self.lane.spool_map(&self.spool)
        if object_begin == NULL:
            self.lane.spool_abort(&self.spool)
            self.refuse(STATUS_OUT_OF_RESOURCES, 0)
        elif not self.is_sound(object_begin + self.head_bytes, self.spool.length - self.head_bytes):
            self.lane.spool_abort(&self.spool)
        else:
            outcome = self.lane.spool_finish(&self.spool, &lsn)
            self.kept(outcome, lsn)

    cdef void kept(self, Outcome outcome, uint64_t lsn) noexcept nogil:
        if outcome != ACCEPTED:
            self.refuse(STATUS_OUT_OF_RESOURCES, 0)
            return
        self.pending_lsn = lsn
        self.pending[self.pending_count] = self.respond(STATUS_SUCCESS)
        self.pending_count += 1
        self.pending_bytes += self.dataset_bytes
        if self.pending_count == PENDING_MAX:
            self.settle()

    cdef void settle(self) noexcept nogil:
        """Wait once for all that was appended; no answer of theirs leaves before."""
        cdef int index
        if self.pending_count == 0:
            return
        if self.lane.wait(self.pending_lsn) == ACCEPTED:
            self.stored_count += self.pending_count
            self.stored_bytes += self.pending_bytes
        else:
            for index in range(self.pending_count):
                put_le16(self.output.data + self.pending[index], STATUS_OUT_OF_RESOURCES)
                self.note(STATUS_OUT_OF_RESOURCES, 0)
        self.pending_count, self.pending_bytes = 0, 0

    cdef void refuse(self, uint16_t status, int reason) noexcept nogil:
        self.note(status, reason)
        self.respond(status)

    cdef void note(self, uint16_t status, int reason) noexcept nogil:
        if self.refusal_count < REFUSED_MAX:
            self.refusals[self.refusal_count][0] = status
            self.refusals[self.refusal_count][1] = reason
            self.refusal_count += 1

    cdef size_t respond(self, uint16_t status) noexcept nogil:
        """Adds the response to the output; where its status stands in it."""
        cdef size_t status_at = 0, begin = self.output.end
        if not grow(&self.output, begin + FRAME_BYTES_MAX, 4096):
            release(&self.output)
            return 0
        self.output.end += write_response(self.output.data + begin, self.context_id, &self.request, status, &status_at)
        return begin + status_at
