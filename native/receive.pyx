"""The receiving half of native.wire: a lease on one socket, the messages of its association (PS3.7 6.3, PS3.8 9.3).

socket > staging > stream (heads of PDUs and fragments) > here (whole messages) > gather (stores) > answers > socket
"""

from libc.stdint cimport int64_t, uint8_t
from libc.string cimport strcmp

from native.answers cimport (
    STATUS_MISMATCH,
    STATUS_NOT_SUPPORTED,
    STATUS_SUCCESS,
    Answers,
)
from native.command cimport (
    C_ECHO_REQUEST,
    C_STORE_REQUEST,
    NO_DATASET,
    Command,
    read_command,
)
from native.cursor cimport Cursor, data_of, left, peek
from native.gather cimport Gather, Verdict
from native.growing cimport (
    Growing,
    add,
    compact,
    free_bytes,
    grow,
    held,
    held_as_bytes,
    held_bytes,
    place_at,
    release,
)
from native.identity cimport syntax_of
from native.lane cimport Lane
from native.socket_io cimport POLLIN, await_ready, receive, send_at_once, send_whole
from native.stream cimport (
    ABORT,
    CANCEL,
    CONTROL_COMMAND,
    CONTROL_LAST,
    END,
    ERROR,
    FRAGMENT,
    GO_ON,
    IDLE,
    MESSAGE,
    NEED,
    PDU_BYTES_LIMIT,
    RELEASE,
    RELEASED,
    Event,
    Stream,
    failed,
    read_head,
)
from native.uid cimport copy_uid, is_uid
from native.walker cimport BAD_UID, NOT_FOR_STORAGE, OTHER_CLASS, Syntax

EVENT_NEED, EVENT_MESSAGE, EVENT_RELEASE, EVENT_RELEASED, EVENT_ABORT = NEED, MESSAGE, RELEASE, RELEASED, ABORT
EVENT_EOF, EVENT_IDLE, EVENT_CANCEL, EVENT_ERROR = END, IDLE, CANCEL, ERROR

cdef enum Mode:
    COMMAND = 0      # a command set is expected
    STORE = 1        # data set of a store
    HAND_OVER = 2    # data set for Python

cdef enum:
    STAGING_BYTES = 1 << 16
    MESSAGE_BYTES_MIN = 1 << 10
    EMPTY_FRAGMENTS_MAX = 16     # of one message: they make no progress
    SEND_TIMEOUT_MS = 30000

cdef struct Context:
    bint is_accepted
    bint is_storage
    Syntax syntax
    char abstract_syntax[65]
    char transfer_syntax[65]


cdef bint has_sound_uids(const Command* command) noexcept nogil:
    return command.uids_fit and is_uid(command.sop_class_uid) and is_uid(command.sop_instance_uid)


cdef class Receiver:
    cdef public str reason
    cdef Context contexts[256]
    cdef size_t command_bytes_max
    cdef size_t dataset_bytes_max
    # what has come and is not parsed, and where in the stream it stands
    cdef Growing staging
    cdef Stream stream
    # the message
    cdef Mode mode
    cdef uint8_t context_id
    cdef int empty_fragments
    cdef Growing command
    cdef Command request
    cdef Growing dataset
    cdef bint has_dataset
    cdef bint has_message
    cdef Gather store
    cdef Answers answers

    def __cinit__(self, dict contexts, Lane lane, *, pdu_bytes_max, command_bytes_max, dataset_bytes_max):
        cdef bytes raw
        cdef Context* context
        self.store, self.answers = Gather(lane), Answers(lane)
        self.stream.pdu_bytes_max = pdu_bytes_max or PDU_BYTES_LIMIT
        self.command_bytes_max, self.dataset_bytes_max = command_bytes_max, dataset_bytes_max
        self.reason, self.stream.fault = "", b""
        for context_id, (abstract_syntax, transfer_syntax, is_storage) in contexts.items():
            context = &self.contexts[<uint8_t>context_id]
            context.is_accepted, context.is_storage = True, is_storage
            raw = abstract_syntax.encode("ascii")
            copy_uid(context.abstract_syntax, data_of(raw), len(raw))
            raw = transfer_syntax.encode("ascii")
            copy_uid(context.transfer_syntax, data_of(raw), len(raw))
            context.syntax = syntax_of(context.transfer_syntax, len(raw))

    def __dealloc__(self):
        release(&self.staging)
        release(&self.command)
        release(&self.dataset)

    @property
    def stored_count(self):
        return self.answers.stored_count

    @property
    def stored_bytes(self):
        return self.answers.stored_bytes

    @property
    def refused(self):
        return self.answers.take_refusals()

    def run(self, int fd, int cancel_fd, int idle_ms, int64_t budget_bytes):
        cdef Event event
        with nogil:
            event = self.lease(fd, cancel_fd, idle_ms, budget_bytes)
        return self.told(event)

    def feed(self, const uint8_t[::1] data not None):
        cdef Event event
        with nogil:
            compact(&self.staging)
            if data.shape[0] and not add(&self.staging, &data[0], data.shape[0], STAGING_BYTES):
                event = failed(&self.stream, b"no memory")
            else:
                event = self.parse()
                self.answers.settle()
        return self.told(event)

    def take_output(self):
        cdef Growing* output = &self.answers.output
        taken = held_as_bytes(output)
        output.begin = output.end = 0
        return taken

    def take_message(self):
        if not self.has_message:
            raise ValueError("no message is there to be taken")
        command = held_as_bytes(&self.command)
        dataset = held_as_bytes(&self.dataset) if self.has_dataset else None
        self.has_message = False
        self.command.end = 0
        return self.context_id, command, dataset

    @property
    def at_rest(self):
        return self.is_at_rest()

    cdef bint is_at_rest(self) noexcept nogil:
        if self.has_message or self.mode != COMMAND or self.command.end:
            return False
        if self.stream.pdu_left or self.stream.in_fragment:
            return False
        return self.staging.begin == self.staging.end

    def trim(self):
        """Give back what is not needed while the association is idle."""
        if self.mode == COMMAND:
            self.store.trim()
            if not self.has_message:
                release(&self.dataset)
        if held_bytes(&self.staging) == 0:
            release(&self.staging)

    def close(self):
        """Give back everything: the association is over. A store that is not finished leaves no file."""
        self.store.give_up()
        release(&self.staging)
        release(&self.command)
        release(&self.dataset)

    cdef int told(self, Event event) except -1:
        self.reason = self.stream.fault.decode("ascii") if event == ERROR else ""
        return event

    # ------------------------------------------------------------ socket

    cdef Event lease(self, int fd, int cancel_fd, int idle_ms, int64_t budget_bytes) noexcept nogil:
        cdef Event event
        cdef int64_t got
        cdef int state
        send_at_once(fd)
        while True:
            event = self.parse()
            state = self.flush(fd, cancel_fd)
            if state:
                return CANCEL if state == 2 else failed(&self.stream, b"the peer does not take our answers")
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
                return failed(&self.stream, b"connection failed")
            else:
                state = await_ready(fd, POLLIN, cancel_fd, idle_ms)
                if state:
                    return IDLE if state == 1 else CANCEL if state == 2 else failed(&self.stream, b"poll failed")

    cdef int64_t receive_some(self, int fd) noexcept nogil:
        """The rest of a data set's fragment goes straight behind what is gathered, what follows it to the staging."""
        cdef Growing* staging = &self.staging
        cdef int64_t got
        cdef size_t direct = 0
        cdef uint8_t* place = NULL
        compact(staging)
        if not grow(staging, staging.end + 1, STAGING_BYTES):
            return -2
        if staging.end == 0 and self.stream.in_fragment and self.mode == STORE:
            place = self.store.place(&direct)
            direct = min(self.stream.fragment_left, direct)
        got = receive(fd, place, direct, place_at(staging, staging.end), free_bytes(staging))
        if got > 0:
            direct = min(direct, <size_t>got)
            self.store.landed(direct)
            self.stream.fragment_left -= direct
            staging.end += <size_t>got - direct
        return got

    cdef int flush(self, int fd, int cancel_fd) noexcept nogil:
        cdef Growing* output = &self.answers.output
        cdef int state
        self.answers.settle()
        if held_bytes(output) == 0:
            return 0
        state = send_whole(fd, output.data, output.end, cancel_fd, SEND_TIMEOUT_MS, &output.begin)
        if state == 0:
            output.begin = output.end = 0
        return state

    # ------------------------------------------------------------ fragments

    cdef Event parse(self) noexcept nogil:
        """Everything that is staged, until something stops it."""
        cdef Event event = GO_ON
        while event == GO_ON:
            if self.has_message:
                return MESSAGE
            if self.stream.in_fragment:
                event = self.take_fragment()
            else:
                event = read_head(&self.stream, &self.staging)
                if event == FRAGMENT:
                    event = self.begin_fragment()
        return event

    cdef Event begin_fragment(self) noexcept nogil:
        cdef Stream* stream = &self.stream
        if not self.contexts[stream.context_id].is_accepted:
            return failed(stream, b"fragment on a presentation context that was not accepted")
        if (stream.control & CONTROL_COMMAND) != (self.mode == COMMAND):
            return failed(stream, b"command and data set fragments in a wrong order")
        if self.mode != COMMAND or self.command.end:
            if stream.context_id != self.context_id:
                return failed(stream, b"message that changes its presentation context")
        if stream.fragment_left == 0 and not stream.control & CONTROL_LAST:
            self.empty_fragments += 1
            if self.empty_fragments > EMPTY_FRAGMENTS_MAX:
                return failed(stream, b"too many empty fragments")
        self.context_id = stream.context_id
        if self.mode == STORE:
            self.store.make_room(stream.fragment_left)
        return GO_ON

    cdef Event take_fragment(self) noexcept nogil:
        """What of the fragment is staged."""
        cdef Stream* stream = &self.stream
        cdef Cursor staged = held(&self.staging)
        cdef size_t now = min(stream.fragment_left, left(&staged))
        cdef const uint8_t* at = peek(&staged, now)
        if self.mode == STORE:
            if not self.store.add(at, now, stream.fragment_left):
                return failed(stream, b"data set longer than an object may be")
        elif not self.add_to_message(at, now):
            return ERROR
        self.staging.begin += now
        stream.fragment_left -= now
        if stream.fragment_left:
            return NEED
        stream.in_fragment = False
        return self.end_message_part() if stream.control & CONTROL_LAST else GO_ON

    cdef bint add_to_message(self, const uint8_t* data, size_t length) noexcept nogil:
        cdef Growing* target = &self.command if self.mode == COMMAND else &self.dataset
        cdef size_t bytes_max = self.command_bytes_max if self.mode == COMMAND else self.dataset_bytes_max
        if target.end + length > bytes_max:
            failed(&self.stream, b"command set or identifier longer than its limit")
            return False
        if not add(target, data, length, MESSAGE_BYTES_MIN):
            failed(&self.stream, b"no memory")
            return False
        return True

    # ------------------------------------------------------------ messages

    cdef Event end_message_part(self) noexcept nogil:
        self.empty_fragments = 0
        if self.mode == COMMAND:
            return self.begin_message()
        if self.mode == HAND_OVER:
            self.mode, self.has_message = COMMAND, True
            return MESSAGE
        self.end_store()
        self.mode, self.command.end = COMMAND, 0
        return failed(&self.stream, b"no memory") if self.answers.lost else GO_ON

    cdef Event begin_message(self) noexcept nogil:
        cdef bint has_dataset
        cdef Cursor command = held(&self.command)
        if not read_command(&command, &self.request):
            return failed(&self.stream, b"command set that is not sound")
        has_dataset = self.request.dataset_type != NO_DATASET
        if self.request.field == C_ECHO_REQUEST and not has_dataset:
            self.command.end = 0
            self.request.sop_instance_uid[0] = 0
            self.answers.respond(&self.request, self.context_id, STATUS_SUCCESS, 0)
            return failed(&self.stream, b"no memory") if self.answers.lost else GO_ON
        if self.request.field == C_STORE_REQUEST and has_dataset:
            self.mode = STORE
            self.begin_store()
            return GO_ON
        self.has_dataset, self.dataset.end = has_dataset, 0
        if has_dataset:
            self.mode = HAND_OVER
            return GO_ON
        self.has_message = True
        return MESSAGE

    cdef void begin_store(self) noexcept nogil:
        cdef Context* context = &self.contexts[self.context_id]
        if not context.is_storage:
            self.store.begin_refused(STATUS_NOT_SUPPORTED, NOT_FOR_STORAGE)
        elif not has_sound_uids(&self.request):
            self.store.begin_refused(STATUS_MISMATCH, BAD_UID)
        elif strcmp(self.request.sop_class_uid, context.abstract_syntax):
            self.store.begin_refused(STATUS_MISMATCH, OTHER_CLASS)
        else:
            self.store.begin(&self.request, context.transfer_syntax)

    cdef void end_store(self) noexcept nogil:
        cdef Verdict verdict = self.store.finish(&self.request, self.contexts[self.context_id].syntax)
        if verdict.status:
            self.answers.refuse(&self.request, self.context_id, verdict.status, verdict.reason)
        else:
            self.answers.keep(&self.request, self.context_id, verdict.lsn, self.store.dataset_bytes)
