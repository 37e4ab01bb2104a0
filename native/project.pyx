"""Reading and cutting stored headers: Explicit VR Little Endian, defined lengths, ascending."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t

from native.cursor cimport le16, le32
from native.elements cimport Found, find, next_element, start
from native.header cimport HeaderWriter, header_begin, header_event, header_free
from native.vr cimport is_long, vr_of
from native.walker cimport EXPLICIT_LITTLE, STEP_END, STEP_FAILED, Step, Walker, walk_begin, walk_next

from native.text import decoded


def get(const uint8_t[::1] header, str path):
    """Raw value of one attribute, of the first item of each sequence on its path; None when it is absent."""
    cdef Found found
    cdef const uint8_t* data = start(header)
    cdef size_t begin = 0, end = header.shape[0]
    for name in path.split("."):
        if begin and end - begin >= 8:
            begin, end = begin + 8, begin + 8 + min(<size_t>le32(data + begin + 4), end - begin - 8)
        if not find(data, begin, end, int(name, 16), &found):
            return None
        begin, end = found.value, found.value + found.length
        if found.length == 0 and name != path.rpartition(".")[2]:
            return None
    return (<const char*>data)[begin:end]


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
    cdef uint16_t vr
    if "." not in path and find(start(header), 0, header.shape[0], int(path, 16), &found):
        vr = found.vr
    else:
        vr = vr_of(int(path.rpartition(".")[2], 16))
    return bytes((vr & 0xFF, vr >> 8))


def element(int tag, str vr, bytes value):
    """One Explicit VR Little Endian element, padded to even length. Raises ValueError when the value is too long for its VR."""
    if len(value) & 1:
        value += b"\0" if vr in ("UI", "OB", "UN") else b" "
    head = bytes((tag >> 16 & 0xFF, tag >> 24, tag & 0xFF, tag >> 8 & 0xFF)) + vr.encode("ascii")
    if is_long(le16(<const uint8_t*><const char*>head + 4)):
        return head + b"\0\0" + len(value).to_bytes(4, "little") + value
    if len(value) > 65534:
        raise ValueError("the value is too long for its representation")
    return head + len(value).to_bytes(2, "little") + value


def project(const uint8_t[::1] header, tags, bint implicit=False, const uint8_t[::1] extra=b""):
    """See the stub."""
    cdef Found found, other
    cdef const uint8_t* data = start(header)
    cdef const uint8_t* more = start(extra)
    cdef size_t at = 0, more_at = 0, end = header.shape[0], more_end = extra.shape[0]
    cdef bint has = next_element(data, end, &at, &found)
    cdef bint has_more = next_element(more, more_end, &more_at, &other)
    cdef uint32_t tag
    parts = []
    for wanted in tags:
        tag = wanted
        while has and found.tag < tag:
            has = next_element(data, end, &at, &found)
        while has_more and other.tag < tag:
            has_more = next_element(more, more_end, &more_at, &other)
        if has_more and other.tag == tag:
            parts.append((<const char*>more)[other.at : other.value + other.length])
        elif has and found.tag == tag:
            parts.append((<const char*>data)[found.at : found.value + found.length])
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
    cdef const char* data = whole
    cdef size_t length = len(whole)
    header_begin(&writer, True, False)
    try:
        with nogil:
            walk_begin(&walker, <const uint8_t*>data, length, EXPLICIT_LITTLE)
            while True:
                step = walk_next(&walker)
                if step == STEP_END or step == STEP_FAILED:
                    break
                header_event(&writer, step, &walker)
        if writer.out.failed:
            raise MemoryError
        return (<const char*>writer.out.data)[: writer.out.length] if writer.out.length else b""
    finally:
        header_free(&writer)


def merge(headers):
    """See the stub."""
    cdef Found found
    cdef const uint8_t[::1] view
    cdef size_t at
    parts = {}
    for header in headers:
        view = header
        at = 0
        while next_element(start(view), view.shape[0], &at, &found):
            parts.setdefault(found.tag, (<const char*>start(view))[found.at : found.value + found.length])
    return b"".join(parts[tag] for tag in sorted(parts))
