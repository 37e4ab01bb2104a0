"""See dataset.pyi. One walk tells all: whether the bytes are sound, what they say, and what they are worth as content."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcmp, memcpy, memset, strlen

from native.digest cimport Digest, digest_begin, digest_end, digest_event
from native.header cimport (
    HeaderWriter,
    header_begin,
    header_bytes,
    header_event,
    header_free,
    header_left_out,
)
from native.inflate cimport FR_INFLATED_MAX, FR_INFLATED_RATIO, inflate_raw
from native.walker cimport (
    BAD_UID,
    DEFLATED_LITTLE,
    DEPTH_MAX_C,
    ELEMENTS_MAX_C,
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    INFLATE_CEILING,
    INFLATE_FAILED,
    NO_MEMORY,
    NO_UID,
    SOUND,
    STEP_ELEMENT,
    STEP_END,
    STEP_FAILED,
    STEP_FRAGMENT,
    STEP_FRAGMENTS,
    STEP_FRAGMENTS_END,
    STEP_SEQUENCE,
    STEP_SEQUENCE_END,
    Step,
    Syntax,
    Walker,
    walk_begin,
    walk_next,
)

from native.canonical import canonical, canonical_head, read_meta  # no-cython-lint
from native.faults import REASONS, Malformed  # no-cython-lint
from native.frames import frame_table, pack_frames  # no-cython-lint
from native.header import HEADER_BYTES_MAX, HEADER_VALUE_BYTES_MAX  # no-cython-lint
from native.project import element, get, merge, project, values  # no-cython-lint

DEPTH_MAX = DEPTH_MAX_C
ELEMENTS_MAX = ELEMENTS_MAX_C
INFLATED_BYTES_MAX = FR_INFLATED_MAX
INFLATED_RATIO_MAX = FR_INFLATED_RATIO


class Description:
    """What the archive needs to know of one Part-10 file."""

    __slots__ = (
        "content_digest", "dataset_offset", "frames", "header", "not_indexed", "series_uid", "sop_class_uid",
        "sop_instance_uid", "study_uid", "transfer_syntax_uid",
    )


cdef Syntax syntax_of(const char* uid, size_t length) noexcept nogil:
    if length == 17 and memcmp(uid, b"1.2.840.10008.1.2", 17) == 0:
        return IMPLICIT_LITTLE
    if length == 19 and memcmp(uid, b"1.2.840.10008.1.2.2", 19) == 0:
        return EXPLICIT_BIG
    if length == 22 and memcmp(uid, b"1.2.840.10008.1.2.1.99", 22) == 0:
        return DEFLATED_LITTLE
    return EXPLICIT_LITTLE


cdef bint is_uid(const uint8_t* value, size_t length) noexcept nogil:
    """PS3.5 9.1, but leading zeros pass: too many devices write them."""
    cdef size_t i
    cdef bint digit_before = False
    for i in range(length):
        if 48 <= value[i] <= 57:
            digit_before = True
        elif value[i] == 46 and digit_before:
            digit_before = False
        else:
            return False
    return digit_before


cdef int take_uid(const Walker* walker, char* out) noexcept nogil:
    """Copy a UID value without its padding; a reason code, or 0."""
    cdef size_t length = walker.length
    while length and (walker.value[length - 1] == 0 or walker.value[length - 1] == 32):
        length -= 1
    if out[0]:
        return 0
    if length == 0:
        return NO_UID
    if length > 64 or not is_uid(walker.value, length):
        return BAD_UID
    memcpy(out, walker.value, length)
    out[length] = 0
    return 0


cdef inline int note_uid(const Walker* walker, Checked* found) noexcept nogil:
    if walker.tag == 0x00080016U:
        return take_uid(walker, found.sop_class_uid)
    if walker.tag == 0x00080018U:
        return take_uid(walker, found.sop_instance_uid)
    if walker.tag == 0x0020000DU:
        return take_uid(walker, found.study_uid)
    if walker.tag == 0x0020000EU:
        return take_uid(walker, found.series_uid)
    return 0


cdef inline int complete(const Checked* found) noexcept nogil:
    if found.sop_class_uid[0] and found.sop_instance_uid[0] and found.study_uid[0] and found.series_uid[0]:
        return 0
    return NO_UID


cdef int check_plain(const uint8_t* data, size_t length, Syntax syntax, Checked* found) noexcept nogil:
    cdef Walker walker
    cdef Step step
    cdef int reason
    walk_begin(&walker, data, length, syntax)
    while True:
        step = walk_next(&walker)
        if step == STEP_ELEMENT and walker.depth == 0:
            reason = note_uid(&walker, found)
            if reason:
                return reason
        elif step == STEP_END:
            return complete(found)
        elif step == STEP_FAILED:
            return walker.fault


cdef int check_dataset(const uint8_t* data, size_t length, Syntax syntax, Checked* found) noexcept nogil:
    cdef uint8_t* plain = NULL
    cdef size_t plain_length = 0
    cdef int reason
    memset(found, 0, sizeof(Checked))
    if syntax != DEFLATED_LITTLE:
        return check_plain(data, length, syntax, found)
    reason = inflated(data, length, &plain, &plain_length)
    if reason == 0:
        reason = check_plain(plain, plain_length, EXPLICIT_LITTLE, found)
    free(plain)
    return reason


cdef int inflated(const uint8_t* data, size_t length, uint8_t** plain, size_t* plain_length) noexcept nogil:
    cdef int result = inflate_raw(data, length, plain, plain_length)
    if result == 0:
        return SOUND
    plain[0] = NULL
    return INFLATE_FAILED if result == 1 else (INFLATE_CEILING if result == 2 else NO_MEMORY)


cdef const uint8_t* start(const uint8_t[::1] data) noexcept nogil:
    return &data[0] if data.shape[0] else <const uint8_t*>b""


def check(const uint8_t[::1] dataset, str transfer_syntax_uid):
    cdef Checked found
    cdef bytes uid = transfer_syntax_uid.encode("ascii", "replace")
    cdef Syntax syntax = syntax_of(uid, len(uid))
    cdef const uint8_t* data = start(dataset)
    cdef size_t length = dataset.shape[0]
    cdef int reason
    with nogil:
        reason = check_dataset(data, length, syntax, &found)
    if reason:
        raise Malformed(reason)
    return (
        found.sop_class_uid.decode(), found.sop_instance_uid.decode(), found.study_uid.decode(), found.series_uid.decode()
    )


def walk(const uint8_t[::1] dataset, str transfer_syntax_uid):
    cdef Walker walker
    cdef Step step
    cdef bytes uid = transfer_syntax_uid.encode("ascii", "replace")
    walk_begin(&walker, start(dataset), dataset.shape[0], syntax_of(uid, len(uid)))
    found = []
    path = []
    while True:
        step = walk_next(&walker)
        if step == STEP_END:
            return found
        if step == STEP_FAILED:
            raise Malformed(walker.fault, walker.cursor.at)
        if step in (STEP_ELEMENT, STEP_SEQUENCE, STEP_FRAGMENTS):
            name = ".".join([*path, "%08X" % walker.tag])
            vr = chr(walker.vr & 0xFF) + chr(walker.vr >> 8)
            at = walker.value - walker.cursor.data if step == STEP_ELEMENT else walker.cursor.at
            found.append((name, vr, at, walker.length if step == STEP_ELEMENT else -1))
        if step in (STEP_SEQUENCE, STEP_FRAGMENTS):
            path.append("%08X" % walker.tag)
        elif step in (STEP_SEQUENCE_END, STEP_FRAGMENTS_END):
            path.pop()


cdef struct Picture:
    # what the frame table is made of
    bint native
    size_t value_at
    size_t value_length
    bint fragments
    uint64_t rows, columns, samples, bits
    char frames[16]


cdef void note_picture(const Walker* walker, Picture* picture) noexcept nogil:
    cdef uint64_t number = 0
    if walker.length == 2:
        number = (walker.value[0] << 8 | walker.value[1]) if walker.big else (walker.value[1] << 8 | walker.value[0])
    if walker.tag == 0x00280002U:
        picture.samples = number
    elif walker.tag == 0x00280010U:
        picture.rows = number
    elif walker.tag == 0x00280011U:
        picture.columns = number
    elif walker.tag == 0x00280100U:
        picture.bits = number
    elif walker.tag == 0x00280008U and walker.length < sizeof(picture.frames):
        memcpy(picture.frames, walker.value, walker.length)
    elif walker.tag == 0x7FE00010U:
        picture.native = True
        picture.value_at = walker.value - walker.cursor.data
        picture.value_length = walker.length


cdef int describe_plain(
    const uint8_t* data, size_t length, Syntax syntax, Checked* found, HeaderWriter* header, Digest* digest, Picture* picture
) noexcept nogil:
    cdef Walker walker
    cdef Step step
    cdef int reason
    walk_begin(&walker, data, length, syntax)
    while True:
        step = walk_next(&walker)
        if step == STEP_END:
            return complete(found)
        if step == STEP_FAILED:
            return walker.fault
        if step == STEP_ELEMENT and walker.depth == 0:
            reason = note_uid(&walker, found)
            if reason:
                return reason
            if walker.tag >> 16 == 0x0028 or walker.tag == 0x7FE00010U:
                note_picture(&walker, picture)
        elif step == STEP_FRAGMENTS and walker.depth == 1 and walker.tag == 0x7FE00010U:
            picture.fragments = True
        header_event(header, step, &walker)
        digest_event(digest, step, &walker)


cdef list fragments_of(const uint8_t* data, size_t length, Syntax syntax):
    """Every fragment of encapsulated Pixel Data as (offset of its item tag, length of its value), the offset table first."""
    cdef Walker walker
    cdef Step step
    found = []
    inside = False
    walk_begin(&walker, data, length, syntax)
    while True:
        step = walk_next(&walker)
        if step == STEP_END or step == STEP_FAILED:
            return found
        if step == STEP_FRAGMENTS and walker.depth == 1 and walker.tag == 0x7FE00010U:
            inside = True
        elif step == STEP_FRAGMENTS_END:
            inside = False
        elif step == STEP_FRAGMENT and inside:
            found.append((walker.header_at, walker.length))


cdef bytes extended_table(bytes name, const uint8_t* data, size_t length, Syntax syntax):
    """Value of an extended offset table element at the root, or empty."""
    cdef Walker walker
    cdef Step step
    cdef uint32_t tag = 0x7FE00001U if name == b"offsets" else 0x7FE00002U
    walk_begin(&walker, data, length, syntax)
    while True:
        step = walk_next(&walker)
        if step == STEP_END or step == STEP_FAILED:
            return b""
        if step == STEP_ELEMENT and walker.depth == 0 and walker.tag == tag:
            return (<const char*>walker.value)[: walker.length]


cdef bytes frames_of(const uint8_t* data, size_t length, Syntax syntax, size_t base, Picture* picture):
    text = (<const char*>picture.frames)[: strlen(picture.frames)]
    if picture.native:
        return pack_frames(
            text, base, native=(picture.value_at, picture.value_length),
            frame_bits=picture.rows * picture.columns * picture.samples * picture.bits,
        )
    if not picture.fragments:
        return b""
    fragments = fragments_of(data, length, syntax)
    table = b""
    if fragments:
        at, size = fragments[0]
        table = (<const char*>data)[at + 8 : at + 8 + size]
    return pack_frames(
        text, base, fragments=fragments[1:], basic=table,
        extended=extended_table(b"offsets", data, length, syntax),
    )


def describe(const uint8_t[::1] file):
    """See the stub."""
    cdef Checked found
    cdef HeaderWriter header
    cdef Digest digest
    cdef Picture picture
    cdef uint8_t key[16]
    cdef uint8_t* plain = NULL
    cdef size_t plain_length = 0
    cdef const uint8_t* data
    cdef size_t length
    cdef Syntax syntax
    cdef int reason = 0
    meta_uid, offset = read_meta(file)
    uid = meta_uid.encode("ascii")
    syntax = syntax_of(uid, len(uid))
    data, length = start(file) + <size_t>offset, file.shape[0] - <size_t>offset
    memset(&found, 0, sizeof(Checked))
    memset(&picture, 0, sizeof(Picture))
    header_begin(&header, False, True)
    try:
        with nogil:
            if not digest_begin(&digest):
                reason = NO_MEMORY
            if syntax == DEFLATED_LITTLE and not reason:
                reason = inflated(data, length, &plain, &plain_length)
                data, length = plain, plain_length
            if not reason:
                reason = describe_plain(
                    data, length, EXPLICIT_LITTLE if plain != NULL else syntax, &found, &header, &digest, &picture
                )
            digest_end(&digest, key)
        if reason:
            raise Malformed(reason)
        result = Description()
        result.sop_class_uid = found.sop_class_uid.decode()
        result.sop_instance_uid = found.sop_instance_uid.decode()
        result.study_uid = found.study_uid.decode()
        result.series_uid = found.series_uid.decode()
        result.transfer_syntax_uid = meta_uid
        result.dataset_offset = offset
        result.header = header_bytes(&header)
        result.not_indexed = header_left_out(&header)
        result.content_digest = (<const char*>key)[:16]
        result.frames = b"" if plain != NULL else frames_of(data, length, syntax, offset, &picture)
        return result
    finally:
        header_free(&header)
        free(plain)
