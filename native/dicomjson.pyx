"""See dicomjson.pyi. One loop over the walk's events; the GIL is taken only for values that need a Python codec.

Text is taken as Latin-1 without a Specific Character Set (as pydicom does) and for ISO_IR 6 and 100, as UTF-8 for
ISO_IR 192 (what is no UTF-8 becomes U+FFFD); all other character sets go through pydicom, value by value, and only when
they hold more than plain ASCII. Such values are decoded before they are split: a second byte may look like a backslash
(PS3.5 6.1.2.5).
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memset

from native.cursor cimport bytes_of, data_of, unpadded
from native.json_binary cimport number_bytes, write_base64, write_numbers, write_tag_text
from native.json_text cimport FOREIGN, LATIN, UTF8, Coding, Text, trimmed, write_values
from native.output cimport Output, output_free, write, write_byte, write_literal
from native.vr cimport VR_LO, VR_LT, VR_PN, VR_SH, VR_SQ, VR_ST, VR_UC, VR_UT, is_text
from native.walker cimport (
    EXPLICIT_LITTLE,
    STACK_MAX,
    STEP_ELEMENT,
    STEP_END,
    STEP_FAILED,
    STEP_FRAGMENTS,
    STEP_ITEM,
    STEP_ITEM_END,
    STEP_SEQUENCE,
    STEP_SEQUENCE_END,
    Step,
    Walker,
    deeper,
    walk_begin,
    walk_next,
)

from native.text import decoded

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
            name = bytes_of(charset.name, charset.length)
            letters = "%c%c" % (vr & 0xFF, vr >> 8)
            unicode = decoded(bytes_of(text.data, text.length), letters, name).encode("utf-8", "replace")
            text.data, text.length = data_of(unicode), len(unicode)
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
    write_literal(&json.out, b',"Value":[')
    if json.walker.tag == CHARACTER_SET:
        write_literal(&json.out, b'"ISO_IR 192"')
    elif vr in (VR_LO, VR_LT, VR_PN, VR_SH, VR_ST, VR_UC, VR_UT) and charset.coding != LATIN:
        text.coding = UTF8 if charset.coding == UTF8 else LATIN
        if charset.coding == UTF8 or is_plain(text):
            write_values(&json.out, text, vr)
        else:
            write_foreign(&json.out, text, vr, charset)
    else:
        write_values(&json.out, text, vr)
    write_byte(&json.out, 93)


cdef Charset charset_of(const uint8_t* name, size_t length) noexcept nogil:
    cdef Charset charset
    charset.name, charset.length, charset.coding = name, length, FOREIGN
    length = unpadded(name, length)
    if length == 0 or (length == 8 and memcmp(name, b"ISO_IR 6", 8) == 0):
        charset.coding = LATIN
    elif length == 10 and memcmp(name, b"ISO_IR 100", 10) == 0:
        charset.coding = LATIN
    elif length == 10 and memcmp(name, b"ISO_IR 192", 10) == 0:
        charset.coding = UTF8
    return charset


cdef void write_key(Json* json, uint32_t tag, uint16_t vr) noexcept nogil:
    """``"GGGGEEEE":{"vr":"XX"``"""
    cdef uint8_t letters[3]
    if json.comma[json.depth]:
        write_byte(&json.out, 44)
    json.comma[json.depth] = True
    write_tag_text(&json.out, tag)
    write_literal(&json.out, b':{"vr":"')
    letters[0], letters[1], letters[2] = vr & 0xFF, vr >> 8, 34
    write(&json.out, letters, 3)


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
        if unpadded(json.walker.value, length):
            write_text(json, vr)
    else:
        size = number_bytes(vr)
        if size == 0:
            if length:
                write_base64(&json.out, json.walker.value, length)
        elif length >= <size_t>size:
            write_numbers(&json.out, json.walker.value, length, vr, size)
    write_byte(&json.out, 125)


cdef void on_item(Json* json) noexcept nogil:
    if json.items[json.depth]:
        write_byte(&json.out, 44)
    else:
        write_literal(&json.out, b',"Value":[')
    json.items[json.depth] = True
    write_byte(&json.out, 123)
    json.charsets[json.depth + 1] = json.charsets[json.depth]
    json.depth += 1
    json.comma[json.depth] = json.items[json.depth] = False


cdef void on_event(Json* json, Step step) noexcept nogil:
    if json.silent:
        json.silent += deeper(step)
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
        return bytes_of(json.out.data, json.out.length)
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
