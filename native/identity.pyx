"""See identity.pxd."""

from libc.stdint cimport uint8_t
from libc.string cimport memcmp, memset, strlen

from native.cursor cimport Cursor
from native.inflate cimport Inflated, inflate, inflated_free
from native.uid cimport copy_uid, is_uid
from native.view cimport over
from native.walker cimport (
    BAD_UID,
    DEFLATED_LITTLE,
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    NO_UID,
    STEP_ELEMENT,
    STEP_END,
    STEP_FAILED,
    Step,
    Syntax,
    Walker,
    walk_begin,
    walk_next,
)

from native.faults import Malformed


cdef bint is_same(const char* uid, size_t length, const char* known) noexcept nogil:
    return strlen(known) == length and memcmp(uid, known, length) == 0


cdef Syntax syntax_of(const char* uid, size_t length) noexcept nogil:
    # GE's private syntax differs in the byte order of its pixels alone, and those are kept as bytes.
    if is_same(uid, length, b"1.2.840.10008.1.2") or is_same(uid, length, b"1.2.840.113619.5.2"):
        return IMPLICIT_LITTLE
    if is_same(uid, length, b"1.2.840.10008.1.2.2"):
        return EXPLICIT_BIG
    # Deflated Explicit VR; JPIP and HTJ2K JPIP Referenced Deflate (PS3.5 A.5, A.9, A.14)
    if is_same(uid, length, b"1.2.840.10008.1.2.1.99"):
        return DEFLATED_LITTLE
    if is_same(uid, length, b"1.2.840.10008.1.2.4.95") or is_same(uid, length, b"1.2.840.10008.1.2.4.205"):
        return DEFLATED_LITTLE
    return EXPLICIT_LITTLE


cdef int take_uid(const Walker* walker, char* out) noexcept nogil:
    """A UID value without its padding, the first of its tag; a reason code, or 0."""
    if out[0]:
        return 0
    if not copy_uid(out, walker.value, walker.length):
        return BAD_UID
    if not out[0]:
        return NO_UID
    return 0 if is_uid(out) else BAD_UID


cdef int note_uid(const Walker* walker, Checked* found) noexcept nogil:
    if walker.tag == 0x00080016U:
        return take_uid(walker, found.sop_class_uid)
    if walker.tag == 0x00080018U:
        return take_uid(walker, found.sop_instance_uid)
    if walker.tag == 0x0020000DU:
        return take_uid(walker, found.study_uid)
    if walker.tag == 0x0020000EU:
        return take_uid(walker, found.series_uid)
    return 0


cdef int complete(const Checked* found) noexcept nogil:
    if found.sop_class_uid[0] and found.sop_instance_uid[0] and found.study_uid[0] and found.series_uid[0]:
        return 0
    return NO_UID


cdef int check_plain(
    const uint8_t* data, size_t length, Syntax syntax, Checked* found, bint is_mapped
) noexcept nogil:
    cdef Walker walker
    cdef Step step
    cdef int reason
    cdef size_t gone = 0
    walk_begin(&walker, data, length, syntax)
    while True:
        step = walk_next(&walker)
        if is_mapped:
            let_go_behind(&walker, &gone)
        if step == STEP_ELEMENT and walker.depth == 0:
            reason = note_uid(&walker, found)
            if reason:
                return reason
        elif step == STEP_END:
            return complete(found)
        elif step == STEP_FAILED:
            return walker.fault


cdef int check_dataset(
    const uint8_t* data, size_t length, Syntax syntax, Checked* found, bint is_mapped=False
) noexcept nogil:
    cdef Inflated plain
    cdef int reason
    memset(found, 0, sizeof(Checked))
    if syntax != DEFLATED_LITTLE:
        return check_plain(data, length, syntax, found, is_mapped)
    reason = inflate(data, length, &plain)
    if reason == 0:
        reason = check_plain(plain.data, plain.length, EXPLICIT_LITTLE, found, False)
    inflated_free(&plain)
    return reason


def check(const uint8_t[::1] dataset, str transfer_syntax_uid):
    """See dataset.pyi."""
    cdef Checked found
    cdef bytes uid = transfer_syntax_uid.encode("ascii", "replace")
    cdef Syntax syntax = syntax_of(uid, len(uid))
    cdef Cursor cursor = over(dataset)
    cdef int reason
    with nogil:
        reason = check_dataset(cursor.data, cursor.end, syntax, &found)
    if reason:
        raise Malformed(reason)
    return (
        found.sop_class_uid.decode(), found.sop_instance_uid.decode(), found.study_uid.decode(),
        found.series_uid.decode(),
    )
