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
from libc.string cimport memcpy, memset, strcpy, strlen

from native.cursor cimport (
    Cursor,
    byte_at,
    bytes_of,
    holds,
    le16_at,
    le32_at,
    put_le16,
    put_le32,
    skip,
    take,
)
from native.uid cimport UID_BYTES_MAX, copy_uid
from native.view cimport over
from native.vr cimport is_letters, is_long
from native.walker cimport BAD_META, NOT_DICOM

from native.faults import Malformed
from native.identity import check

IMPLEMENTATION_CLASS_UID = "2.25.250138104623459437512836473655428417"

cdef bytes IMPLEMENTATION = IMPLEMENTATION_CLASS_UID.encode("ascii")
cdef const char* implementation = IMPLEMENTATION

cdef enum:
    DICM = 0x4D434944
    FIRST_GROUP_MAX = 0x0008

IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
cdef const char* implicit = b"1.2.840.10008.1.2"
cdef const char* explicit = b"1.2.840.10008.1.2.1"
cdef const char* big_endian = b"1.2.840.10008.1.2.2"
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


cdef int find_dataset(Cursor file, char* transfer_syntax, size_t* at) noexcept nogil:
    cdef bint is_sound = True
    cdef size_t index, size
    cdef uint16_t vr, element
    cdef const uint8_t* value
    at[0] = transfer_syntax[0] = 0
    if holds(&file, META_AT) and le32_at(&file, PREAMBLE_BYTES) == DICM:
        skip(&file, META_AT)
    elif not holds(&file, 8) or le32_at(&file, 0) != 2:
        return guess_syntax(&file, transfer_syntax)
    while holds(&file, 8) and le16_at(&file, 0) == 2:
        at[0] = file.at
        element, vr = le16_at(&file, 2), le16_at(&file, 4)
        if not is_letters(vr) or not holds(&file, 12 if is_long(vr) else 8):
            return BAD_META
        size = le32_at(&file, 8) if is_long(vr) else le16_at(&file, 6)
        skip(&file, 12 if is_long(vr) else 8)
        value = take(&file, size)
        if value == NULL:
            return BAD_META
        if element == 0x0010:
            is_sound = copy_uid(transfer_syntax, value, size)
    at[0] = file.at
    if is_sound and not transfer_syntax[0]:
        return guess_syntax(&file, transfer_syntax)
    for index in range(strlen(transfer_syntax)):
        is_sound = is_sound and (transfer_syntax[index] == c"." or c"0" <= transfer_syntax[index] <= c"9")
    return 0 if is_sound else BAD_META


cdef int guess_syntax(const Cursor* dataset, char* transfer_syntax) noexcept nogil:
    """What the first element of a data set looks like, with or without value representations.

    It stands at or before the SOP Class UID, without which nothing is kept: no later group can begin one.
    """
    cdef uint16_t group = le16_at(dataset, 0)
    cdef bint is_explicit = c"A" <= byte_at(dataset, 4) <= c"Z" and c"A" <= byte_at(dataset, 5) <= c"Z"
    if not holds(dataset, 8):
        return NOT_DICOM
    if is_explicit and group and group & 0xFF == 0 and group >> 8 <= FIRST_GROUP_MAX:
        strcpy(transfer_syntax, big_endian)
        return 0
    if group < 2 or group > FIRST_GROUP_MAX or (not is_explicit and le16_at(dataset, 6) == 0xFFFF):
        return NOT_DICOM
    strcpy(transfer_syntax, explicit if is_explicit else implicit)
    return 0


def read_meta(const uint8_t[::1] file):
    """Transfer syntax and where the data set begins, of a Part-10 file or, guessed, of a bare data set.

    A wrong group length does not matter. Raises Malformed.
    """
    cdef char transfer_syntax[UID_BYTES_MAX + 1]
    cdef size_t at
    cdef int reason = find_dataset(over(file), transfer_syntax, &at)
    if reason:
        raise Malformed(reason, at)
    return transfer_syntax.decode("ascii"), at


def canonical(const uint8_t[::1] file):
    """Head of the canonical object, where the data set begins in ``file``, the preamble if it is a TIFF's.

    Raises Malformed.
    """
    syntax, offset = read_meta(file)
    sop_class, instance, _, _ = check(file[offset:], syntax)
    preamble = bytes(file[:PREAMBLE_BYTES]) if offset > META_AT else b""
    kept = preamble if preamble[:4] in TIFF else b""
    return canonical_head(sop_class, instance, syntax), offset, kept
