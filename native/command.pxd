"""Command sets of C-STORE and C-ECHO without the GIL (PS3.7 9.3.1, 9.3.5): bounded, every length checked."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.string cimport memcpy, strlen

from native.cursor cimport (
    Cursor,
    holds,
    le16,
    le16_at,
    le32_at,
    left,
    put_be32,
    put_le16,
    put_le32,
    skip,
    take,
)
from native.uid cimport copy_uid

cdef enum:
    C_STORE_REQUEST = 0x0001
    C_STORE_RESPONSE = 0x8001
    C_ECHO_REQUEST = 0x0030
    C_ECHO_RESPONSE = 0x8030
    NO_DATASET = 0x0101
    FRAME_BYTES_MAX = 512  # of any command PDU written here

cdef struct Command:
    uint16_t field
    uint16_t message_id
    uint16_t dataset_type
    uint16_t status
    bint uids_fit          # both UIDs have at most 64 characters
    char sop_class_uid[65]
    char sop_instance_uid[65]


cdef inline bint read_command(Cursor* cursor, Command* found) noexcept nogil:
    cdef const uint8_t* value
    cdef uint32_t size
    cdef int element, last = -1
    cdef bint has_field = False
    found.field = found.message_id = found.status = 0
    found.dataset_type = NO_DATASET
    found.sop_class_uid[0] = found.sop_instance_uid[0] = 0
    found.uids_fit = True
    while left(cursor):
        if not holds(cursor, 8) or le16_at(cursor, 0) != 0:
            return False
        element, size = le16_at(cursor, 2), le32_at(cursor, 4)
        skip(cursor, 8)
        value = take(cursor, size)
        if value == NULL or element <= last:
            return False
        last = element
        if element == 0x0002:
            found.uids_fit &= copy_uid(found.sop_class_uid, value, size)
        elif element == 0x1000:
            found.uids_fit &= copy_uid(found.sop_instance_uid, value, size)
        elif element == 0x0100 or element == 0x0110 or element == 0x0120 or element == 0x0800 or element == 0x0900:
            if size != 2:
                return False
            if element == 0x0100:
                found.field = le16(value)
                has_field = True
            elif element == 0x0800:
                found.dataset_type = le16(value)
            elif element == 0x0900:
                found.status = le16(value)
            else:
                found.message_id = le16(value)
    return has_field


cdef inline uint8_t* put_element(
    uint8_t* at, uint16_t element, const void* value, size_t length, uint8_t pad
) noexcept nogil:
    put_le16(at, 0)
    put_le16(at + 2, element)
    put_le32(at + 4, (length + 1) & ~<size_t>1)
    memcpy(at + 8, value, length)
    if length & 1:
        at[8 + length] = pad
    return at + 8 + ((length + 1) & ~<size_t>1)


cdef inline uint8_t* put_number(uint8_t* at, uint16_t element, uint16_t value) noexcept nogil:
    cdef uint8_t raw[2]
    put_le16(raw, value)
    return put_element(at, element, raw, 2, 0)


cdef inline uint8_t* put_fragment_head(uint8_t* at, size_t length, uint8_t context_id, uint8_t control) noexcept nogil:
    """The 12 bytes before a fragment that has a PDU of its own."""
    at[0] = 4
    at[1] = 0
    put_be32(at + 2, length + 6)
    put_be32(at + 6, length + 2)
    at[10] = context_id
    at[11] = control
    return at + 12


cdef inline uint8_t* begin_command(uint8_t* at, const char* sop_class_uid, uint16_t field) noexcept nogil:
    at = put_element(at + 12, 0, b"\0\0\0\0", 4, 0)
    at = put_element(at, 0x0002, sop_class_uid, strlen(sop_class_uid), 0)
    return put_number(at, 0x0100, field)


cdef inline void end_command(uint8_t* begin, uint8_t* end, uint8_t context_id) noexcept nogil:
    put_fragment_head(begin, end - begin - 12, context_id, 3)
    put_le32(begin + 20, end - begin - 24)


cdef inline size_t write_response(
    uint8_t* out, uint8_t context_id, const Command* request, uint16_t status, const char* comment, size_t* status_at
) noexcept nogil:
    """A response PDU without a data set; its length.

    ``comment``: at most 64 characters. ``status_at``: where its status stands.
    """
    cdef uint8_t* at = begin_command(out, request.sop_class_uid, request.field | 0x8000)
    at = put_number(at, 0x0120, request.message_id)
    at = put_number(at, 0x0800, NO_DATASET)
    at = put_number(at, 0x0900, status)
    status_at[0] = at - out - 2
    if comment[0]:
        at = put_element(at, 0x0902, comment, strlen(comment), 0x20)
    if request.sop_instance_uid[0]:
        at = put_element(at, 0x1000, request.sop_instance_uid, strlen(request.sop_instance_uid), 0)
    end_command(out, at, context_id)
    return at - out


cdef inline size_t write_store_request(
    uint8_t* out, uint8_t context_id, const Command* request, const char* originator, uint16_t originator_message_id
) noexcept nogil:
    cdef uint8_t* at = begin_command(out, request.sop_class_uid, C_STORE_REQUEST)
    at = put_number(at, 0x0110, request.message_id)
    at = put_number(at, 0x0700, 0)
    at = put_number(at, 0x0800, 1)
    at = put_element(at, 0x1000, request.sop_instance_uid, strlen(request.sop_instance_uid), 0)
    if originator[0]:
        at = put_element(at, 0x1030, originator, strlen(originator), 0x20)
        at = put_number(at, 0x1031, originator_message_id)
    end_command(out, at, context_id)
    return at - out
