"""Binary data elements as JSON (PS3.18 F.2): numbers, attribute tags, Base64; without the GIL."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from native.cursor cimport Cursor, byte_at, cursor_over, holds, le16_at, le32_at, le64_at, left, skip, tag_at
from native.json_text cimport HEX
from native.output cimport Output, write, write_byte, write_literal
from native.vr cimport VR_AT, VR_FD, VR_FL, VR_SL, VR_SS, VR_SV, VR_UL, VR_US, VR_UV

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


cdef inline void write_base64(Output* out, const uint8_t* data, size_t length) noexcept nogil:
    cdef Cursor cursor = cursor_over(data, length)
    cdef uint8_t quad[4]
    cdef uint32_t bits
    cdef size_t rest
    write_literal(out, b',"InlineBinary":"')
    while left(&cursor):
        rest = min(left(&cursor), <size_t>3)
        # what is past the end reads as 0
        bits = <uint32_t>byte_at(&cursor, 0) << 16 | <uint32_t>byte_at(&cursor, 1) << 8 | byte_at(&cursor, 2)
        quad[0], quad[1] = BASE64[bits >> 18], BASE64[bits >> 12 & 63]
        quad[2] = BASE64[bits >> 6 & 63] if rest > 1 else 61
        quad[3] = BASE64[bits & 63] if rest > 2 else 61
        write(out, quad, 4)
        skip(&cursor, rest)
    write_byte(out, 34)


cdef inline void write_wide(Output* out, uint64_t value, bint signed) noexcept nogil:
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


cdef inline void write_tag_text(Output* out, uint32_t tag) noexcept nogil:
    """``"GGGGEEEE"``"""
    cdef uint8_t shown[10]
    cdef int i
    shown[0] = shown[9] = 34
    for i in range(8):
        shown[1 + i] = HEX[(tag >> (28 - 4 * i)) & 15]
    write(out, shown, 10)


cdef inline void write_number(Output* out, const Cursor* value, uint16_t vr) noexcept nogil:
    cdef char shown[40]
    if vr == VR_AT:
        write_tag_text(out, tag_at(value, False))
    elif vr == VR_SV or vr == VR_UV:
        write_wide(out, le64_at(value, 0), vr == VR_SV)
    elif vr == VR_FL:
        write(out, shown, print_float(shown, le32_at(value, 0)))
    elif vr == VR_FD:
        write(out, shown, print_double(shown, le64_at(value, 0)))
    elif vr == VR_US:
        write(out, shown, print_unsigned(shown, le16_at(value, 0)))
    elif vr == VR_SS:
        write(out, shown, print_signed(shown, <short>le16_at(value, 0)))
    elif vr == VR_UL:
        write(out, shown, print_unsigned(shown, le32_at(value, 0)))
    else:
        write(out, shown, print_signed(shown, <int>le32_at(value, 0)))


cdef inline int number_bytes(uint16_t vr) noexcept nogil:
    """Size of one number of a binary representation that JSON shows as numbers, else 0."""
    if vr == VR_US or vr == VR_SS:
        return 2
    if vr == VR_UL or vr == VR_SL or vr == VR_FL or vr == VR_AT:
        return 4
    return 8 if vr == VR_FD or vr == VR_SV or vr == VR_UV else 0


cdef inline void write_numbers(Output* out, const uint8_t* value, size_t length, uint16_t vr, int size) noexcept nogil:
    cdef Cursor cursor = cursor_over(value, length)
    write_literal(out, b',"Value":[')
    while holds(&cursor, size):
        if cursor.at:
            write_byte(out, 44)
        write_number(out, &cursor, vr)
        skip(&cursor, size)
    write_byte(out, 93)
