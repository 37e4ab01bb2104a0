"""Writing a header (the data set without bulk) from the walk's events. See header.pyx."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t

from native.output cimport Output
from native.walker cimport STACK_MAX, Step, Walker

cdef enum:
    VALUE_BYTES_MAX_C = 1024
    HEADER_BYTES_MAX_C = 65536
    PLACES_MAX = 4096        # top-level elements of one header
    LEFT_OUT_MAX = 64
    PATH_MAX = 64

cdef struct Place:
    uint32_t tag
    uint32_t start
    uint32_t end

cdef struct HeaderWriter:
    Output out
    bint implicit            # write Implicit VR instead
    bint capped              # leave out bulk and note it (a header); False writes everything
    bint signed_pixels
    int depth                # open sequences and items in the output
    size_t length_at[STACK_MAX]  # where each open level's length is patched in
    int silent               # depth of input levels whose events are ignored
    uint32_t top_tag
    size_t top_start
    uint32_t last_tag
    bint sorted
    int places_count
    Place places[PLACES_MAX]
    int left_out_count
    uint32_t path[STACK_MAX]     # sequence tags on the way to here
    int path_depth
    uint32_t left_out[LEFT_OUT_MAX][PATH_MAX + 2]   # count, tags...

cdef void header_begin(HeaderWriter* writer, bint implicit, bint capped) noexcept nogil
cdef void header_event(HeaderWriter* writer, Step step, const Walker* walker) noexcept nogil
cdef void header_free(HeaderWriter* writer) noexcept nogil
cdef bytes header_bytes(HeaderWriter* writer)
cdef tuple header_left_out(HeaderWriter* writer)
