"""See replies.pxd."""

from libc.stdint cimport uint8_t

from native.command cimport C_STORE_RESPONSE, NO_DATASET, Command, put_fragment_head, read_command
from native.cursor cimport Cursor, left, take
from native.growing cimport add, compact, free_bytes, grow, held, held_as_bytes, held_bytes, release
from native.stream cimport (
    ABORT,
    CONTROL_COMMAND,
    CONTROL_LAST,
    ERROR,
    FRAGMENT,
    GO_ON,
    MESSAGE,
    NEED,
    PDU_HEAD_BYTES,
    RELEASE,
    RELEASED,
    SHORT_PDU_BYTES,
    Event,
    read_head,
)

cdef enum:
    STAGED_BYTES_MAX = 1 << 16
    COMMAND_BYTES_MAX = 4096
    FOREIGN_BYTES_MAX = 1 << 13  # C-CANCEL, 80 bytes each
    FRAGMENT_BYTES = 12          # before a fragment that has a PDU of its own


cdef class Replies:
    def __cinit__(self, bint shared):
        self.shared = shared
        self.stream.pdu_bytes_max = STAGED_BYTES_MAX - PDU_HEAD_BYTES
        if not grow(&self.staged, STAGED_BYTES_MAX, STAGED_BYTES_MAX):
            raise MemoryError
        if not grow(&self.command, COMMAND_BYTES_MAX, COMMAND_BYTES_MAX):
            raise MemoryError
        if not grow(&self.foreign, FOREIGN_BYTES_MAX, FOREIGN_BYTES_MAX):
            raise MemoryError

    def __dealloc__(self):
        release(&self.staged)
        release(&self.command)
        release(&self.foreign)

    cdef Event next_reply(self, Reply* reply) noexcept nogil:
        cdef Event event = GO_ON
        while event == GO_ON:
            event = read_head(&self.stream, &self.staged)
            if event == FRAGMENT:
                event = self.take_fragment(reply)
            elif event == GO_ON and held_bytes(&self.staged) < self.stream.pdu_left:
                self.staged.begin -= PDU_HEAD_BYTES    # not whole yet
                self.stream.pdu_left = 0
                event = NEED
            elif event == RELEASE or event == ABORT or event == RELEASED:
                self.staged.begin -= PDU_HEAD_BYTES + SHORT_PDU_BYTES
        compact(&self.staged)
        return event

    cdef bint is_inside_pdu(self) noexcept nogil:
        return self.stream.pdu_left > 0

    cdef bint has_foreign(self) noexcept nogil:
        return held_bytes(&self.foreign) > 0

    cdef Event take_fragment(self, Reply* reply) noexcept nogil:
        """A fragment of a command; it is staged whole, as its PDU is."""
        cdef Cursor cursor = held(&self.staged)
        cdef Command command
        cdef size_t length = self.stream.fragment_left
        if not self.stream.control & CONTROL_COMMAND or length > free_bytes(&self.command):
            return ERROR
        add(&self.command, take(&cursor, length), length, COMMAND_BYTES_MAX)
        self.staged.begin += length
        self.stream.fragment_left, self.stream.in_fragment = 0, False
        self.command_context = self.stream.context_id
        if not self.stream.control & CONTROL_LAST:
            return GO_ON
        cursor = held(&self.command)
        if not read_command(&cursor, &command) or command.dataset_type != NO_DATASET:
            return ERROR
        if command.field == C_STORE_RESPONSE:
            reply.message_id, reply.status = command.message_id, command.status
        elif not self.shared or not self.add_foreign(CONTROL_COMMAND | CONTROL_LAST):
            return ERROR
        self.command.end = 0
        return MESSAGE if command.field == C_STORE_RESPONSE else GO_ON

    cdef bint add_foreign(self, uint8_t control) noexcept nogil:
        """The command, as a PDU of its own; False when there are too many."""
        cdef Cursor cursor = held(&self.command)
        cdef size_t length = left(&cursor)
        cdef uint8_t head[FRAGMENT_BYTES]
        put_fragment_head(head, length, self.command_context, control)
        if FRAGMENT_BYTES + length > free_bytes(&self.foreign):
            return False
        add(&self.foreign, head, FRAGMENT_BYTES, FOREIGN_BYTES_MAX)
        return add(&self.foreign, take(&cursor, length), length, FOREIGN_BYTES_MAX)

    cdef bytes take_rest(self):
        """Whole commands, one that is not whole yet, and bytes that are no PDU yet."""
        if held_bytes(&self.command):
            self.add_foreign(CONTROL_COMMAND)
        rest = held_as_bytes(&self.foreign) + held_as_bytes(&self.staged)
        self.foreign.end = self.command.end = self.staged.begin = self.staged.end = 0
        return rest
