"""Python buffers as cursors."""

from libc.stdint cimport uint8_t

from native.cursor cimport Cursor, cursor_over


cdef inline Cursor over(const uint8_t[::1] view) noexcept:
    return cursor_over(&view[0] if view.shape[0] else <const uint8_t*>b"", view.shape[0])
