"""What the archive needs to know of one Part-10 file, from one walk: who it is, header, content digest, frames."""

from libc.stdint cimport uint8_t
from libc.string cimport memset

from native.cursor cimport Cursor, bytes_of, left, peek, skip
from native.digest cimport Digest, digest_begin, digest_end, digest_event
from native.frames cimport Picture, picture_begin, picture_event, picture_free, picture_table
from native.header cimport (
    HeaderWriter,
    header_begin,
    header_bytes,
    header_event,
    header_free,
    header_left_out,
)
from native.identity cimport Checked, complete, let_go_behind, note_uid, syntax_of
from native.inflate cimport Inflated, inflate, inflated_free
from native.view cimport over
from native.walker cimport (
    DEFLATED_LITTLE,
    EXPLICIT_LITTLE,
    NO_MEMORY,
    STEP_ELEMENT,
    STEP_END,
    STEP_FAILED,
    Step,
    Syntax,
    Walker,
    walk_begin,
    walk_next,
)

from native.canonical import read_meta
from native.faults import Malformed


class Description:
    """See dataset.pyi."""

    __slots__ = (
        "content_digest", "dataset_offset", "frames", "header", "not_indexed", "series_uid", "sop_class_uid",
        "sop_instance_uid", "study_uid", "transfer_syntax_uid",
    )


cdef struct Told:
    # what the walk tells
    Checked uids
    HeaderWriter header
    Digest digest
    Picture picture
    Inflated plain
    bint is_mapped
    uint8_t key[16]


cdef int listen(Told* told, const uint8_t* data, size_t length, Syntax syntax) noexcept nogil:
    """One walk, everybody told; 0 or a reason code."""
    cdef Walker walker
    cdef Step step
    cdef int reason
    cdef size_t gone = 0
    walk_begin(&walker, data, length, syntax)
    while True:
        if told.digest.is_mapped:
            let_go_behind(&walker, &gone)
        step = walk_next(&walker)
        if step == STEP_END:
            return complete(&told.uids)
        if step == STEP_FAILED:
            return walker.fault
        if step == STEP_ELEMENT and walker.depth == 0:
            reason = note_uid(&walker, &told.uids)
            if reason:
                return reason
        picture_event(&told.picture, step, &walker)
        header_event(&told.header, step, &walker)
        digest_event(&told.digest, step, &walker)


cdef int run(Told* told, const Cursor* dataset, Syntax syntax) noexcept nogil:
    cdef const uint8_t* data = peek(dataset, left(dataset))
    cdef size_t length = left(dataset)
    cdef int reason = 0
    if not digest_begin(&told.digest, told.is_mapped and syntax != DEFLATED_LITTLE):
        reason = NO_MEMORY
    elif syntax == DEFLATED_LITTLE:
        reason = inflate(data, length, &told.plain)
        data, length, syntax = told.plain.data, told.plain.length, EXPLICIT_LITTLE
    if not reason:
        reason = listen(told, data, length, syntax)
    digest_end(&told.digest, told.key)
    return reason


def describe(const uint8_t[::1] file, bint is_mapped=False):
    """See dataset.pyi."""
    cdef Told told
    cdef Cursor dataset = over(file)
    cdef Syntax syntax
    cdef int reason
    meta_uid, offset = read_meta(file)
    skip(&dataset, offset)
    uid = meta_uid.encode("ascii")
    syntax = syntax_of(uid, len(uid))
    memset(&told.uids, 0, sizeof(Checked))
    memset(&told.plain, 0, sizeof(Inflated))
    told.is_mapped = is_mapped
    header_begin(&told.header, False, True)
    picture_begin(&told.picture)
    try:
        with nogil:
            reason = run(&told, &dataset, syntax)
        if reason:
            raise Malformed(reason)
        result = Description()
        result.sop_class_uid = told.uids.sop_class_uid.decode()
        result.sop_instance_uid = told.uids.sop_instance_uid.decode()
        result.study_uid = told.uids.study_uid.decode()
        result.series_uid = told.uids.series_uid.decode()
        result.transfer_syntax_uid = meta_uid
        result.dataset_offset = offset
        result.header = header_bytes(&told.header)
        result.not_indexed = header_left_out(&told.header)
        result.content_digest = bytes_of(told.key, 16)
        # offsets into what was inflated are of no use to a reader of the file
        result.frames = b"" if syntax == DEFLATED_LITTLE else picture_table(&told.picture, offset)
        return result
    finally:
        picture_free(&told.picture)
        header_free(&told.header)
        inflated_free(&told.plain)
