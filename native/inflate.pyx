"""See inflate.pxd."""

from libc.stdint cimport uint8_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memset

from native.gate cimport gate_make, gate_wait, lock, monotonic_ns, unlock, wake
from native.walker cimport INFLATE_CEILING, INFLATE_FAILED, NO_MEMORY, SOUND

cdef extern from "zlib.h" nogil:
    ctypedef struct z_stream:
        uint8_t* next_in
        unsigned int avail_in
        uint8_t* next_out
        unsigned int avail_out
    int inflateInit2(z_stream* stream, int window_bits)
    int zlib_inflate "inflate"(z_stream* stream, int flush)
    int inflateEnd(z_stream* stream)
    enum: Z_OK, Z_STREAM_END, Z_NO_FLUSH

cdef enum:
    RAW_DEFLATE = -15
    FIRST_BYTES = 1 << 16
    ZLIB_BYTES_MAX = 0x7FFFFFFF          # its counters are of 32 bits
    WAKE_NS = 1000000000                 # no wait sleeps longer without looking again

INFLATED_BYTES_MAX = INFLATED_BYTES_MAX_C
INFLATED_RATIO_MAX = INFLATED_RATIO_MAX_C

cdef void* gate = gate_make()
cdef size_t reserved_bytes = 0
cdef uint64_t tickets = 0, serving = 0
if gate == NULL:
    raise MemoryError


cdef size_t ceiling_of(size_t length) noexcept nogil:
    cdef size_t by_ratio = min(length, <size_t>INFLATED_BYTES_MAX_C) * INFLATED_RATIO_MAX_C
    return min(max(by_ratio, <size_t>INFLATED_FREE_BYTES), <size_t>INFLATED_BYTES_MAX_C)


cdef void reserve(size_t count) noexcept nogil:
    """Wait in line until ``count`` more bytes may be held. Who holds some never waits: the line moves on."""
    global reserved_bytes, tickets, serving
    cdef uint64_t ticket
    lock(gate)
    ticket = tickets
    tickets += 1
    while ticket != serving or reserved_bytes + count > INFLATED_BYTES_MAX_C:
        gate_wait(gate, 0, monotonic_ns() + WAKE_NS)
    serving += 1
    reserved_bytes += count
    wake(gate, 0)
    unlock(gate)


cdef void give_back(size_t count) noexcept nogil:
    global reserved_bytes
    lock(gate)
    reserved_bytes -= count
    wake(gate, 0)
    unlock(gate)


cdef Fault inflate(const uint8_t* data, size_t length, Inflated* plain) noexcept nogil:
    cdef z_stream stream
    cdef Fault fault
    memset(plain, 0, sizeof(Inflated))
    memset(&stream, 0, sizeof(z_stream))
    if length > ZLIB_BYTES_MAX:
        return INFLATE_CEILING
    plain.reserved = ceiling_of(length)
    reserve(plain.reserved)
    stream.next_in, stream.avail_in = <uint8_t*>data, <unsigned int>length  # zlib does not write there
    if inflateInit2(&stream, RAW_DEFLATE) != Z_OK:
        return NO_MEMORY
    fault = unfold(&stream, plain)
    inflateEnd(&stream)
    return fault


cdef Fault unfold(z_stream* stream, Inflated* plain) noexcept nogil:
    cdef size_t capacity = 0
    cdef uint8_t* grown
    cdef int status = Z_OK
    while status != Z_STREAM_END:
        if plain.length == capacity:
            if capacity == plain.reserved:
                return INFLATE_CEILING
            capacity = min(max(capacity * 2, <size_t>FIRST_BYTES), plain.reserved)
            grown = <uint8_t*>realloc(plain.data, capacity)
            if grown == NULL:
                return NO_MEMORY
            plain.data = grown
        stream.next_out, stream.avail_out = &plain.data[plain.length], <unsigned int>(capacity - plain.length)
        status = zlib_inflate(stream, Z_NO_FLUSH)
        plain.length = capacity - stream.avail_out
        if status != Z_OK and status != Z_STREAM_END:
            return INFLATE_FAILED
        if status == Z_OK and stream.avail_in == 0 and stream.avail_out:
            return INFLATE_FAILED
    return SOUND


cdef void inflated_free(Inflated* plain) noexcept nogil:
    free(plain.data)
    if plain.reserved:
        give_back(plain.reserved)
    memset(plain, 0, sizeof(Inflated))
