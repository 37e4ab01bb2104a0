"""See dicomjson.pyi. One loop over the walk's events; the GIL is taken only for values that need a Python codec.

Text is taken as Latin-1 without a Specific Character Set (as pydicom does) and for ISO_IR 6 and 100, as UTF-8 for
ISO_IR 192 (what is no UTF-8 becomes U+FFFD); all other character sets go through pydicom, value by value, and only when
they hold more than plain ASCII. Such values are decoded before they are split: a second byte may look like a backslash
(PS3.5 6.1.2.5).
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memset

from native.cursor cimport le16, le32, le64
from native.json_text cimport HEX, LATIN, UTF8, FOREIGN, Coding, Text, trimmed, write_values
from native.output cimport Output, output_free, write, write_byte
from native.vr cimport (
    VR_AT,
    VR_FD,
    VR_FL,
    VR_LO,
    VR_LT,
    VR_PN,
    VR_SH,
    VR_SL,
    VR_SQ,
    VR_SS,
    VR_ST,
    VR_SV,
    VR_UC,
    VR_UL,
    VR_US,
    VR_UT,
    VR_UV,
    is_text,
)
from native.walker cimport (
    EXPLICIT_LITTLE,
    STACK_MAX,
    STEP_ELEMENT,
    STEP_END,
    STEP_FAILED,
    STEP_FRAGMENTS,
    STEP_FRAGMENTS_END,
    STEP_ITEM,
    STEP_ITEM_END,
    STEP_SEQUENCE,
    STEP_SEQUENCE_END,
    Step,
    Walker,
    walk_begin,
    walk_next,
)

from native.text import decoded

cdef extern from *:
    """
    #include <math.h>
    #include <stdint.h>
    #include <stdio.h>
    #include <string.h>
    static const char fr_base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    static inline int fr_print_float(char *out, uint32_t bits) {
        float v; memcpy(&v, &bits, 4);
        if (!isfinite(v)) return snprintf(out, 40, isnan(v) ? "\\"NaN\\"" : v > 0 ? "\\"inf\\"" : "\\"-inf\\"");
        return snprintf(out, 40, "%.9g", (double)v);
    }
    static inline int fr_print_double(char *out, uint64_t bits) {
        double v; memcpy(&v, &bits, 8);
        if (!isfinite(v)) return snprintf(out, 40, isnan(v) ? "\\"NaN\\"" : v > 0 ? "\\"inf\\"" : "\\"-inf\\"");
        return snprintf(out, 40, "%.17g", v);
    }
    static inline int fr_print_signed(char *out, int64_t v) { return snprintf(out, 40, "%lld", (long long)v); }
    static inline int fr_print_unsigned(char *out, uint64_t v) {
        return snprintf(out, 40, "%llu", (unsigned long long)v);
    }
    """
    const char* BASE64 "fr_base64"
    int print_float "fr_print_float"(char* out, uint32_t bits) noexcept nogil
    int print_double "fr_print_double"(char* out, uint64_t bits) noexcept nogil
    int print_signed "fr_print_signed"(char* out, int64_t value) noexcept nogil
    int print_unsigned "fr_print_unsigned"(char* out, uint64_t value) noexcept nogil

cdef enum:
    CHARACTER_SET = 0x00080005U


cdef struct Charset:
    Coding coding
    const uint8_t* name
    size_t length

cdef struct Json:
    Output out
    Walker walker
    int depth                # open items; the root is 0
    Charset charsets[STACK_MAX]
    bint comma[STACK_MAX]    # the item at this depth has an attribute already
    bint items[STACK_MAX]    # the sequence below the item at this depth has an item already
    const uint32_t* tags     # NULL: all
    size_t tags_count
    int silent


cdef void write_foreign(Output* out, Text text, uint16_t vr, const Charset* charset) noexcept nogil:
    """The same for a value that only a Python codec can read."""
    with gil:
        try:
            name = bytes((<const char*>charset.name)[: charset.length])
            letters = "%c%c" % (vr & 0xFF, vr >> 8)
            unicode = decoded(bytes((<const char*>text.data)[: text.length]), letters, name).encode("utf-8", "replace")
            text.data, text.length = <const uint8_t*><const char*>unicode, len(unicode)
            text.coding = UTF8
            write_values(out, text, vr)
        except Exception:  # a codec gave up: the bytes are shown as Latin-1, never dropped
            write_values(out, text, vr)


cdef inline bint is_plain(Text text) noexcept nogil:
    """Only ASCII without escape sequences."""
    cdef size_t i
    for i in range(text.length):
        if text.data[i] >= 128 or text.data[i] == 27:
            return False
    return True


cdef void write_text(Json* json, uint16_t vr) noexcept nogil:
    cdef const Charset* charset = &json.charsets[json.depth]
    cdef Text text
    text.data, text.length, text.coding = json.walker.value, json.walker.length, LATIN
    text = trimmed(text)
    write(&json.out, <const char*>b',"Value":[', 10)
    if json.walker.tag == CHARACTER_SET:
        write(&json.out, <const char*>b'"ISO_IR 192"', 12)
    elif vr in (VR_LO, VR_LT, VR_PN, VR_SH, VR_ST, VR_UC, VR_UT) and charset.coding != LATIN:
        text.coding = UTF8 if charset.coding == UTF8 else LATIN
        if charset.coding == UTF8 or is_plain(text):
            write_values(&json.out, text, vr)
        else:
            write_foreign(&json.out, text, vr, charset)
    else:
        write_values(&json.out, text, vr)
    write_byte(&json.out, 93)


cdef void write_base64(Output* out, const uint8_t* data, size_t length) noexcept nogil:
    cdef uint8_t quad[4]
    cdef uint32_t bits
    cdef size_t at = 0, rest
    write(out, <const char*>b',"InlineBinary":"', 17)
    while at < length:
        rest = length - at
        bits = <uint32_t>data[at] << 16
        if rest > 1:
            bits |= <uint32_t>data[at + 1] << 8
        if rest > 2:
            bits |= data[at + 2]
        quad[0], quad[1] = BASE64[bits >> 18], BASE64[bits >> 12 & 63]
        quad[2] = BASE64[bits >> 6 & 63] if rest > 1 else 61
        quad[3] = BASE64[bits & 63] if rest > 2 else 61
        write(out, quad, 4)
        at += 3
    write_byte(out, 34)


cdef void write_wide(Output* out, uint64_t value, bint signed) noexcept nogil:
    """A 64-bit integer: a string where JavaScript would round it."""
    cdef char digits_of[40]
    cdef int64_t number = <int64_t>value
    # integers beyond 2^53 are not exact in JavaScript (PS3.18 F.2.3)
    cdef int64_t limit = <int64_t>1 << 53
    cdef bint exact = (-limit <= number and number <= limit) if signed else value <= <uint64_t>limit
    cdef int count = print_signed(digits_of, number) if signed else print_unsigned(digits_of, value)
    if not exact:
        write_byte(out, 34)
    write(out, digits_of, count)
    if not exact:
        write_byte(out, 34)


cdef void write_number(Output* out, const uint8_t* at, uint16_t vr) noexcept nogil:
    cdef char shown[40]
    cdef uint8_t tag[10]
    cdef uint32_t bits
    cdef int i
    if vr == VR_AT:
        bits = <uint32_t>le16(at) << 16 | le16(&at[2])
        tag[0] = tag[9] = 34
        for i in range(8):
            tag[1 + i] = HEX[(bits >> (28 - 4 * i)) & 15]
        write(out, tag, 10)
    elif vr == VR_SV or vr == VR_UV:
        write_wide(out, le64(at), vr == VR_SV)
    elif vr == VR_FL:
        write(out, shown, print_float(shown, le32(at)))
    elif vr == VR_FD:
        write(out, shown, print_double(shown, le64(at)))
    elif vr == VR_US:
        write(out, shown, print_unsigned(shown, le16(at)))
    elif vr == VR_SS:
        write(out, shown, print_signed(shown, <short>le16(at)))
    elif vr == VR_UL:
        write(out, shown, print_unsigned(shown, le32(at)))
    else:
        write(out, shown, print_signed(shown, <int>le32(at)))


cdef inline int number_bytes(uint16_t vr) noexcept nogil:
    """Size of one number of a binary representation that JSON shows as numbers, else 0."""
    if vr == VR_US or vr == VR_SS:
        return 2
    if vr == VR_UL or vr == VR_SL or vr == VR_FL or vr == VR_AT:
        return 4
    return 8 if vr == VR_FD or vr == VR_SV or vr == VR_UV else 0


cdef void write_numbers(Output* out, const uint8_t* value, size_t length, uint16_t vr, int size) noexcept nogil:
    cdef size_t at = 0
    write(out, <const char*>b',"Value":[', 10)
    while at < length:
        if at:
            write_byte(out, 44)
        write_number(out, &value[at], vr)
        at += size
    write_byte(out, 93)


cdef Charset charset_of(const uint8_t* name, size_t length) noexcept nogil:
    cdef Charset charset
    charset.name, charset.length, charset.coding = name, length, FOREIGN
    while length and (name[length - 1] == 32 or name[length - 1] == 0):
        length -= 1
    if length == 0 or (length == 8 and memcmp(name, b"ISO_IR 6", 8) == 0):
        charset.coding = LATIN
    elif length == 10 and memcmp(name, b"ISO_IR 100", 10) == 0:
        charset.coding = LATIN
    elif length == 10 and memcmp(name, b"ISO_IR 192", 10) == 0:
        charset.coding = UTF8
    return charset


cdef void write_key(Json* json, uint32_t tag, uint16_t vr) noexcept nogil:
    """``"GGGGEEEE":{"vr":"XX"``"""
    cdef uint8_t key[21]
    cdef int i
    if json.comma[json.depth]:
        write_byte(&json.out, 44)
    json.comma[json.depth] = True
    key[0] = 34
    for i in range(8):
        key[1 + i] = HEX[(tag >> (28 - 4 * i)) & 15]
    write(&json.out, key, 9)
    write(&json.out, <const char*>b'":{"vr":"', 9)
    key[0], key[1], key[2] = vr & 0xFF, vr >> 8, 34
    write(&json.out, key, 3)


cdef bint is_wanted(const Json* json, uint32_t tag) noexcept nogil:
    cdef size_t i
    if json.tags == NULL or json.depth:
        return True
    for i in range(json.tags_count):
        if json.tags[i] == tag:
            return True
    return False


cdef void on_element(Json* json) noexcept nogil:
    cdef uint16_t vr = json.walker.vr
    cdef size_t length = json.walker.length
    cdef int size
    if json.walker.tag == CHARACTER_SET:
        json.charsets[json.depth] = charset_of(json.walker.value, length)
    if not is_wanted(json, json.walker.tag):
        return
    write_key(json, json.walker.tag, vr)
    if is_text(vr):
        if not is_blank(json.walker.value, length):
            write_text(json, vr)
    else:
        size = number_bytes(vr)
        if size == 0:
            if length:
                write_base64(&json.out, json.walker.value, length)
        elif length >= <size_t>size:
            write_numbers(&json.out, json.walker.value, length - length % size, vr, size)
    write_byte(&json.out, 125)


cdef inline bint is_blank(const uint8_t* value, size_t length) noexcept nogil:
    while length and (value[length - 1] == 32 or value[length - 1] == 0):
        length -= 1
    return length == 0


cdef void on_item(Json* json) noexcept nogil:
    if json.items[json.depth]:
        write_byte(&json.out, 44)
    else:
        write(&json.out, <const char*>b',"Value":[', 10)
    json.items[json.depth] = True
    write_byte(&json.out, 123)
    json.charsets[json.depth + 1] = json.charsets[json.depth]
    json.depth += 1
    json.comma[json.depth] = json.items[json.depth] = False


cdef void on_event(Json* json, Step step) noexcept nogil:
    if json.silent:
        if step == STEP_SEQUENCE or step == STEP_ITEM or step == STEP_FRAGMENTS:
            json.silent += 1
        elif step == STEP_SEQUENCE_END or step == STEP_ITEM_END or step == STEP_FRAGMENTS_END:
            json.silent -= 1
    elif step == STEP_ELEMENT:
        on_element(json)
    elif step == STEP_SEQUENCE and is_wanted(json, json.walker.tag):
        write_key(json, json.walker.tag, VR_SQ)
        json.items[json.depth] = False
    elif step == STEP_SEQUENCE or step == STEP_FRAGMENTS:
        json.silent = 1
    elif step == STEP_ITEM:
        on_item(json)
    elif step == STEP_ITEM_END:
        json.depth -= 1
        write_byte(&json.out, 125)
    elif step == STEP_SEQUENCE_END:
        if json.items[json.depth]:
            write_byte(&json.out, 93)
        write_byte(&json.out, 125)


cdef bint run(Json* json, const uint8_t* header, size_t length) noexcept nogil:
    """Write the whole object; False when the header is unsound."""
    cdef Step step
    memset(&json.out, 0, sizeof(Output))
    json.depth = json.silent = 0
    json.comma[0] = json.items[0] = False
    json.charsets[0] = charset_of(NULL, 0)
    walk_begin(&json.walker, header, length, EXPLICIT_LITTLE)
    write_byte(&json.out, 123)
    while True:
        step = walk_next(&json.walker)
        if step == STEP_FAILED:
            return False
        if step == STEP_END:
            break
        on_event(json, step)
    write_byte(&json.out, 125)
    return True


cdef bytes converted(const uint8_t[::1] header, const uint32_t* tags, size_t tags_count):
    cdef Json* json = <Json*>malloc(sizeof(Json))
    cdef const uint8_t* data = &header[0] if header.shape[0] else NULL
    cdef size_t length = header.shape[0]
    cdef bint sound
    if json == NULL:
        raise MemoryError
    json.tags, json.tags_count = tags, tags_count
    try:
        with nogil:
            sound = run(json, data, length)
        if json.out.failed:
            raise MemoryError
        if not sound:
            raise ValueError("not a sound header")
        return (<const char*>json.out.data)[: json.out.length]
    finally:
        output_free(&json.out)
        free(json)


def header_json(header):
    return converted(memoryview(header).cast("B"), NULL, 0)


def project_json(header, tags):
    cdef size_t count = len(tags), i
    cdef uint32_t* wanted = <uint32_t*>malloc(4 * (count + 1))
    if wanted == NULL:
        raise MemoryError
    try:
        for i in range(count):
            wanted[i] = tags[i]
        return converted(memoryview(header).cast("B"), wanted, count)
    finally:
        free(wanted)
