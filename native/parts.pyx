"""Parts of stored headers: single elements, private groups, and what headers of one series have in common."""

from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcmp

from native.elements cimport Found, find, next_element, start


def element(const uint8_t[::1] header, uint32_t tag):
    """See the stub."""
    cdef Found found
    cdef const uint8_t* data = start(header)
    if find(data, 0, header.shape[0], tag, &found):
        return (<const char*>data)[found.at : found.value + found.length]
    return b""


def group(const uint8_t[::1] header, uint32_t number):
    """See the stub."""
    cdef Found found
    cdef const uint8_t* data = start(header)
    cdef size_t at = 0, first = 0, last = 0, end = header.shape[0]
    cdef bint inside = False
    while next_element(data, end, &at, &found):
        if found.tag >> 16 > number:
            break
        if found.tag >> 16 == number:
            if not inside:
                first, inside = found.at, True
            last = at
    return (<const char*>data)[first:last]


def differing(const uint8_t[::1] header, const uint8_t[::1] other, set into):
    """See the stub."""
    cdef Found a, b
    cdef const uint8_t* left = start(header)
    cdef const uint8_t* right = start(other)
    cdef size_t left_at = 0, right_at = 0, left_end = header.shape[0], right_end = other.shape[0]
    cdef bint has = next_element(left, left_end, &left_at, &a)
    cdef bint has_other = next_element(right, right_end, &right_at, &b)
    while has or has_other:
        if has and has_other and a.tag == b.tag:
            if left_at - a.at != right_at - b.at or memcmp(left + a.at, right + b.at, left_at - a.at):
                into.add(a.tag)
            has = next_element(left, left_end, &left_at, &a)
            has_other = next_element(right, right_end, &right_at, &b)
        elif has and (not has_other or a.tag < b.tag):
            into.add(a.tag)
            has = next_element(left, left_end, &left_at, &a)
        else:
            into.add(b.tag)
            has_other = next_element(right, right_end, &right_at, &b)


def cut(const uint8_t[::1] header, tags):
    """See the stub."""
    cdef Found found
    cdef const uint8_t* data = start(header)
    cdef size_t at = 0, end = header.shape[0], run = 0
    cdef bint chosen, before = False
    cdef set singles = {tag for tag in tags if not tag >> 16 & 1}
    cdef set groups = {tag >> 16 for tag in tags if tag >> 16 & 1}
    kept, rest = [], []
    while next_element(data, end, &at, &found):
        chosen = found.tag >> 16 in groups if found.tag >> 16 & 1 else found.tag in singles
        if chosen != before:
            (kept if before else rest).append((<const char*>data)[run : found.at])
            run, before = found.at, chosen
    (kept if before else rest).append((<const char*>data)[run:at])
    return b"".join(kept), b"".join(rest)
