"""Reading and cutting stored headers: Explicit VR Little Endian, defined lengths, ascending."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t

from native.cursor cimport Cursor, bytes_of, data_of, le32_at, skip
from native.elements cimport Found, cut_out, find, next_element
from native.header cimport HeaderWriter, header_begin, header_event, header_free
from native.view cimport over
from native.vr cimport is_long, vr_of
from native.walker cimport EXPLICIT_LITTLE, STEP_END, STEP_FAILED, Step, Walker, walk_begin, walk_next

from native.text import decoded

cdef bint enter_first_item(Cursor* cursor) noexcept nogil:
    """From a sequence's value into its first item; False when it has none."""
    cdef size_t length = le32_at(cursor, 4)
    if not skip(cursor, 8):
        return False
    cursor.end = min(cursor.end, cursor.at + length)
    return True


def get(const uint8_t[::1] header, str path):
    """Raw value of one attribute, of the first item of each sequence on its path; None when it is absent."""
    cdef Found found
    cdef Cursor cursor = over(header)
    cdef bint is_nested = False
    for name in path.split("."):
        if is_nested and not enter_first_item(&cursor):
            return None
        if not find(&cursor, int(name, 16), &found):
            return None
        cursor.at, cursor.end, is_nested = found.value_begin, found.end, True
    return cut_out(&cursor, cursor.at, cursor.end)


def values(const uint8_t[::1] header, paths):
    """See the stub."""
    charset = get(header, "00080005") or b""
    answers = []
    for path in paths:
        raw = get(header, path)
        if raw is None:
            answers.append(None)
            continue
        vr = "".join(chr(c) for c in _vr_bytes(header, path))
        answers.append(decoded(raw, vr, charset))
    return answers


def _vr_bytes(const uint8_t[::1] header, str path):
    """The representation written in the header for a top-level attribute, the dictionary's for a nested one."""
    cdef Found found
    cdef Cursor cursor = over(header)
    cdef uint16_t vr
    if "." not in path and find(&cursor, int(path, 16), &found):
        vr = found.vr
    else:
        vr = vr_of(int(path.rpartition(".")[2], 16))
    return bytes((vr & 0xFF, vr >> 8))


def element(uint32_t tag, str vr, bytes value):
    """One Explicit VR Little Endian element, padded to even length.

    Raises ValueError when the value is too long for its VR.
    """
    if len(value) & 1:
        value += b"\0" if vr in ("UI", "OB", "UN") else b" "
    head = bytes((tag >> 16 & 0xFF, tag >> 24, tag & 0xFF, tag >> 8 & 0xFF)) + vr.encode("ascii")
    if is_long(head[4] | head[5] << 8):
        return head + b"\0\0" + len(value).to_bytes(4, "little") + value
    if len(value) > 65534:
        raise ValueError("the value is too long for its representation")
    return head + len(value).to_bytes(2, "little") + value


def project(const uint8_t[::1] header, tags, bint implicit=False, const uint8_t[::1] extra=b""):
    """See the stub."""
    cdef Found found, other
    cdef Cursor cursor = over(header), more = over(extra)
    cdef bint has = next_element(&cursor, &found), has_more = next_element(&more, &other)
    cdef uint32_t tag
    parts = []
    for wanted in tags:
        tag = wanted
        while has and found.tag < tag:
            has = next_element(&cursor, &found)
        while has_more and other.tag < tag:
            has_more = next_element(&more, &other)
        if has_more and other.tag == tag:
            parts.append(cut_out(&more, other.begin, other.end))
        elif has and found.tag == tag:
            parts.append(cut_out(&cursor, found.begin, found.end))
        else:
            parts.append(absent(tag))
    whole = b"".join(parts)
    return rewritten(whole) if implicit else whole


cdef bytes absent(uint32_t tag):
    cdef uint16_t vr = vr_of(tag)
    name = "US" if vr == 0x5358 else chr(vr & 0xFF) + chr(vr >> 8)
    return element(tag, name, b"")


cdef bytes rewritten(bytes whole):
    """The same elements in Implicit VR Little Endian."""
    cdef HeaderWriter writer
    cdef Walker walker
    cdef Step step
    cdef const uint8_t* data = data_of(whole)
    cdef size_t length = len(whole)
    header_begin(&writer, True, False)
    try:
        with nogil:
            walk_begin(&walker, data, length, EXPLICIT_LITTLE)
            while True:
                step = walk_next(&walker)
                if step == STEP_END or step == STEP_FAILED:
                    break
                header_event(&writer, step, &walker)
        if writer.out.failed:
            raise MemoryError
        return bytes_of(writer.out.data, writer.out.length)
    finally:
        header_free(&writer)


def merge(headers):
    """See the stub."""
    cdef Found found
    cdef Cursor cursor
    parts = {}
    for header in headers:
        cursor = over(header)
        while next_element(&cursor, &found):
            parts.setdefault(found.tag, cut_out(&cursor, found.begin, found.end))
    return b"".join(parts[tag] for tag in sorted(parts))
