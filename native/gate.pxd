"""A mutex with conditions on the monotonic clock, for code without the GIL; and the few system calls around it."""

from libc.stdint cimport int64_t, uint64_t

cdef extern from *:
    """
    #ifndef FR_GATE
    #define FR_GATE
    #include <pthread.h>
    #include <time.h>
    #include <errno.h>
    #include <unistd.h>
    #include <fcntl.h>
    #include <sys/mman.h>
    #include <stdlib.h>
    #include <stdint.h>
    #define FR_CONDITIONS 7
    typedef struct { pthread_mutex_t mutex; pthread_cond_t conditions[FR_CONDITIONS]; } fr_gate;
    static inline fr_gate *fr_gate_make(void) {
        fr_gate *g = (fr_gate *)malloc(sizeof(fr_gate));
        pthread_condattr_t attributes;
        if (!g) return NULL;
        pthread_mutex_init(&g->mutex, NULL);
        pthread_condattr_init(&attributes);
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        for (int i = 0; i < FR_CONDITIONS; i++) pthread_cond_init(&g->conditions[i], &attributes);
        pthread_condattr_destroy(&attributes);
        return g;
    }
    static inline int64_t fr_monotonic_ns(void) {
        struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
    }
    static inline uint64_t fr_now_us(void) {
        struct timespec t; clock_gettime(CLOCK_REALTIME, &t); return (uint64_t)t.tv_sec * 1000000u + t.tv_nsec / 1000;
    }
    static inline void fr_gate_wait(void *gate, int which, int64_t until_ns) {
        fr_gate *g = (fr_gate *)gate;
        struct timespec t; t.tv_sec = until_ns / 1000000000; t.tv_nsec = until_ns % 1000000000;
        pthread_cond_timedwait(&g->conditions[which], &g->mutex, &t);
    }
    static inline int fr_pwrite_all(int fd, const void *data, size_t length, off_t at) {
        const char *p = (const char *)data;
        while (length) {
            ssize_t done = pwrite(fd, p, length, at);
            if (done < 0) { if (errno == EINTR) continue; return errno; }
            if (done == 0) return EIO;
            p += done; at += done; length -= (size_t)done;
        }
        return 0;
    }
    static inline int fr_write_all(int fd, const void *data, size_t length) {
        const char *p = (const char *)data;
        while (length) {
            ssize_t done = write(fd, p, length);
            if (done < 0) { if (errno == EINTR) continue; return errno; }
            if (done == 0) return EIO;
            p += done; length -= (size_t)done;
        }
        return 0;
    }
    /* Whole pages of a mapped file that were read: they no longer count as ours, and come back when they are read. */
    static inline void fr_let_go(const void *data, size_t length) {
        uintptr_t begin = ((uintptr_t)data + 4095) & ~(uintptr_t)4095;
        uintptr_t end = ((uintptr_t)data + length) & ~(uintptr_t)4095;
        if (begin < end) madvise((void *)begin, end - begin, MADV_DONTNEED);
    }
    static inline void *fr_map(int fd, size_t length) {
        void *p = mmap(NULL, length, PROT_READ, MAP_SHARED, fd, 0);
        return p == MAP_FAILED ? NULL : p;
    }
    #define fr_lock(g) pthread_mutex_lock(&((fr_gate *)(g))->mutex)
    #define fr_unlock(g) pthread_mutex_unlock(&((fr_gate *)(g))->mutex)
    #define fr_wake(g, which) pthread_cond_broadcast(&((fr_gate *)(g))->conditions[which])
    #define fr_wake_one(g, which) pthread_cond_signal(&((fr_gate *)(g))->conditions[which])
    static inline void fr_gate_free(void *g) {
        if (!g) return;
        for (int i = 0; i < FR_CONDITIONS; i++) pthread_cond_destroy(&((fr_gate *)g)->conditions[i]);
        pthread_mutex_destroy(&((fr_gate *)g)->mutex);
        free(g);
    }
    #endif
    """
    enum: CONDITIONS "FR_CONDITIONS"
    void* gate_make "fr_gate_make"() noexcept nogil
    void gate_free "fr_gate_free"(void* gate) noexcept nogil
    void gate_wait "fr_gate_wait"(void* gate, int which, int64_t until_ns) noexcept nogil
    void lock "fr_lock"(void* gate) noexcept nogil
    void unlock "fr_unlock"(void* gate) noexcept nogil
    void wake "fr_wake"(void* gate, int which) noexcept nogil
    void wake_one "fr_wake_one"(void* gate, int which) noexcept nogil
    int64_t monotonic_ns "fr_monotonic_ns"() noexcept nogil
    uint64_t now_us "fr_now_us"() noexcept nogil
    int pwrite_all "fr_pwrite_all"(int fd, const void* data, size_t length, int64_t at) noexcept nogil
    int write_all "fr_write_all"(int fd, const void* data, size_t length) noexcept nogil
    void* map_file "fr_map"(int fd, size_t length) noexcept nogil
    # Of mapped files alone: memory of our own would be lost.
    void let_go "fr_let_go"(const void* data, size_t length) noexcept nogil
    int munmap(void* address, size_t length) noexcept nogil
    int fdatasync(int fd) noexcept nogil
    int fsync(int fd) noexcept nogil
    int close(int fd) noexcept nogil
    int openat(int directory, const char* name, int flags, int mode) noexcept nogil
    int unlinkat(int directory, const char* name, int flags) noexcept nogil
    enum: O_CREAT, O_EXCL, O_RDWR, O_CLOEXEC
