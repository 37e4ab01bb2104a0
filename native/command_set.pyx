"""Command sets (PS3.7 6.3.1, E.1) and their P-DATA-TF PDUs (PS3.8 9.3.5), for native.pdu. See pdu.pyi."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy

from native.cursor cimport (
    Cursor,
    bytes_of,
    cursor_over,
    data_of,
    holds,
    le16_at,
    le32_at,
    left,
    peek,
    put_be32,
    put_le16,
    put_le32,
    skip,
    tag_at,
    take,
)

cdef enum:
    COMMAND_BYTES_MAX = 1 << 16
    OUR_FRAGMENT_BYTES = (1 << 17) - 6  # when the peer sets no maximum
    PDV_HEAD_BYTES = 6                  # item length, context id, control header: they count against the maximum
    LAST = 2
    COMMAND = 1

UID_ELEMENTS = frozenset((0x0002, 0x0003, 0x1000, 0x1001))
NUMBER_ELEMENTS = frozenset(
    (
        0x0100, 0x0110, 0x0120, 0x0700, 0x0800, 0x0900, 0x0903, 0x1002, 0x1008,
        0x1020, 0x1021, 0x1022, 0x1023, 0x1031,
    )
)
TEXT_ELEMENTS = frozenset((0x0600, 0x0902, 0x1030))
TAG_ELEMENTS = frozenset((0x0901, 0x1005))


cdef object value_of(int element, Cursor* value):
    """The Python value of one command element; None when it is empty and no text."""
    cdef size_t length = left(value)
    cdef list tags
    if element in NUMBER_ELEMENTS:
        if length == 0:
            return None
        if length != 2:
            raise ValueError("number in a command set is not 2 bytes long")
        return le16_at(value, 0)
    if element in TAG_ELEMENTS:
        if length % 4:
            raise ValueError("tag list in a command set is not a multiple of 4 bytes long")
        tags = []
        while left(value):
            tags.append(tag_at(value, False))
            skip(value, 4)
        return tags
    raw = bytes_of(peek(value, length), length)
    return raw.decode("latin-1").strip(" \0") if element in UID_ELEMENTS or element in TEXT_ELEMENTS else raw


def decode_command(const uint8_t[::1] command not None):
    cdef Cursor cursor, inner
    cdef const uint8_t* data
    cdef uint32_t length
    cdef int element, last = -1
    cdef dict found = {}
    if command.shape[0] > COMMAND_BYTES_MAX or command.shape[0] == 0:
        raise ValueError("command set is empty or too long")
    cursor = cursor_over(&command[0], command.shape[0])
    while left(&cursor):
        if not holds(&cursor, 8) or le16_at(&cursor, 0) != 0:
            raise ValueError("command set is cut or has elements of another group")
        element, length = le16_at(&cursor, 2), le32_at(&cursor, 4)
        skip(&cursor, 8)
        data = take(&cursor, length)
        if data == NULL:
            raise ValueError("command element is longer than its command set")
        if element <= last:
            raise ValueError("command elements are not in ascending order")
        last = element
        if element:
            inner = cursor_over(data, length)
            value = value_of(element, &inner)
            if value is not None:
                found[element] = value
    return found


cdef bytes value_bytes(int element, object value):
    if isinstance(value, bool) or value is None:
        raise ValueError("command element without a value")
    if isinstance(value, int):
        return value.to_bytes(2, "little")
    if isinstance(value, str):
        encoded = value.encode("latin-1")
        return encoded + (b"\0" if element in UID_ELEMENTS else b" ") * (len(encoded) & 1)
    if isinstance(value, list):
        return b"".join((tag >> 16).to_bytes(2, "little") + (tag & 0xFFFF).to_bytes(2, "little") for tag in value)
    return bytes(value) + b"\0" * (len(value) & 1)


cdef bytes element_bytes(int element, bytes value):
    cdef bytes whole = PyBytes_FromStringAndSize(NULL, 8 + len(value))
    cdef uint8_t* at = <uint8_t*>PyBytes_AS_STRING(whole)
    put_le16(at, 0)
    put_le16(at + 2, element)
    put_le32(at + 4, len(value))
    memcpy(at + 8, PyBytes_AS_STRING(value), len(value))
    return whole


def encode_command(dict elements not None):
    body = b"".join([element_bytes(key, value_bytes(key, elements[key])) for key in sorted(elements) if key])
    return element_bytes(0, len(body).to_bytes(4, "little")) + body


cdef size_t framed_bytes(size_t length, size_t fragment) noexcept:
    """Bytes on the wire of ``length`` bytes in PDUs of their own; an empty data set is one empty fragment."""
    cdef size_t count = (length + fragment - 1) // fragment if length else 1
    return length + count * (6 + PDV_HEAD_BYTES)


cdef uint8_t* frame(uint8_t* at, const uint8_t* data, size_t length, size_t fragment, int context_id, int control):
    cdef size_t done = 0, now
    while True:
        now = min(fragment, length - done)
        at[0] = 4
        at[1] = 0
        put_be32(at + 2, now + PDV_HEAD_BYTES)
        put_be32(at + 6, now + 2)
        at[10] = context_id
        at[11] = control | (LAST if done + now == length else 0)
        memcpy(at + 12, data + done, now)
        at += 12 + now
        done += now
        if done == length:
            return at


def encode_message(int context_id, bytes command not None, dataset, size_t pdu_bytes_max):
    cdef size_t fragment = OUR_FRAGMENT_BYTES
    cdef bytes data = b"" if dataset is None else bytes(dataset)
    cdef bytes whole
    cdef uint8_t* at
    if pdu_bytes_max:
        if pdu_bytes_max < PDV_HEAD_BYTES + 2:
            raise ValueError("the peer's maximum PDU length leaves no room for a fragment")
        fragment = min(fragment, (pdu_bytes_max - PDV_HEAD_BYTES) & ~<size_t>1)
    length = framed_bytes(len(command), fragment) + (0 if dataset is None else framed_bytes(len(data), fragment))
    whole = PyBytes_FromStringAndSize(NULL, length)
    at = <uint8_t*>PyBytes_AS_STRING(whole)
    at = frame(at, data_of(command), len(command), fragment, context_id, COMMAND)
    if dataset is not None:
        frame(at, data_of(data), len(data), fragment, context_id, 0)
    return whole
