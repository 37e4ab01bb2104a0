"""Deflated data sets (PS3.5 A.5) unfolded under a ceiling of bytes and of ratio."""

from libc.stdint cimport uint8_t

cdef extern from *:
    """
    #include <stdlib.h>
    #include <string.h>
    #include <zlib.h>
    #define FR_INFLATED_MAX ((size_t)192 << 20)
    #define FR_INFLATED_FREE ((size_t)8 << 20)
    #define FR_INFLATED_RATIO 250
    /* 0 fine, 1 no sound stream, 2 above the ceiling, 3 no memory; *out is malloced on 0 */
    static int fr_inflate(const unsigned char *data, size_t length, unsigned char **out, size_t *out_length) {
        size_t ceiling = length < FR_INFLATED_MAX / FR_INFLATED_RATIO ? length * FR_INFLATED_RATIO : FR_INFLATED_MAX;
        size_t capacity = length * 4 + 4096, used = 0;
        unsigned char *buffer;
        z_stream stream;
        int status = Z_OK, result = 0;
        if (ceiling < FR_INFLATED_FREE) ceiling = FR_INFLATED_FREE;
        if (capacity > ceiling) capacity = ceiling;
        memset(&stream, 0, sizeof stream);
        if (length > 0x7FFFFFFF || !(buffer = (unsigned char *)malloc(capacity))) return 3;
        if (inflateInit2(&stream, -15) != Z_OK) { free(buffer); return 3; }
        stream.next_in = (unsigned char *)data; stream.avail_in = (unsigned)length;
        while (status != Z_STREAM_END) {
            if (used == capacity) {
                size_t larger = capacity * 2 > ceiling ? ceiling : capacity * 2;
                unsigned char *grown;
                if (used >= ceiling) { result = 2; break; }
                if (!(grown = (unsigned char *)realloc(buffer, larger))) { result = 3; break; }
                buffer = grown; capacity = larger;
            }
            stream.next_out = buffer + used; stream.avail_out = (unsigned)(capacity - used);
            status = inflate(&stream, Z_NO_FLUSH);
            used = capacity - stream.avail_out;
            if (status != Z_OK && status != Z_STREAM_END) { result = 1; break; }
            if (status == Z_OK && stream.avail_in == 0 && stream.avail_out) { result = 1; break; }
        }
        inflateEnd(&stream);
        if (result) free(buffer); else { *out = buffer; *out_length = used; }
        return result;
    }
    """
    int inflate_raw "fr_inflate"(const uint8_t* data, size_t length, uint8_t** out, size_t* out_length) noexcept nogil
    const size_t FR_INFLATED_MAX
    const int FR_INFLATED_RATIO
