"""The framing of an HTTP/1.1 body (RFC 9112 6.3, 7.1): a length that was said, or chunks; whatever the cuts.

Lines end with CR LF and nothing else. Extensions of chunks and trailers count for nothing; they are bounded, and must
look like such.
"""

from libc.stdint cimport uint8_t, uint64_t

from native.cursor cimport Cursor, byte_at, left, skip

cdef enum Frame:
    FRAME_NEED = 0       # more bytes
    FRAME_DATA = 1       # ``left`` bytes of the body come next: take some, and say so by ``framing_took``
    FRAME_END = 2        # the body is whole; what is left of the bytes belongs to the next request
    FRAME_MALFORMED = 3

cdef enum:
    CHUNK_DIGITS_MAX = 15            # of a size: 2^60
    EXTENSION_BYTES_MAX = 1 << 10    # of one chunk's line
    TRAILER_BYTES_MAX = 16 << 10     # all lines behind the last chunk

cdef enum FramingState:
    SAID = 0             # so many bytes
    SIZE = 1             # digits of a chunk's size
    EXTENSION = 2
    SIZE_FEED = 3        # the line feed behind it
    CHUNK = 4
    CHUNK_RETURN = 5
    CHUNK_FEED = 6
    TRAILER_BEGIN = 7    # of a line
    TRAILER = 8
    TRAILER_FEED = 9
    LAST_FEED = 10
    WHOLE = 11
    BROKEN = 12
    SPACE = 13           # behind the digits: an extension may come yet
    TRAILER_NAME = 14

cdef struct Framing:
    FramingState state
    uint64_t left        # of the body, until the next framing
    uint64_t size
    size_t digits_count
    size_t line_bytes    # of extensions, of trailers


cdef inline void framing_begin(Framing* framing, bint is_chunked, uint64_t length) noexcept nogil:
    framing.state = SIZE if is_chunked else SAID if length else WHOLE
    framing.left = 0 if is_chunked else length
    framing.size = framing.digits_count = framing.line_bytes = 0


cdef inline void framing_took(Framing* framing, uint64_t count) noexcept nogil:
    """So many of the ``left`` bytes were taken."""
    framing.left -= count
    if framing.left == 0:
        framing.state = CHUNK_RETURN if framing.state == CHUNK else WHOLE


cdef inline Frame framing_next(Framing* framing, Cursor* coming) noexcept nogil:
    """Takes framing, and no byte of the body, off the front of ``coming``."""
    while True:
        if framing.state == WHOLE:
            return FRAME_END
        if framing.state == SAID or framing.state == CHUNK:
            return FRAME_DATA
        if framing.state == BROKEN:
            return FRAME_MALFORMED
        if left(coming) == 0:
            return FRAME_NEED
        framing.state = framing_step(framing, byte_at(coming, 0))
        skip(coming, 1)


cdef inline FramingState framing_step(Framing* framing, uint8_t byte) noexcept nogil:
    """What comes behind this byte of the framing."""
    cdef FramingState state = framing.state
    if state == SIZE:
        return size_step(framing, byte)
    if state == EXTENSION or state == SPACE:
        return extension_step(framing, byte)
    if state == CHUNK_RETURN:
        return CHUNK_FEED if byte == c"\r" else BROKEN
    if state == TRAILER_BEGIN or state == TRAILER_NAME or state == TRAILER:
        return trailer_step(framing, byte)
    if byte != c"\n":
        return BROKEN
    return line_ended(framing)


cdef inline FramingState size_step(Framing* framing, uint8_t byte) noexcept nogil:
    cdef int digit = -1
    if c"0" <= byte <= c"9":
        digit = byte - c"0"
    elif c"a" <= byte | 0x20 <= c"f":
        digit = (byte | 0x20) - c"a" + 10
    if digit >= 0:
        framing.size = framing.size << 4 | <uint64_t>digit
        framing.digits_count += 1
        return SIZE if framing.digits_count <= CHUNK_DIGITS_MAX else BROKEN
    if framing.digits_count == 0:
        return BROKEN
    if byte == c"\r":
        return SIZE_FEED
    return EXTENSION if byte == c";" else SPACE if is_blank(byte) else BROKEN


cdef inline bint is_blank(uint8_t byte) noexcept nogil:
    return byte == c" " or byte == c"\t"


cdef inline bint is_text(uint8_t byte) noexcept nogil:
    return byte >= 0x20 and byte != 0x7F or byte == c"\t"


cdef inline FramingState extension_step(Framing* framing, uint8_t byte) noexcept nogil:
    framing.line_bytes += 1
    if byte == c"\r":
        return SIZE_FEED
    if framing.line_bytes > EXTENSION_BYTES_MAX or not is_text(byte):
        return BROKEN
    if framing.state == SPACE and byte != c";":
        return SPACE if is_blank(byte) else BROKEN
    return EXTENSION


cdef inline FramingState trailer_step(Framing* framing, uint8_t byte) noexcept nogil:
    """Each line is a header, or what a proxy takes for the next request may be a trailer here."""
    framing.line_bytes += 1
    if framing.line_bytes > TRAILER_BYTES_MAX:
        return BROKEN
    if byte == c"\r" and framing.state != TRAILER_NAME:
        return LAST_FEED if framing.state == TRAILER_BEGIN else TRAILER_FEED
    if framing.state == TRAILER:
        return TRAILER if is_text(byte) else BROKEN
    if byte == c":":
        return TRAILER if framing.state == TRAILER_NAME else BROKEN
    return TRAILER_NAME if 0x21 <= byte < 0x7F else BROKEN


cdef inline FramingState line_ended(Framing* framing) noexcept nogil:
    """A line feed came where one was due."""
    cdef uint64_t size = framing.size
    if framing.state == LAST_FEED:
        return WHOLE
    if framing.state == TRAILER_FEED:
        return TRAILER_BEGIN
    if framing.state == SIZE_FEED:
        framing.left, framing.line_bytes = size, 0
        framing.size = framing.digits_count = 0
        return CHUNK if size else TRAILER_BEGIN
    return SIZE    # CHUNK_FEED
