"""How long something took, counted in buckets that double, by any number of threads."""

from libc.stdint cimport int64_t, uint64_t

cdef extern from *:
    """
    #ifndef FR_LATENCY
    #define FR_LATENCY
    #include <stdint.h>
    #define FR_LATENCY_BUCKETS 16
    #define FR_LATENCY_FIRST_NS 250000
    typedef struct { uint64_t counts[FR_LATENCY_BUCKETS]; uint64_t total_ns; } fr_latency;
    static inline void fr_latency_note(fr_latency *l, int64_t ns) {
        int bucket = 0;
        while (bucket < FR_LATENCY_BUCKETS - 1 && ns > ((int64_t)FR_LATENCY_FIRST_NS << bucket)) bucket++;
        __atomic_fetch_add(&l->counts[bucket], 1, __ATOMIC_RELAXED);
        __atomic_fetch_add(&l->total_ns, (uint64_t)ns, __ATOMIC_RELAXED);
    }
    #endif
    """
    enum:
        LATENCY_BUCKETS "FR_LATENCY_BUCKETS"
        LATENCY_FIRST_NS "FR_LATENCY_FIRST_NS"
    # ``counts[i]``: up to LATENCY_FIRST_NS doubled ``i`` times; the last one: anything above.
    ctypedef struct Latency "fr_latency":
        uint64_t counts[16]
        uint64_t total_ns
    void latency_note "fr_latency_note"(Latency* latency, int64_t ns) noexcept nogil
