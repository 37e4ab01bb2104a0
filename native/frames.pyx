"""The frame table, form 1: where each frame of Pixel Data stands in the file (PS3.5 8.2, A.4; PS3.3 C.7.6.3.1.8).

Little endian::

    0  u8   1 (the form)
    1  u8   kind: 1 native frames of whole bytes, 2 native frames of bits, 4 encapsulated (3 was never released)
    2  u16  0
    4  u32  number of frames
    8  kind 1: u64 offset of the first frame, u64 bytes a frame
       kind 2: u64 offset of the first frame, u64 bits a frame
       kind 4: for each frame u32 number of its spans, then for each span of all frames u64 offset, u32 length

Spans are values of fragments, without the item headers between them. A table is empty when the frames cannot be told
apart without looking into their bytes: Number of Frames is no sensible number, or neither an offset table nor the
number of fragments agrees with it. What a table says is believed only when it meets fragments that are there.
"""

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset, strlen

from native.cursor cimport Cursor, bytes_of, cursor_over, data_of, le32_at, le64_at, left, skip, unpadded
from native.output cimport Output, output_free, room, write, write_le32
from native.walker cimport STEP_ELEMENT, STEP_FRAGMENT, STEP_FRAGMENTS, STEP_FRAGMENTS_END, Step, Walker

from struct import error as StructError
from struct import iter_unpack, pack, unpack_from

FRAMES_MAX = FRAMES_MAX_C

cdef enum:
    ITEM_HEAD_BYTES = 8
    NATIVE = 1
    NATIVE_BITS = 2
    ENCAPSULATED = 4
    SAMPLES = 0x00280002U
    PHOTOMETRIC = 0x00280004U
    NUMBER_OF_FRAMES = 0x00280008U
    ROWS = 0x00280010U
    COLUMNS = 0x00280011U
    BITS_ALLOCATED = 0x00280100U
    EXTENDED_OFFSETS = 0x7FE00001U
    EXTENDED_LENGTHS = 0x7FE00002U
    FLOAT_PIXELS = 0x7FE00008U
    DOUBLE_PIXELS = 0x7FE00009U
    PIXELS = 0x7FE00010U


# ---------------------------------------------------------------- what the walk says


cdef void picture_begin(Picture* picture) noexcept nogil:
    memset(picture, 0, sizeof(Picture))


cdef void picture_free(Picture* picture) noexcept nogil:
    output_free(&picture.fragments)


cdef inline uint64_t number_of(const Walker* walker) noexcept nogil:
    if walker.length != 2:
        return 0
    if walker.big:
        return <uint64_t>walker.value[0] << 8 | walker.value[1]
    return <uint64_t>walker.value[1] << 8 | walker.value[0]


cdef void note_element(Picture* picture, const Walker* walker) noexcept nogil:
    cdef uint32_t tag = walker.tag
    if tag == SAMPLES:
        picture.samples = number_of(walker)
    elif tag == ROWS:
        picture.rows = number_of(walker)
    elif tag == COLUMNS:
        picture.columns = number_of(walker)
    elif tag == BITS_ALLOCATED:
        picture.bits = number_of(walker)
    elif tag == PHOTOMETRIC:
        picture.halved = unpadded(walker.value, walker.length) == 12 and not memcmp(walker.value, b"YBR_FULL_422", 12)
    elif tag == NUMBER_OF_FRAMES:
        # one that does not fit is longer than any sensible number: "?" is none either
        memset(picture.frames, 0, sizeof(picture.frames))
        if walker.length < sizeof(picture.frames):
            memcpy(picture.frames, walker.value, walker.length)
        else:
            picture.frames[0] = c"?"
    elif tag == EXTENDED_OFFSETS:
        picture.offsets.data, picture.offsets.at, picture.offsets.end = walker.value, 0, walker.length
    elif tag == EXTENDED_LENGTHS:
        picture.lengths.data, picture.lengths.at, picture.lengths.end = walker.value, 0, walker.length
    elif (tag == PIXELS or tag == FLOAT_PIXELS or tag == DOUBLE_PIXELS) and not picture.is_native:
        picture.is_native = True
        picture.value_begin, picture.value_length = walker.cursor.at - walker.length, walker.length


cdef void note_fragment(Picture* picture, const Walker* walker) noexcept nogil:
    cdef Fragment fragment
    if not picture.has_basic:
        picture.has_basic = True
        picture.basic.data, picture.basic.at, picture.basic.end = walker.value, 0, walker.length
    elif picture.fragments.length == FRAGMENTS_MAX * sizeof(Fragment):
        picture.too_many = True
    else:
        fragment.item, fragment.length = walker.header_at, walker.length
        write(&picture.fragments, &fragment, sizeof(Fragment))


cdef void picture_event(Picture* picture, Step step, const Walker* walker) noexcept nogil:
    if step == STEP_FRAGMENT and picture.inside:
        note_fragment(picture, walker)
    elif step == STEP_ELEMENT:
        if walker.depth == 0 and (walker.tag >> 16 == 0x0028 or walker.tag >> 16 == 0x7FE0):
            note_element(picture, walker)
    elif step == STEP_FRAGMENTS and walker.depth == 1 and walker.tag == PIXELS and not picture.is_encapsulated:
        picture.is_encapsulated = picture.inside = True
    elif step == STEP_FRAGMENTS_END:
        picture.inside = False


# ---------------------------------------------------------------- the table


cdef size_t frames_count(const Picture* picture) except? 0:
    """Number of Frames as written, 1 when absent, 0 when it is no sensible number."""
    text = bytes_of(<const unsigned char*>picture.frames, strlen(picture.frames)).strip(b" ")
    if not text:
        return 1
    if not text.removeprefix(b"+").isdigit():
        return 0
    count = int(text)
    return count if count <= FRAMES_MAX_C else 0


cdef bytes native_table(const Picture* picture, size_t count, size_t base):
    cdef uint64_t samples = 2 if picture.halved and picture.samples == 3 else picture.samples
    cdef uint64_t frame_bits = picture.rows * picture.columns * samples * picture.bits
    if frame_bits == 0 or frame_bits > <uint64_t>picture.value_length * 8 // count:
        return b""
    kind, size = (NATIVE_BITS, frame_bits) if frame_bits % 8 else (NATIVE, frame_bits // 8)
    return pack("<BBHIQQ", 1, kind, 0, count, base + picture.value_begin, size)


cdef bint starts_from(
    const Picture* picture, Cursor table, size_t width, size_t count, uint32_t* starts
) noexcept nogil:
    """Index of each frame's first fragment by an offset table.

    False unless it has an entry a frame, the first is 0 and each meets the item tag of a later fragment. (Offsets count
    from the first fragment's item tag.)
    """
    cdef const Fragment* fragments = <const Fragment*>picture.fragments.data
    cdef size_t total = picture.fragments.length // sizeof(Fragment), frame, index = 0
    cdef uint64_t offset
    if left(&table) != count * width:
        return False
    for frame in range(count):
        offset = le64_at(&table, 0) if width == 8 else le32_at(&table, 0)
        while index < total and fragments[index].item - fragments[0].item < offset:
            index += 1
        if index == total or fragments[index].item - fragments[0].item != offset or (frame == 0 and index):
            return False
        starts[frame] = <uint32_t>index
        index += 1
        skip(&table, width)
    return True


cdef bint lengths_agree(const Picture* picture, size_t count) noexcept nogil:
    """Whether the Extended Offset Table Lengths are those of the fragments, one a frame, without their padding."""
    cdef const Fragment* fragments = <const Fragment*>picture.fragments.data
    cdef Cursor lengths = picture.lengths
    cdef size_t frame
    if left(&lengths) != 8 * count or picture.fragments.length != count * sizeof(Fragment):
        return False
    for frame in range(count):
        if fragments[frame].length - le64_at(&lengths, 0) > 1:
            return False
        skip(&lengths, 8)
    return True


cdef bint find_starts(const Picture* picture, size_t count, uint32_t* starts) noexcept nogil:
    """The tables, when they are sound; else the fragments alone."""
    cdef size_t total = picture.fragments.length // sizeof(Fragment), frame
    if count == 1:
        starts[0] = 0
        return True
    if lengths_agree(picture, count) and starts_from(picture, picture.offsets, 8, count, starts):
        return True
    if starts_from(picture, picture.basic, 4, count, starts):
        return True
    if count != total:
        return False
    for frame in range(count):
        starts[frame] = <uint32_t>frame
    return True


cdef void write_spans(
    const Picture* picture, size_t count, size_t base, const uint32_t* starts, Output* out
) noexcept nogil:
    cdef const Fragment* fragments = <const Fragment*>picture.fragments.data
    cdef Cursor lengths = picture.lengths
    cdef size_t total = picture.fragments.length // sizeof(Fragment), frame, index
    cdef bint is_trimmed = lengths_agree(picture, count)
    cdef uint64_t offset
    for frame in range(count):
        write_le32(out, (starts[frame + 1] if frame + 1 < count else <uint32_t>total) - starts[frame])
    for index in range(total):
        offset = base + fragments[index].item + ITEM_HEAD_BYTES
        write(out, &offset, 8)
        write_le32(out, <uint32_t>(le64_at(&lengths, 0) if is_trimmed else fragments[index].length))
        skip(&lengths, 8)


cdef bytes encapsulated_table(Picture* picture, size_t count, size_t base):
    cdef Output out, starts
    cdef bint is_told
    cdef uint32_t* first
    if picture.fragments.failed:
        raise MemoryError
    if picture.too_many or not picture.fragments.length:
        return b""
    memset(&out, 0, sizeof(Output))
    memset(&starts, 0, sizeof(Output))
    try:
        first = <uint32_t*>room(&starts, 4 * count)
        if first == NULL:
            raise MemoryError
        with nogil:
            is_told = find_starts(picture, count, first)
            if is_told:
                write_spans(picture, count, base, first, &out)
        if out.failed:
            raise MemoryError
        return pack("<BBHI", 1, ENCAPSULATED, 0, count) + bytes_of(out.data, out.length) if is_told else b""
    finally:
        output_free(&out)
        output_free(&starts)


cdef bytes picture_table(Picture* picture, size_t base):
    cdef size_t count = frames_count(picture)
    if count == 0:
        return b""
    if picture.is_native:
        return native_table(picture, count, base)
    return encapsulated_table(picture, count, base)


def frame_table(bytes frames not None):
    """See dataset.pyi."""
    if not frames:
        return 0, []
    try:
        form, kind, _, count = unpack_from("<BBHI", frames)
        if form != 1 or kind not in (NATIVE, NATIVE_BITS, ENCAPSULATED):
            raise ValueError(f"frame table of form {form}, kind {kind}")
        if kind == ENCAPSULATED:
            return 0, encapsulated_spans(frames, count)
        begin, size = unpack_from("<QQ", frames, 8)
    except StructError as cut:
        raise ValueError("frame table is cut") from cut
    if kind == NATIVE:
        return 0, [[(begin + n * size, size)] for n in range(count)]
    return size, [[(begin + n * size // 8, ((n + 1) * size + 7) // 8 - n * size // 8)] for n in range(count)]


def frame_count(bytes frames not None):
    """See frames.pyi."""
    if len(frames) < 8:
        return 0
    return unpack_from("<I", frames, 4)[0]


def frame_at(bytes frames not None, size_t number):
    """See frames.pyi."""
    cdef size_t count, spans, before, behind
    try:
        form, kind, _, count = unpack_from("<BBHI", frames)
        if form != 1 or kind not in (NATIVE, NATIVE_BITS, ENCAPSULATED):
            raise ValueError(f"frame table of form {form}, kind {kind}")
        if number >= count:
            raise IndexError("there is no such frame")
        if kind != ENCAPSULATED:
            begin, size = unpack_from("<QQ", frames, 8)
            if kind == NATIVE:
                span = (begin + number * size, size)
                return 0, 0, [span]
            bit, bits_end = number * size, (number + 1) * size
            span = (begin + bit // 8, (bits_end + 7) // 8 - bit // 8)
            return size, bit % 8, [span]
        behind = 8 + 4 * count
        if len(frames) < behind:
            raise ValueError("frame table is cut")
        spans = unpack_from("<I", frames, 8 + 4 * number)[0]
        before = spans_before(frames, number)
        return 0, 0, [unpack_from("<QI", frames, behind + 12 * (before + n)) for n in range(spans)]
    except StructError as cut:
        raise ValueError("frame table is cut") from cut


cdef size_t spans_before(bytes frames, size_t number):
    cdef Cursor table = cursor_over(data_of(frames), len(frames))
    cdef size_t frame, count = 0
    for frame in range(number):
        count += le32_at(&table, 8 + 4 * frame)
    return count


cdef list encapsulated_spans(bytes frames, size_t count):
    counts = unpack_from(f"<{count}I", frames, 8)
    behind = 8 + 4 * count
    if len(frames) != behind + 12 * sum(counts):
        raise ValueError("frame table is cut")
    spans = iter_unpack("<QI", memoryview(frames)[behind:])
    return [[next(spans) for _ in range(one)] for one in counts]
