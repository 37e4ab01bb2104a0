"""What the peer says on an association that we send on: C-STORE responses, and commands of its own (PS3.7 9.3.1.2).

PDUs are read whole or not at all, so that what is left can go to another reader.
"""

from libc.stdint cimport uint8_t, uint16_t

from native.growing cimport Growing
from native.stream cimport Event, Stream

cdef struct Reply:
    uint16_t message_id
    uint16_t status

cdef class Replies:
    cdef bint shared             # the peer may send commands of its own: they are kept
    cdef Growing staged          # what has come and is not read
    cdef Stream stream
    cdef Growing command
    cdef uint8_t command_context
    cdef Growing foreign

    # MESSAGE: a response is in ``reply``. NEED, RELEASE, ABORT, ERROR as in stream.pxd; the last PDU stays unread.
    cdef Event next_reply(self, Reply* reply) noexcept nogil
    # Whether what was read ends inside a PDU: then there is more to read at once.
    cdef bint is_inside_pdu(self) noexcept nogil
    cdef bint has_foreign(self) noexcept nogil
    cdef bytes take_rest(self)

    cdef Event take_fragment(self, Reply* reply) noexcept nogil
    cdef bint add_foreign(self, uint8_t control) noexcept nogil
