"""XXH3 (vendor/xxhash.h), inlined."""

from libc.stdint cimport uint8_t, uint64_t

cdef extern from *:
    """
    #define XXH_INLINE_ALL
    #include "xxhash.h"
    static inline void fr_xxh128(const void *data, size_t length, uint8_t out[16]) {
        XXH128_canonical_t c; XXH128_canonicalFromHash(&c, XXH3_128bits(data, length)); memcpy(out, c.digest, 16);
    }
    static inline void fr_xxh128_digest(const XXH3_state_t *state, uint8_t out[16]) {
        XXH128_canonical_t c; XXH128_canonicalFromHash(&c, XXH3_128bits_digest(state)); memcpy(out, c.digest, 16);
    }
    """
    ctypedef struct XXH3_state_t:
        pass
    XXH3_state_t* XXH3_createState() noexcept nogil
    int XXH3_freeState(XXH3_state_t* state) noexcept nogil
    int XXH3_128bits_reset(XXH3_state_t* state) noexcept nogil
    int XXH3_128bits_update(XXH3_state_t* state, const void* data, size_t length) noexcept nogil
    int XXH3_64bits_reset_withSeed(XXH3_state_t* state, uint64_t seed) noexcept nogil
    int XXH3_64bits_update(XXH3_state_t* state, const void* data, size_t length) noexcept nogil
    uint64_t XXH3_64bits_digest(const XXH3_state_t* state) noexcept nogil
    uint64_t XXH3_64bits_withSeed(const void* data, size_t length, uint64_t seed) noexcept nogil
    void xxh128 "fr_xxh128"(const void* data, size_t length, uint8_t* out) noexcept nogil
    void xxh128_digest "fr_xxh128_digest"(const XXH3_state_t* state, uint8_t* out) noexcept nogil
