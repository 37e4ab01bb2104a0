"""Parts of stored headers: single elements, private groups, and what headers of one series have in common."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.string cimport memcmp

from native.cursor cimport Cursor
from native.elements cimport Found, between, cut_out, find, next_element
from native.view cimport over
from native.vr cimport vr_of


def representation(uint32_t tag):
    """See the stub."""
    cdef uint16_t vr = vr_of(tag)
    return chr(vr & 0xFF) + chr(vr >> 8)


def element(const uint8_t[::1] header, uint32_t tag):
    """See the stub."""
    cdef Found found
    cdef Cursor cursor = over(header)
    return cut_out(&cursor, found.begin, found.end) if find(&cursor, tag, &found) else b""


def group(const uint8_t[::1] header, uint32_t number):
    """See the stub."""
    cdef Found found
    cdef Cursor cursor = over(header)
    cdef size_t first = 0, last = 0
    cdef bint inside = False
    while next_element(&cursor, &found):
        if found.tag >> 16 > number:
            break
        if found.tag >> 16 == number:
            if not inside:
                first, inside = found.begin, True
            last = found.end
    return cut_out(&cursor, first, last)


cdef bint is_equal(const Cursor* left, const Found* a, const Cursor* right, const Found* b) noexcept nogil:
    cdef size_t length = a.end - a.begin
    if length != b.end - b.begin:
        return False
    return memcmp(between(left, a.begin, a.end), between(right, b.begin, b.end), length) == 0


def differing(const uint8_t[::1] header, const uint8_t[::1] other, set into):
    """See the stub."""
    cdef Found a, b
    cdef Cursor left = over(header), right = over(other)
    cdef bint has = next_element(&left, &a), has_other = next_element(&right, &b)
    while has or has_other:
        if has and has_other and a.tag == b.tag:
            if not is_equal(&left, &a, &right, &b):
                into.add(a.tag)
            has, has_other = next_element(&left, &a), next_element(&right, &b)
        elif has and (not has_other or a.tag < b.tag):
            into.add(a.tag)
            has = next_element(&left, &a)
        else:
            into.add(b.tag)
            has_other = next_element(&right, &b)


def cut(const uint8_t[::1] header, tags):
    """See the stub."""
    cdef Found found
    cdef Cursor cursor = over(header)
    cdef size_t run = 0
    cdef bint chosen, before = False
    cdef set singles = {tag for tag in tags if not tag >> 16 & 1}
    cdef set groups = {tag >> 16 for tag in tags if tag >> 16 & 1}
    kept, rest = [], []
    while next_element(&cursor, &found):
        chosen = found.tag >> 16 in groups if found.tag >> 16 & 1 else found.tag in singles
        if chosen != before:
            (kept if before else rest).append(cut_out(&cursor, run, found.begin))
            run, before = found.begin, chosen
    (kept if before else rest).append(cut_out(&cursor, run, cursor.at))
    return b"".join(kept), b"".join(rest)
