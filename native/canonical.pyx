"""The canonical object, form 1 (frozen for ever): the one file that an instance is kept as, however it arrived.

::

    128 B  zeros                      4 B  DICM
    0002,0000 UL  length of the rest of the group
    0002,0001 OB  00 01
    0002,0002 UI  SOP Class UID       0002,0003 UI  SOP Instance UID
    0002,0010 UI  Transfer Syntax UID 0002,0012 UI  IMPLEMENTATION_CLASS_UID
    the data set exactly as it was received

UIDs of odd length are padded with one NUL (PS3.10 7.1, PS3.5 9.1).
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.string cimport memcpy, memset, strlen

from native.cursor cimport (
    Cursor,
    bytes_of,
    cursor_over,
    holds,
    le16_at,
    le32_at,
    peek,
    put_le16,
    put_le32,
    skip,
)
from native.uid cimport UID_BYTES_MAX
from native.vr cimport is_letters, is_long

from native.faults import Malformed
from native.identity import check

IMPLEMENTATION_CLASS_UID = "2.25.250138104623459437512836473655428417"

cdef bytes IMPLEMENTATION = IMPLEMENTATION_CLASS_UID.encode("ascii")
cdef const char* implementation = IMPLEMENTATION

cdef enum:
    PREAMBLE_BYTES = 128
    META_AT = 132
    BAD_META = 15
    NOT_DICOM = 14

IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


cdef uint8_t* put_uid(uint8_t* out, uint16_t element, const char* uid) noexcept nogil:
    cdef size_t length = strlen(uid)
    put_le16(out, 2)
    put_le16(out + 2, element)
    out[4], out[5] = 85, 73
    put_le16(out + 6, <uint16_t>(length + (length & 1)))
    memcpy(out + 8, uid, length)
    if length & 1:
        out[8 + length] = 0
    return out + 8 + length + (length & 1)


cdef size_t write_head(
    uint8_t* out, const char* sop_class_uid, const char* sop_instance_uid, const char* transfer_syntax_uid
) noexcept nogil:
    cdef uint8_t* at = out + META_AT
    memset(out, 0, PREAMBLE_BYTES)
    memcpy(out + PREAMBLE_BYTES, b"DICM", 4)
    memcpy(at, b"\x02\x00\x00\x00UL\x04\x00", 8)
    memcpy(at + 12, b"\x02\x00\x01\x00OB\x00\x00\x02\x00\x00\x00\x00\x01", 14)
    at = put_uid(at + 26, 0x0002, sop_class_uid)
    at = put_uid(at, 0x0003, sop_instance_uid)
    at = put_uid(at, 0x0010, transfer_syntax_uid)
    at = put_uid(at, 0x0012, implementation)
    put_le32(out + META_AT + 8, <uint32_t>(at - out - META_AT - 12))
    return at - out


def canonical_head(str sop_class_uid, str sop_instance_uid, str transfer_syntax_uid):
    """The head for three UIDs. Raises ValueError for one that is longer than 64 characters."""
    cdef uint8_t head[HEAD_BYTES_MAX]
    cdef bytes sop_class = sop_class_uid.encode("ascii")
    cdef bytes instance = sop_instance_uid.encode("ascii")
    cdef bytes syntax = transfer_syntax_uid.encode("ascii")
    if max(len(sop_class), len(instance), len(syntax)) > UID_BYTES_MAX:
        raise ValueError("a UID is longer than 64 characters")
    length = write_head(head, sop_class, instance, syntax)
    return bytes_of(head, length)


def read_meta(const uint8_t[::1] file):
    """Transfer syntax and where the data set begins, of a Part-10 file or, guessed, of a bare data set.

    A wrong group length does not matter. Raises Malformed.
    """
    cdef Cursor cursor
    cdef size_t size, length = file.shape[0]
    cdef uint16_t vr, element
    cdef bint has_preamble = length >= META_AT and bytes(file[PREAMBLE_BYTES:META_AT]) == b"DICM"
    if not has_preamble and (length < 8 or bytes(file[:4]) != b"\x02\0\0\0"):
        return guessed(file, 0), 0
    cursor = cursor_over(&file[0], length)
    skip(&cursor, META_AT if has_preamble else 0)
    syntax = ""
    while holds(&cursor, 8) and le16_at(&cursor, 0) == 2:
        element, vr = le16_at(&cursor, 2), le16_at(&cursor, 4)
        if not is_letters(vr) or not holds(&cursor, 12 if is_long(vr) else 8):
            raise Malformed(BAD_META, cursor.at)
        size = le32_at(&cursor, 8) if is_long(vr) else le16_at(&cursor, 6)
        skip(&cursor, 12 if is_long(vr) else 8)
        if not holds(&cursor, size):
            raise Malformed(BAD_META, cursor.at)
        if element == 0x0010:
            syntax = bytes_of(peek(&cursor, size), size).rstrip(b"\0 ").decode("ascii", "replace")
        skip(&cursor, size)
    if not syntax:
        return guessed(file, cursor.at), cursor.at
    if len(syntax) > UID_BYTES_MAX or not all(c in "0123456789." for c in syntax):
        raise Malformed(BAD_META, META_AT)
    return syntax, cursor.at


def guessed(const uint8_t[::1] file, size_t at):
    """The syntax that the first element of a data set looks like. Raises Malformed when it looks like none."""
    if file.shape[0] < <Py_ssize_t>at + 8:
        raise Malformed(NOT_DICOM, at)
    head = bytes(file[at : at + 8])
    group = head[0] | head[1] << 8
    explicit = 65 <= head[4] <= 90 and 65 <= head[5] <= 90
    if explicit and head[0] == 0 and head[1]:
        return BIG_ENDIAN
    if group < 2 or group > 0x7FE0 or head[6:8] == b"\xff\xff" and not explicit:
        raise Malformed(NOT_DICOM, at)
    return EXPLICIT if explicit else IMPLICIT


def canonical(const uint8_t[::1] file):
    """Head of the canonical object, where the data set begins in ``file``, the preamble if it is a TIFF's.

    Raises Malformed.
    """
    syntax, offset = read_meta(file)
    sop_class, instance, _, _ = check(file[offset:], syntax)
    preamble = bytes(file[:PREAMBLE_BYTES]) if offset > META_AT else b""
    kept = preamble if preamble[:4] in TIFF else b""
    return canonical_head(sop_class, instance, syntax), offset, kept
