"""P-DATA-TF as a stream of fragments (PS3.8 9.3.5): what the next head says.

Every length is checked against what encloses it.
"""

from libc.stdint cimport uint8_t

from native.cursor cimport Cursor, be32_at, byte_at, holds
from native.growing cimport Growing, held

cdef enum Event:
    NEED = 0         # more bytes
    MESSAGE = 1
    RELEASE = 2
    RELEASED = 3
    ABORT = 4
    END = 5
    IDLE = 6
    CANCEL = 7
    ERROR = 8        # ``fault`` says which
    # these two never leave native code
    FRAGMENT = 9     # a fragment begins
    GO_ON = 10

cdef enum:
    PDU_HEAD_BYTES = 6
    FRAGMENT_HEAD_BYTES = 6
    PDU_BYTES_LIMIT = 1 << 24    # when we announced no maximum
    CONTROL_COMMAND = 1
    CONTROL_LAST = 2
    PDU_DATA = 4
    PDU_RELEASE = 5
    PDU_RELEASED = 6
    PDU_ABORT = 7
    SHORT_PDU_BYTES = 4          # what follows the head of a release or an abort

cdef struct Stream:
    size_t pdu_bytes_max
    size_t pdu_left
    size_t fragment_left
    bint in_fragment
    uint8_t context_id
    uint8_t control
    const char* fault


cdef inline Event failed(Stream* stream, const char* sentence) noexcept nogil:
    stream.fault = sentence
    return ERROR


cdef inline Event read_head(Stream* stream, Growing* staged) noexcept nogil:
    """Takes the head of the next PDU (GO_ON, or how the association ends) or of the next fragment (FRAGMENT)."""
    cdef Cursor cursor = held(staged)
    cdef uint8_t kind = byte_at(&cursor, 0)
    if not holds(&cursor, PDU_HEAD_BYTES):
        return NEED
    if stream.pdu_left:
        staged.begin += FRAGMENT_HEAD_BYTES
        return begin_fragment(stream, be32_at(&cursor, 0), byte_at(&cursor, 4), byte_at(&cursor, 5))
    if kind == PDU_DATA:
        staged.begin += PDU_HEAD_BYTES
        return begin_pdu(stream, be32_at(&cursor, 2))
    if kind < PDU_RELEASE or kind > PDU_ABORT:
        return failed(stream, b"PDU that is not expected on an open association")
    if be32_at(&cursor, 2) != SHORT_PDU_BYTES:
        return failed(stream, b"release or abort PDU of a wrong length")
    if not holds(&cursor, PDU_HEAD_BYTES + SHORT_PDU_BYTES):
        return NEED
    staged.begin += PDU_HEAD_BYTES + SHORT_PDU_BYTES
    return RELEASE if kind == PDU_RELEASE else RELEASED if kind == PDU_RELEASED else ABORT


cdef inline Event begin_pdu(Stream* stream, size_t length) noexcept nogil:
    if length < FRAGMENT_HEAD_BYTES or length > stream.pdu_bytes_max:
        return failed(stream, b"P-DATA-TF shorter than a fragment or longer than announced")
    stream.pdu_left = length
    return GO_ON


cdef inline Event begin_fragment(Stream* stream, size_t length, uint8_t context_id, uint8_t control) noexcept nogil:
    if length < 2 or length + 4 > stream.pdu_left:
        return failed(stream, b"fragment that does not fit into its PDU")
    stream.pdu_left -= length + 4
    if 0 < stream.pdu_left < FRAGMENT_HEAD_BYTES:
        return failed(stream, b"PDU with a rest too short for a fragment")
    stream.context_id, stream.control = context_id, control
    stream.fragment_left = length - 2
    stream.in_fragment = True
    return FRAGMENT
