"""Rows of a search put together from stored headers. See layout.pyi."""

from array import array

from libc.stdint cimport uint8_t, uint32_t

from native.cursor cimport Cursor, bytes_of
from native.elements cimport Found, between, next_element
from native.output cimport Output, output_free, write
from native.view cimport over


cdef struct Source:
    Cursor cursor
    Found found
    bint has


cdef inline Source source_over(const uint8_t[::1] header) noexcept:
    cdef Source source
    source.cursor = over(header)
    source.has = next_element(&source.cursor, &source.found)
    return source


cdef inline void take(Output* out, Source* source) noexcept nogil:
    write(out, between(&source.cursor, source.found.begin, source.found.end), source.found.end - source.found.begin)
    source.has = next_element(&source.cursor, &source.found)


cdef inline void pass_over(Source* source, uint32_t tag) noexcept nogil:
    if source.has and source.found.tag == tag:
        source.has = next_element(&source.cursor, &source.found)


cdef class RowLayout:
    cdef bint takes_all
    cdef size_t count
    cdef const uint32_t[::1] wanted      # ascending; of a private group its number alone
    cdef bytes blanks

    def __init__(self, tags, bytes blanks not None):
        self.takes_all = tags is None
        names = {tag & 0xFFFF0000 if tag >> 16 & 1 else tag for tag in tags or ()}
        self.count = len(names)
        self.wanted = array("I", sorted(names) or [0])
        self.blanks = blanks

    cdef bint is_wanted(self, uint32_t tag, size_t* at) noexcept nogil:
        """Tags come ascending; ``at`` goes on where the one before was."""
        cdef uint32_t name = tag & 0xFFFF0000U if tag >> 16 & 1 else tag
        while at[0] < self.count and self.wanted[at[0]] < name:
            at[0] += 1
        return self.takes_all or (at[0] < self.count and self.wanted[at[0]] == name)

    cdef void next_wanted(self, Source* stored, size_t* at) noexcept nogil:
        while stored.has and not self.is_wanted(stored.found.tag, at):
            stored.has = next_element(&stored.cursor, &stored.found)

    def row(self, const uint8_t[::1] header, const uint8_t[::1] own):
        cdef Source stored = source_over(header), first = source_over(own), last = source_over(self.blanks)
        cdef Output out = Output(NULL, 0, 0, False)
        cdef size_t at = 0
        cdef uint32_t tag
        try:
            with nogil:
                while True:
                    self.next_wanted(&stored, &at)
                    if not (stored.has or first.has or last.has):
                        break
                    tag = min(
                        stored.found.tag if stored.has else 0xFFFFFFFFU,
                        min(first.found.tag if first.has else 0xFFFFFFFFU, last.found.tag if last.has else 0xFFFFFFFFU),
                    )
                    if first.has and first.found.tag == tag:
                        take(&out, &first)
                    elif stored.has and stored.found.tag == tag:
                        take(&out, &stored)
                    else:
                        take(&out, &last)
                    pass_over(&first, tag)
                    pass_over(&stored, tag)
                    pass_over(&last, tag)
            if out.failed:
                raise MemoryError
            return bytes_of(out.data, out.length)
        finally:
            output_free(&out)
