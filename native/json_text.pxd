"""Text of data elements as JSON (PS3.18 F.2): strings, names, decimal strings, several values; without the GIL."""

from libc.stdint cimport uint8_t, uint16_t

from native.cursor cimport find_byte, part, unpadded
from native.output cimport Output, write, write_byte, write_literal
from native.vr cimport VR_DS, VR_IS, VR_LT, VR_PN, VR_ST, VR_UR, VR_UT

cdef extern from *:
    """
    static const char fr_hex[] = "0123456789ABCDEF";
    """
    const char* HEX "fr_hex"

cdef enum:
    DIGITS_MAX = 40          # longer decimal strings are no plain numbers

cdef enum Coding:
    LATIN = 0
    UTF8 = 1
    FOREIGN = 2              # through pydicom

cdef struct Text:
    const uint8_t* data
    size_t length
    Coding coding            # LATIN or UTF8


cdef inline void write_run(Output* out, const Text* text, size_t at, size_t count) noexcept nogil:
    write(out, part(text.data, text.length, at, count), count)


cdef inline Text behind(Text text, size_t count) noexcept nogil:
    """Without its first bytes, of which there are ``count`` at least."""
    text.data = part(text.data, text.length, count, 0)
    text.length -= count
    return text


cdef inline void write_replacement(Output* out) noexcept nogil:
    write_literal(out, b"\xef\xbf\xbd")


cdef inline size_t utf8_length(const Text* text, size_t at) noexcept nogil:
    """Bytes of the well-formed sequence at ``at`` (Unicode table 3-7), or 0."""
    cdef uint8_t lead = text.data[at]
    cdef uint8_t low = 0x80, high = 0xBF
    cdef size_t count, i
    if lead < 0xC2 or lead > 0xF4:
        return 0
    count = 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
    if count > text.length - at:
        return 0
    if lead == 0xE0:
        low = 0xA0
    elif lead == 0xED:
        high = 0x9F
    elif lead == 0xF0:
        low = 0x90
    elif lead == 0xF4:
        high = 0x8F
    if not low <= text.data[at + 1] <= high:
        return 0
    for i in range(2, count):
        if text.data[at + i] & 0xC0 != 0x80:
            return 0
    return count


cdef inline size_t plain_run(const Text* text, size_t at) noexcept nogil:
    """How many bytes from ``at`` on stand in JSON as they are."""
    cdef size_t end = at
    cdef uint8_t c
    while end < text.length:
        c = text.data[end]
        if c < 32 or c >= 127 or c == 34 or c == 92:
            break
        end += 1
    return end - at


cdef inline void write_special(Output* out, uint8_t c) noexcept nogil:
    """A quote, a backslash or a control character."""
    cdef uint8_t escape[6]
    escape[0] = 92
    if c == 34 or c == 92:
        escape[1] = c
        write(out, escape, 2)
        return
    escape[1], escape[2], escape[3] = 117, 48, 48
    escape[4], escape[5] = HEX[c >> 4], HEX[c & 15]
    write(out, escape, 6)


cdef inline void write_string(Output* out, Text text) noexcept nogil:
    """A JSON string with its quotes."""
    cdef size_t at = 0, run
    cdef uint8_t c
    cdef uint8_t pair[2]
    write_byte(out, 34)
    while at < text.length:
        run = plain_run(&text, at)
        if run:
            write_run(out, &text, at, run)
            at += run
            continue
        c = text.data[at]
        if c < 128:
            write_special(out, c)
            at += 1
        elif text.coding == LATIN:
            pair[0], pair[1] = 0xC0 | c >> 6, 0x80 | (c & 63)
            write(out, pair, 2)
            at += 1
        else:
            run = utf8_length(&text, at)
            if run:
                write_run(out, &text, at, run)
            else:
                write_replacement(out)
            at += run if run else 1
    write_byte(out, 34)


cdef inline Text trimmed(Text text) noexcept nogil:
    """Without trailing padding (PS3.5 6.2)."""
    text.length = unpadded(text.data, text.length)
    return text


cdef inline Text cut_before(Text* rest, uint8_t separator) noexcept nogil:
    """The part of ``rest`` up to the separator; ``rest`` keeps what follows (data NULL: not even an empty part)."""
    cdef Text first = rest[0]
    first.length = find_byte(rest.data, rest.length, separator)
    if first.length == rest.length:
        rest.data, rest.length = NULL, 0
    else:
        rest[0] = behind(rest[0], first.length + 1)
    return first


cdef inline void write_person(Output* out, Text name) noexcept nogil:
    """Component groups of one person name (PS3.18 F.2.2); empty ones are left out."""
    cdef const char* labels[3]
    cdef int group
    cdef bint first = True
    cdef Text piece
    labels[0], labels[1], labels[2] = b'"Alphabetic":', b'"Ideographic":', b'"Phonetic":'
    write_byte(out, 123)
    for group in range(3):
        if name.data == NULL:
            break
        piece = trimmed(cut_before(&name, 61))
        if piece.length == 0:
            continue
        if not first:
            write_byte(out, 44)
        first = False
        write_literal(out, labels[group])
        write_string(out, piece)
    write_byte(out, 125)


cdef inline size_t digits(const Text* text, size_t at) noexcept nogil:
    """How many decimal digits stand at ``at``."""
    cdef size_t end = at
    while end < text.length and 48 <= text.data[end] <= 57:
        end += 1
    return end - at


cdef inline bint write_decimal(Output* out, Text text) noexcept nogil:
    """A plain decimal number as a JSON number; False (nothing written) when it is none, or larger than a double."""
    cdef size_t at = 0, whole, fraction = 0, exponent = 0, fraction_at, exponent_at
    cdef bint negative
    while text.length and text.data[0] == 32:
        text = behind(text, 1)
    if text.length == 0 or text.length > DIGITS_MAX:
        return False
    negative = text.data[0] == 45
    if negative or text.data[0] == 43:
        at = 1
    while at + 1 < text.length and text.data[at] == 48 and 48 <= text.data[at + 1] <= 57:
        at += 1
    whole = digits(&text, at)
    fraction_at = at + whole
    if fraction_at < text.length and text.data[fraction_at] == 46:
        fraction_at += 1
        fraction = digits(&text, fraction_at)
    exponent_at = fraction_at + fraction
    if whole + fraction == 0:
        return False
    if exponent_at < text.length:
        if text.data[exponent_at] | 32 != 101:
            return False
        exponent = exponent_at + 1
        if exponent < text.length and (text.data[exponent] == 43 or text.data[exponent] == 45):
            exponent += 1
        if not 0 < digits(&text, exponent) <= 2 or exponent + digits(&text, exponent) != text.length:
            return False
    if negative:
        write_byte(out, 45)
    if whole:
        write_run(out, &text, at, whole)
    else:
        write_byte(out, 48)
    if fraction:
        write_byte(out, 46)
        write_run(out, &text, fraction_at, fraction)
    if exponent_at < text.length:
        write_run(out, &text, exponent_at, text.length - exponent_at)
    return True


cdef inline void write_values(Output* out, Text text, uint16_t vr) noexcept nogil:
    """The values of a text element between brackets, split at backslashes where the representation allows several."""
    cdef bint first = True
    cdef Text piece
    if vr == VR_LT or vr == VR_ST or vr == VR_UT or vr == VR_UR:
        write_string(out, trimmed(text))
        return
    while text.data != NULL:
        piece = trimmed(cut_before(&text, 92))
        if not first:
            write_byte(out, 44)
        first = False
        if piece.length == 0:
            write_literal(out, b"null")
        elif vr == VR_PN:
            write_person(out, piece)
        elif not ((vr == VR_DS or vr == VR_IS) and write_decimal(out, piece)):
            write_string(out, piece)
