"""See rle.pyi.

::

    0  u32  number of segments, at most 15
    4  u32  x 15  where each segment begins, from here; 0 behind the last
    64 segments: one a byte of a sample, most significant first, sample by sample; each of runs (PackBits):
       n 0..127: n + 1 bytes as they are    n 129..255: the next byte 257 - n times    n 128: nothing
"""

from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memset

from native.cursor cimport Cursor, bytes_of, cursor_over, holds, le32_at, part, take
from native.output cimport Output, output_free, patch_le32, room, write, write_byte
from native.view cimport over

cdef enum:
    HEAD_BYTES = 64
    SEGMENTS_MAX = 15
    RUN_MAX = 128


cdef bint unfold_segment(Cursor segment, uint8_t* out, size_t begin, size_t count, size_t step) noexcept nogil:
    """``count`` bytes of a segment, ``step`` apart; False when it has fewer. What is behind them is padding."""
    cdef const uint8_t* here
    cdef size_t done = 0, i, run
    cdef bint is_run
    while done < count:
        here = take(&segment, 1)
        if here == NULL:
            return False
        if here[0] == 128:
            continue
        is_run = here[0] > 128
        run = 257 - here[0] if is_run else here[0] + 1
        if run > count - done:
            run = count - done
        here = take(&segment, 1 if is_run else run)
        if here == NULL:
            return False
        for i in range(run):
            out[begin + (done + i) * step] = here[0 if is_run else i]
        done += run
    return True


cdef bint unfold_all(
    const Cursor* frame, uint8_t* out, size_t pixels, size_t samples, size_t sample_bytes
) noexcept nogil:
    cdef size_t count = samples * sample_bytes, number, begin, end
    cdef const uint8_t* runs
    if not holds(frame, HEAD_BYTES) or le32_at(frame, 0) != count:
        return False
    for number in range(count):
        begin = le32_at(frame, 4 + 4 * number)
        end = frame.end if number + 1 == count else le32_at(frame, 8 + 4 * number)
        if begin < HEAD_BYTES or end < begin:
            return False
        runs = part(frame.data, frame.end, begin, end - begin)
        if runs == NULL:
            return False
        # of each sample the most significant byte comes first, and goes last
        begin = number // sample_bytes * sample_bytes + sample_bytes - 1 - number % sample_bytes
        if not unfold_segment(cursor_over(runs, end - le32_at(frame, 4 + 4 * number)), out, begin, pixels, count):
            return False
    return True


def unfold(const uint8_t[::1] frame, size_t pixels, size_t samples, size_t sample_bytes):
    """See the stub."""
    cdef Cursor cursor = over(frame)
    cdef Output output
    cdef uint8_t* out
    cdef bint is_sound
    if not 0 < samples * sample_bytes <= SEGMENTS_MAX or not frame.shape[0]:
        raise ValueError("an RLE frame is empty, or its samples have too many bytes")
    memset(&output, 0, sizeof(Output))
    try:
        out = room(&output, pixels * samples * sample_bytes)
        if out == NULL:
            raise MemoryError
        with nogil:
            is_sound = unfold_all(&cursor, out, pixels, samples, sample_bytes)
        if not is_sound:
            raise ValueError("the segments of an RLE frame are not those that the data set announces")
        return bytes_of(output.data, output.length)
    finally:
        output_free(&output)


cdef void fold_row(Output* output, const uint8_t* frame, size_t begin, size_t count, size_t step) noexcept nogil:
    """Runs of two or more stand alone where nothing is pending, of three or more always."""
    cdef uint8_t pending[RUN_MAX]
    cdef size_t waiting = 0, at = 0, run
    cdef uint8_t value
    while at < count:
        value = frame[begin + at * step]
        run = 1
        while run < RUN_MAX and at + run < count and frame[begin + (at + run) * step] == value:
            run += 1
        if run > 2 or (run == 2 and not waiting):
            flush(output, pending, &waiting)
            write_byte(output, <uint8_t>(257 - run))
            write_byte(output, value)
            at += run
            continue
        pending[waiting] = value
        waiting += 1
        at += 1
        if waiting == RUN_MAX:
            flush(output, pending, &waiting)
    flush(output, pending, &waiting)


cdef void flush(Output* output, const uint8_t* pending, size_t* waiting) noexcept nogil:
    if waiting[0]:
        write_byte(output, <uint8_t>(waiting[0] - 1))
        write(output, pending, waiting[0])
        waiting[0] = 0


cdef void fold_all(
    Output* output,
    const uint8_t* frame,
    size_t rows,
    size_t columns,
    size_t samples,
    size_t sample_bytes,
    bint is_planar,
) noexcept nogil:
    cdef size_t segment, sample, row, begin
    cdef size_t step = sample_bytes if is_planar else sample_bytes * samples
    cdef uint8_t* head = room(output, HEAD_BYTES)
    if head == NULL:
        return
    memset(head, 0, HEAD_BYTES)
    patch_le32(output, 0, <uint32_t>(samples * sample_bytes))
    for segment in range(samples * sample_bytes):
        sample = segment // sample_bytes
        begin = sample * (rows * columns * sample_bytes if is_planar else sample_bytes)
        begin += sample_bytes - 1 - segment % sample_bytes
        patch_le32(output, 4 + 4 * segment, <uint32_t>output.length)
        for row in range(rows):
            fold_row(output, frame, begin + row * columns * step, columns, step)
        if output.length & 1:
            write_byte(output, 0)


def fold(const uint8_t[::1] frame, size_t rows, size_t columns, size_t samples, size_t sample_bytes, bint is_planar):
    """See the stub."""
    cdef Output output
    cdef Cursor cursor = over(frame)
    cdef size_t wanted = rows * columns * samples * sample_bytes
    if not 0 < samples * sample_bytes <= SEGMENTS_MAX or not wanted or <size_t>frame.shape[0] != wanted:
        raise ValueError("a native frame has another size than the data set says")
    memset(&output, 0, sizeof(Output))
    try:
        with nogil:
            fold_all(&output, cursor.data, rows, columns, samples, sample_bytes, is_planar)
        if output.failed:
            raise MemoryError
        return bytes_of(output.data, output.length)
    finally:
        output_free(&output)
