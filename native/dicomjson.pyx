"""See dicomjson.pyi. One loop over the walk's events; the GIL is taken only for values that need a Python codec.

Text is taken as Latin-1 without a Specific Character Set (as pydicom does) and for ISO_IR 6 and 100, as UTF-8 for
ISO_IR 192 (what is no UTF-8 becomes U+FFFD); all other character sets go through pydicom, value by value, and only when
they hold more than plain ASCII. Such values are decoded before they are split: a second byte may look like a backslash
(PS3.5 6.1.2.5).
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memset

from native.cursor cimport Cursor, bytes_of, data_of, left, peek, unpadded
from native.identity cimport syntax_of
from native.json_binary cimport number_bytes, write_base64, write_numbers, write_tag_text
from native.json_text cimport FOREIGN, LATIN, UTF8, Coding, Text, trimmed, write_values
from native.output cimport Output, output_free, write, write_byte, write_literal, write_value
from native.view cimport over
from native.vr cimport VR_LO, VR_LT, VR_PN, VR_SH, VR_OB, VR_SQ, VR_ST, VR_UC, VR_UT, is_text, settled_vr, word_bytes
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
    Syntax,
    Walker,
    deeper,
    walk_begin,
    walk_next,
)

from native.text import decoded

cdef extern from *:
    """
    #include <stdint.h>
    #include <stdio.h>
    static inline int fr_print_step(char *out, uint32_t tag, uint32_t item) {
        return snprintf(out, 24, "/%08X/%u", tag, item);
    }
    static inline int fr_print_last(char *out, uint32_t tag) { return snprintf(out, 24, "/%08X", tag); }
    """
    int print_step "fr_print_step"(char* out, uint32_t tag, uint32_t item) noexcept nogil
    int print_tag "fr_print_last"(char* out, uint32_t tag) noexcept nogil

cdef enum:
    CHARACTER_SET = 0x00080005U
    PIXEL_REPRESENTATION = 0x00280103U
    INLINE_BYTES_MAX_C = 8192        # a palette of 256 colours and a profile of a few kB stay where they are
    NUMBERS_BYTES_MAX_C = 65536
    TEXT_BYTES_MAX_C = 1048576

INLINE_BYTES_MAX = INLINE_BYTES_MAX_C


cdef struct Charset:
    Coding coding
    const uint8_t* name
    size_t length

cdef struct Snippet:
    uint32_t tag
    const uint8_t* text      # ``"GGGGEEEE":{...}``
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
    # of metadata
    const Snippet* snippets  # attributes put among those of the root, or in their place
    size_t snippets_count
    size_t snippets_at       # the first that is not written yet
    Text bulk_url            # no data: no value becomes a link
    Output turned            # a value in our byte order
    bint signed_pixels
    uint32_t path[STACK_MAX]     # of each depth: the sequence that is open there
    uint32_t numbers[STACK_MAX]  # and which of its items


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


cdef void write_comma(Json* json) noexcept nogil:
    if json.comma[json.depth]:
        write_byte(&json.out, 44)
    json.comma[json.depth] = True


cdef void write_key(Json* json, uint32_t tag, uint16_t vr) noexcept nogil:
    """``"GGGGEEEE":{"vr":"XX"``"""
    cdef uint8_t letters[3]
    write_comma(json)
    write_tag_text(&json.out, tag)
    write_literal(&json.out, b':{"vr":"')
    letters[0], letters[1], letters[2] = vr & 0xFF, vr >> 8, 34
    write(&json.out, letters, 3)


cdef bint next_snippet(Json* json, uint32_t last) noexcept nogil:
    """Write the next snippet, if it belongs at or before this tag."""
    cdef const Snippet* snippet
    if json.snippets_at >= json.snippets_count or json.snippets[json.snippets_at].tag > last:
        return False
    snippet = &json.snippets[json.snippets_at]
    write_comma(json)
    write(&json.out, snippet.text, snippet.length)
    json.snippets_at += 1
    return True


cdef void write_link(Json* json, uint32_t tag, uint16_t vr) noexcept nogil:
    """Where the value is: below the bulk URL, sequences and items on the way to it before the tag."""
    cdef int level
    cdef char shown[24]
    write_key(json, tag, vr)
    write_literal(&json.out, b',"BulkDataURI":"')
    write(&json.out, json.bulk_url.data, json.bulk_url.length)
    for level in range(json.depth):
        write(&json.out, shown, print_step(shown, json.path[level], json.numbers[level]))
    write(&json.out, shown, print_tag(shown, tag))
    write_literal(&json.out, b'"}')


cdef bint is_wanted(Json* json, uint32_t tag) noexcept nogil:
    """Not what is no attribute (group lengths, padding), nor what a snippet stands for."""
    cdef size_t i
    cdef bint replaced = False
    if tag & 0xFFFF == 0 or tag == 0xFFFCFFFCU:
        return False
    if json.depth == 0 and json.snippets_at < json.snippets_count:
        while next_snippet(json, tag):
            replaced = json.snippets[json.snippets_at - 1].tag == tag
        if replaced:
            return False
    if json.tags == NULL or json.depth:
        return True
    for i in range(json.tags_count):
        if json.tags[i] == tag:
            return True
    return False


cdef bint is_bulk(const Json* json, uint32_t tag, uint16_t vr, size_t length) noexcept nogil:
    if json.bulk_url.data == NULL:
        return False
    if tag >> 16 == 0x7FE0 and json.depth == 0:
        return True
    if is_text(vr):
        return length > TEXT_BYTES_MAX_C
    return length > (NUMBERS_BYTES_MAX_C if number_bytes(vr) else INLINE_BYTES_MAX_C)


cdef void on_element(Json* json) noexcept nogil:
    cdef Walker* walker = &json.walker
    cdef uint16_t vr = settled_vr(walker.vr, walker.tag, walker.length, json.signed_pixels)
    if walker.tag == CHARACTER_SET:
        json.charsets[json.depth] = charset_of(walker.value, walker.length)
    elif walker.tag == PIXEL_REPRESENTATION and walker.length == 2:
        json.signed_pixels = (walker.value[0] | walker.value[1]) & 1
    if not is_wanted(json, walker.tag):
        return
    if is_bulk(json, walker.tag, vr, walker.length):
        write_link(json, walker.tag, vr)
        return
    if walker.big and word_bytes(vr) > 1:
        json.turned.length = 0
        write_value(&json.turned, walker.value, walker.length, word_bytes(vr))
        if json.turned.failed:
            json.out.failed = True
            return
        walker.value = json.turned.data
    write_key(json, walker.tag, vr)
    write_values_of(json, vr)
    write_byte(&json.out, 125)


cdef void write_values_of(Json* json, uint16_t vr) noexcept nogil:
    cdef size_t length = json.walker.length
    cdef int size
    if is_text(vr):
        if unpadded(json.walker.value, length):
            write_text(json, vr)
        return
    size = number_bytes(vr)
    if size == 0:
        if length:
            write_base64(&json.out, json.walker.value, length)
    elif length >= <size_t>size:
        write_numbers(&json.out, json.walker.value, length, vr, size)


cdef void on_item(Json* json) noexcept nogil:
    if json.items[json.depth]:
        write_byte(&json.out, 44)
    else:
        write_literal(&json.out, b',"Value":[')
    json.items[json.depth] = True
    json.numbers[json.depth] += 1
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
        json.path[json.depth], json.numbers[json.depth] = json.walker.tag, 0
    elif step == STEP_SEQUENCE or step == STEP_FRAGMENTS:
        json.silent = 1
        if step == STEP_FRAGMENTS and json.bulk_url.data != NULL and is_wanted(json, json.walker.tag):
            write_link(json, json.walker.tag, VR_OB)
    elif step == STEP_ITEM:
        on_item(json)
    elif step == STEP_ITEM_END:
        json.depth -= 1
        write_byte(&json.out, 125)
    elif step == STEP_SEQUENCE_END:
        if json.items[json.depth]:
            write_byte(&json.out, 93)
        write_byte(&json.out, 125)


cdef bint run(Json* json, const uint8_t* data, size_t length, Syntax syntax) noexcept nogil:
    """Write the whole object; False when the data set is unsound."""
    cdef Step step
    json.comma[0] = json.items[0] = False
    walk_begin(&json.walker, data, length, syntax)
    write_byte(&json.out, 123)
    while True:
        step = walk_next(&json.walker)
        if step == STEP_FAILED:
            return False
        if step == STEP_END:
            break
        on_event(json, step)
    while next_snippet(json, 0xFFFFFFFFU):
        pass
    write_byte(&json.out, 125)
    return True


cdef Json* made() except NULL:
    """All that the walk does not write before it reads it."""
    cdef Json* json = <Json*>malloc(sizeof(Json))
    if json == NULL:
        raise MemoryError
    memset(&json.out, 0, sizeof(Output))
    memset(&json.turned, 0, sizeof(Output))
    json.depth = json.silent = 0
    json.charsets[0] = charset_of(NULL, 0)
    json.tags, json.tags_count = NULL, 0
    json.snippets, json.snippets_count, json.snippets_at = NULL, 0, 0
    json.bulk_url.data, json.bulk_url.length = NULL, 0
    json.signed_pixels = False
    return json


cdef bytes converted(Json* json, const uint8_t[::1] dataset, Syntax syntax):
    cdef Cursor cursor = over(dataset)
    cdef bint sound
    with nogil:
        sound = run(json, peek(&cursor, left(&cursor)), left(&cursor), syntax)
    if json.out.failed:
        raise MemoryError
    if not sound:
        raise ValueError("not a sound data set")
    return bytes_of(json.out.data, json.out.length)


cdef void unmade(Json* json) noexcept:
    output_free(&json.out)
    output_free(&json.turned)
    free(json)


def header_json(header):
    cdef Json* json = made()
    try:
        return converted(json, memoryview(header).cast("B"), EXPLICIT_LITTLE)
    finally:
        unmade(json)


def project_json(header, tags):
    cdef size_t count = len(tags), i
    cdef Json* json = made()
    cdef uint32_t* wanted = <uint32_t*>malloc(4 * (count + 1))
    try:
        if wanted == NULL:
            raise MemoryError
        for i in range(count):
            wanted[i] = tags[i]
        json.tags, json.tags_count = wanted, count
        return converted(json, memoryview(header).cast("B"), EXPLICIT_LITTLE)
    finally:
        free(wanted)
        unmade(json)


def metadata_json(dataset, str transfer_syntax_uid, snippets, bytes bulk_url=b"", bytes character_set=b""):
    cdef size_t count = len(snippets), i
    cdef bytes text, uid = transfer_syntax_uid.encode("ascii")
    cdef Json* json = made()
    cdef Snippet* held = <Snippet*>malloc(sizeof(Snippet) * (count + 1))
    try:
        if held == NULL:
            raise MemoryError
        for i in range(count):
            text = snippets[i][1]
            held[i].tag, held[i].text, held[i].length = snippets[i][0], data_of(text), len(text)
        json.snippets, json.snippets_count = held, count
        json.charsets[0] = charset_of(data_of(character_set), len(character_set))
        if bulk_url:
            json.bulk_url.data, json.bulk_url.length = data_of(bulk_url), len(bulk_url)
        return converted(json, memoryview(dataset).cast("B"), syntax_of(uid, len(uid)))
    finally:
        free(held)
        unmade(json)
