/* Preloaded into a test process: writes down, in one order, every call that changes files below one folder, with its
 * bytes; and makes chosen calls fail, stop short, or be the last thing that the process ever does.
 *
 * Calls that change something hold one lock together with their line in the log, so that the order of the log is the
 * order in which they happened. A sync leaves two lines, for its begin and its end: it promises what stood in the log
 * before it began, from its end on. Nothing happens until recorder_start; see recorder.py for the other end.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

enum call { OPEN, WRITE, PWRITE, WRITEV, PWRITEV, FALLOCATE, FTRUNCATE, FDATASYNC, FSYNC, SYNCFS, LINK, RENAME, UNLINK,
            MKDIR, RMDIR, COPY_FILE_RANGE, SENDFILE, SYMLINK, MARK, CALLS };
enum change { NOTHING, CREATE, DATA, ZEROS, TRUNCATE, ALLOCATE, LINKED, RENAMED, UNLINKED, MADE, REMOVED, SYNC_BEGIN,
              SYNC_END, MARKED, UNKNOWN };
enum when { NEVER, KILL_BEFORE, KILL_AFTER, KILL_HALFWAY, FAIL, SHORT, HANG };

struct line {
    uint32_t magic;
    uint8_t change, call, failed, spare;
    uint32_t thread, path_bytes, other_bytes, error;
    uint64_t inode, offset, length, data_bytes;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int log_fd = -1, started;
static char root[PATH_MAX];
static size_t root_length;
static long counts[CALLS];
static struct { int call, when, error; long from, to; } fault;
static __thread int inside;

static void die(void) { syscall(SYS_kill, getpid(), SIGKILL); for (;;) pause(); }

static int below(const char *path) {
    return started && !strncmp(path, root, root_length) && (path[root_length] == '/' || !path[root_length]);
}

static int absolute(int dirfd, const char *path, char *out) {
    if (path[0] == '/') { snprintf(out, PATH_MAX, "%s", path); return below(out); }
    char base[PATH_MAX], link[64];
    if (dirfd == AT_FDCWD) { if (!getcwd(base, sizeof base)) return 0; }
    else {
        snprintf(link, sizeof link, "/proc/self/fd/%d", dirfd);
        ssize_t n = readlink(link, base, sizeof base - 1);
        if (n < 0) return 0;
        base[n] = 0;
    }
    if (!path[0]) snprintf(out, PATH_MAX, "%s", base);
    else if (snprintf(out, PATH_MAX, "%s/%s", base, path) >= PATH_MAX) return 0;
    return below(out);
}

static int ours(int fd) {
    char path[PATH_MAX];
    return started && !inside && absolute(fd, "", path);
}

static uint64_t inode_of(int fd) { struct stat s; return fstat(fd, &s) ? 0 : s.st_ino; }
static uint64_t inode_at(const char *path) { struct stat s; return lstat(path, &s) ? 0 : s.st_ino; }

static void emit(int change, int call, int failed, const char *path, const char *other, uint64_t inode, uint64_t offset,
                 uint64_t length, const struct iovec *data, int parts, size_t data_bytes) {
    struct line line = { 0x52454331, (uint8_t)change, (uint8_t)call, (uint8_t)(failed != 0), 0, (uint32_t)syscall(SYS_gettid),
                         path ? (uint32_t)strlen(path) : 0, other ? (uint32_t)strlen(other) : 0, (uint32_t)failed,
                         inode, offset, length, data_bytes };
    struct iovec out[64];
    int n = 0;
    out[n++] = (struct iovec){ &line, sizeof line };
    if (path) out[n++] = (struct iovec){ (void *)path, line.path_bytes };
    if (other) out[n++] = (struct iovec){ (void *)other, line.other_bytes };
    size_t left = data_bytes;
    for (int i = 0; i < parts && left; i++) {
        size_t take = data[i].iov_len < left ? data[i].iov_len : left;
        if (n == 64) { syscall(SYS_writev, log_fd, out, n); n = 0; }
        out[n++] = (struct iovec){ data[i].iov_base, take };
        left -= take;
    }
    size_t total = 0;
    for (int i = 0; i < n; i++) total += out[i].iov_len;
    while (n) {
        ssize_t done = syscall(SYS_writev, log_fd, out, n);
        if (done < 0) { if (errno == EINTR) continue; die(); }
        int i = 0;
        while (i < n && (size_t)done >= out[i].iov_len) done -= out[i++].iov_len;
        memmove(out, out + i, (n - i) * sizeof *out);
        n -= i;
        if (n) { out[0].iov_base = (char *)out[0].iov_base + done; out[0].iov_len -= done; }
    }
}

static int all_zero(const struct iovec *data, int parts, size_t bytes) {
    for (int i = 0; i < parts && bytes; i++) {
        size_t n = data[i].iov_len < bytes ? data[i].iov_len : bytes;
        const char *p = data[i].iov_base;
        if (n && (p[0] || memcmp(p, p + 1, n - 1))) return 0;
        bytes -= n;
    }
    return 1;
}

static void emit_data(int call, int fd, uint64_t offset, const struct iovec *data, int parts, ssize_t done, int error) {
    if (done <= 0) emit(NOTHING, call, done < 0 ? error : 0, 0, 0, inode_of(fd), offset, 0, 0, 0, 0);
    else if (all_zero(data, parts, done)) emit(ZEROS, call, 0, 0, 0, inode_of(fd), offset, done, 0, 0, 0);
    else emit(DATA, call, 0, 0, 0, inode_of(fd), offset, done, data, parts, done);
}

/* Is it this call's turn? Counted under the lock; kills before the call are carried out here. */
static int turn(int call) {
    counts[call]++;
    if (!fault.when || fault.call != call || counts[call] < fault.from || counts[call] > fault.to) return NEVER;
    if (fault.when == KILL_BEFORE) die();
    return fault.when;
}

static void enter(void) { pthread_mutex_lock(&lock); inside = 1; }
static void leave(int when, int error) {
    if (when == KILL_AFTER || when == KILL_HALFWAY) die();
    inside = 0;
    pthread_mutex_unlock(&lock);
    errno = error;
}

EXPORT int recorder_start(const char *folder, const char *log_path, const char *plan) {
    int call, when, error; long from, to;
    pthread_mutex_lock(&lock);
    snprintf(root, sizeof root, "%s", folder);
    root_length = strlen(root);
    log_fd = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (sscanf(plan, "%d %d %d %ld %ld", &call, &when, &error, &from, &to) == 5) {
        fault.call = call; fault.when = when; fault.error = error; fault.from = from; fault.to = to;
    }
    started = log_fd >= 0;
    pthread_mutex_unlock(&lock);
    return started ? 0 : -1;
}

EXPORT void recorder_aim(int call, int when, int error, long from, long to) {
    pthread_mutex_lock(&lock);
    for (int i = 0; i < CALLS; i++) counts[i] = 0;
    fault.call = call; fault.when = when; fault.error = error; fault.from = from; fault.to = to;
    pthread_mutex_unlock(&lock);
}

EXPORT void recorder_mark(const char *text, int length) {
    if (!started) return;
    struct iovec data = { (void *)text, (size_t)length };
    enter();
    emit(MARKED, MARK, 0, 0, 0, 0, 0, 0, &data, 1, length);
    leave(NEVER, 0);
}

/* ---- opening ---- */
static int opened(int dirfd, const char *path, int flags, mode_t mode) {
    char full[PATH_MAX];
    int saved = errno;
    if (inside || !started || !absolute(dirfd, path, full)) { errno = saved; return (int)syscall(SYS_openat, dirfd, path, flags, mode); }
    enter();
    int when = turn(OPEN), fd = -1, error = fault.error;
    uint64_t before = inode_at(full);
    if (when != FAIL) { fd = (int)syscall(SYS_openat, dirfd, path, flags, mode); error = errno; }
    int nameless = (flags & O_TMPFILE) == O_TMPFILE;
    if (fd >= 0 && (nameless || (!before && (flags & O_CREAT)))) emit(CREATE, OPEN, 0, nameless ? 0 : full, 0, inode_of(fd), 0, 0, 0, 0, 0);
    else if (fd >= 0 && (flags & O_TRUNC)) emit(TRUNCATE, OPEN, 0, full, 0, inode_of(fd), 0, 0, 0, 0, 0);
    else emit(NOTHING, OPEN, fd < 0 ? error : 0, full, 0, before, 0, 0, 0, 0, 0);
    leave(when, fd < 0 ? error : saved);
    return fd;
}
#define MODE mode_t mode = 0; \
    if (flags & (O_CREAT | O_TMPFILE)) { va_list more; va_start(more, flags); mode = va_arg(more, mode_t); va_end(more); }
EXPORT int open(const char *path, int flags, ...) { MODE return opened(AT_FDCWD, path, flags, mode); }
EXPORT int open64(const char *path, int flags, ...) { MODE return opened(AT_FDCWD, path, flags, mode); }
EXPORT int openat(int dirfd, const char *path, int flags, ...) { MODE return opened(dirfd, path, flags, mode); }
EXPORT int openat64(int dirfd, const char *path, int flags, ...) { MODE return opened(dirfd, path, flags, mode); }
EXPORT int creat(const char *path, mode_t mode) { return opened(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
EXPORT int creat64(const char *path, mode_t mode) { return opened(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }

/* ---- bytes ---- */
static ssize_t raw_write(int fd, const struct iovec *data, int parts, off_t offset) {
    return offset < 0 ? syscall(SYS_writev, fd, data, parts) : syscall(SYS_pwritev, fd, data, parts, (long)offset, 0L);
}

static ssize_t written(int call, int fd, const struct iovec *data, int parts, off_t offset) {
    struct iovec half[1024];
    size_t total = 0;
    enter();
    int when = turn(call), error = fault.error;
    ssize_t done = -1;
    if ((when == KILL_HALFWAY || when == SHORT) && parts <= 1024) {
        for (int i = 0; i < parts; i++) total += data[i].iov_len;
        size_t left = total / 2;
        int n = 0;
        for (; n < parts && left; n++) {
            half[n] = data[n];
            if (half[n].iov_len > left) half[n].iov_len = left;
            left -= half[n].iov_len;
        }
        if (n) { data = half; parts = n; }
    }
    if (when != FAIL) { done = raw_write(fd, data, parts, offset); error = errno; }
    if (offset < 0) offset = lseek(fd, 0, SEEK_CUR) - (done > 0 ? done : 0);
    emit_data(call, fd, offset, data, parts, done, error);
    leave(when, error);
    return done;
}

EXPORT ssize_t write(int fd, const void *data, size_t length) {
    struct iovec one = { (void *)data, length };
    int saved = errno;
    if (!ours(fd)) { errno = saved; return syscall(SYS_write, fd, data, length); }
    return written(WRITE, fd, &one, 1, -1);
}
EXPORT ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset) {
    struct iovec one = { (void *)data, length };
    int saved = errno;
    if (!ours(fd)) { errno = saved; return syscall(SYS_pwrite64, fd, data, length, offset); }
    return written(PWRITE, fd, &one, 1, offset);
}
EXPORT ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) { return pwrite64(fd, data, length, offset); }
EXPORT ssize_t writev(int fd, const struct iovec *data, int parts) {
    int saved = errno;
    if (!ours(fd)) { errno = saved; return syscall(SYS_writev, fd, data, parts); }
    return written(WRITEV, fd, data, parts, -1);
}
EXPORT ssize_t pwritev64(int fd, const struct iovec *data, int parts, off64_t offset) {
    int saved = errno;
    if (!ours(fd)) { errno = saved; return syscall(SYS_pwritev, fd, data, parts, offset, 0L); }
    return written(PWRITEV, fd, data, parts, offset);
}
EXPORT ssize_t pwritev(int fd, const struct iovec *data, int parts, off_t offset) { return pwritev64(fd, data, parts, offset); }
EXPORT ssize_t pwritev64v2(int fd, const struct iovec *data, int parts, off64_t offset, int flags) { (void)flags; return offset < 0 ? writev(fd, data, parts) : pwritev64(fd, data, parts, offset); }
EXPORT ssize_t pwritev2(int fd, const struct iovec *data, int parts, off_t offset, int flags) { return pwritev64v2(fd, data, parts, offset, flags); }

/* What the kernel copied is read back from where it came from. */
static void emit_copied(int call, int from, off64_t from_offset, int to, off64_t to_offset, ssize_t done, int error) {
    void *copy = done > 0 ? malloc(done) : 0;
    if (done > 0 && syscall(SYS_pread64, from, copy, done, from_offset) != done) emit(UNKNOWN, call, 0, 0, 0, inode_of(to), to_offset, done, 0, 0, 0);
    else { struct iovec one = { copy, done > 0 ? (size_t)done : 0 }; emit_data(call, to, to_offset, &one, 1, done, error); }
    free(copy);
}
EXPORT ssize_t copy_file_range(int from, off64_t *from_offset, int to, off64_t *to_offset, size_t length, unsigned flags) {
    int saved = errno;
    if (!ours(to)) { errno = saved; return syscall(SYS_copy_file_range, from, from_offset, to, to_offset, length, flags); }
    enter();
    int when = turn(COPY_FILE_RANGE), error = fault.error;
    off64_t source = from_offset ? *from_offset : lseek(from, 0, SEEK_CUR), target = to_offset ? *to_offset : lseek(to, 0, SEEK_CUR);
    ssize_t done = -1;
    if ((when == KILL_HALFWAY || when == SHORT) && length > 1) length /= 2;
    if (when != FAIL) { done = syscall(SYS_copy_file_range, from, from_offset, to, to_offset, length, flags); error = errno; }
    emit_copied(COPY_FILE_RANGE, from, source, to, target, done, error);
    leave(when, error);
    return done;
}
EXPORT ssize_t sendfile64(int to, int from, off64_t *offset, size_t length) {
    int saved = errno;
    if (!ours(to)) { errno = saved; return syscall(SYS_sendfile, to, from, offset, length); }
    enter();
    int when = turn(SENDFILE), error = fault.error;
    off64_t source = offset ? *offset : lseek(from, 0, SEEK_CUR), target = lseek(to, 0, SEEK_CUR);
    ssize_t done = -1;
    if ((when == KILL_HALFWAY || when == SHORT) && length > 1) length /= 2;
    if (when != FAIL) { done = syscall(SYS_sendfile, to, from, offset, length); error = errno; }
    emit_copied(SENDFILE, from, source, to, target, done, error);
    leave(when, error);
    return done;
}
EXPORT ssize_t sendfile(int to, int from, off_t *offset, size_t length) { return sendfile64(to, from, offset, length); }

/* ---- sizes ---- */
EXPORT int ftruncate64(int fd, off64_t length) {
    int saved = errno;
    if (!ours(fd)) { errno = saved; return (int)syscall(SYS_ftruncate, fd, length); }
    enter();
    int when = turn(FTRUNCATE), error = fault.error, done = -1;
    if (when != FAIL) { done = (int)syscall(SYS_ftruncate, fd, length); error = errno; }
    emit(done ? NOTHING : TRUNCATE, FTRUNCATE, done ? error : 0, 0, 0, inode_of(fd), 0, length, 0, 0, 0);
    leave(when, error);
    return done;
}
EXPORT int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }
EXPORT int fallocate64(int fd, int mode, off64_t offset, off64_t length) {
    int saved = errno;
    if (!ours(fd)) { errno = saved; return (int)syscall(SYS_fallocate, fd, mode, offset, length); }
    enter();
    int when = turn(FALLOCATE), error = fault.error, done = -1;
    if (when != FAIL) { done = (int)syscall(SYS_fallocate, fd, mode, offset, length); error = errno; }
    if (done) emit(NOTHING, FALLOCATE, error, 0, 0, inode_of(fd), offset, length, 0, 0, 0);
    else if (mode == 0 || mode == FALLOC_FL_KEEP_SIZE) emit(mode ? NOTHING : ALLOCATE, FALLOCATE, 0, 0, 0, inode_of(fd), offset, length, 0, 0, 0);
    else emit(mode & (FALLOC_FL_ZERO_RANGE | FALLOC_FL_PUNCH_HOLE) ? ZEROS : UNKNOWN, FALLOCATE, 0, 0, 0, inode_of(fd), offset, length, 0, 0, 0);
    leave(when, error);
    return done;
}
EXPORT int fallocate(int fd, int mode, off_t offset, off_t length) { return fallocate64(fd, mode, offset, length); }
EXPORT int posix_fallocate64(int fd, off64_t offset, off64_t length) { return fallocate64(fd, 0, offset, length) ? errno : 0; }
EXPORT int posix_fallocate(int fd, off_t offset, off_t length) { return posix_fallocate64(fd, offset, length); }

/* ---- syncs: their begin and their end are two lines, and others go on meanwhile ---- */
static int synced(int call, int fd, long number) {
    int saved = errno;
    if (!ours(fd)) { errno = saved; return (int)syscall(number, fd); }
    enter();
    int when = turn(call), error = fault.error, done = -1;
    uint64_t inode = inode_of(fd);
    emit(SYNC_BEGIN, call, 0, 0, 0, inode, 0, 0, 0, 0, 0);
    if (when != FAIL) {
        inside = 0; pthread_mutex_unlock(&lock);
        while (when == HANG && *(volatile int *)&fault.when == HANG) usleep(1000);
        if (when != HANG || !error) { done = (int)syscall(number, fd); error = errno; }
        pthread_mutex_lock(&lock); inside = 1;
    }
    emit(SYNC_END, call, done ? error : 0, 0, 0, inode, 0, 0, 0, 0, 0);
    leave(when, done ? error : saved);
    return done;
}
EXPORT int fsync(int fd) { return synced(FSYNC, fd, SYS_fsync); }
EXPORT int fdatasync(int fd) { return synced(FDATASYNC, fd, SYS_fdatasync); }
EXPORT int syncfs(int fd) { return synced(SYNCFS, fd, SYS_syncfs); }

/* ---- names ---- */
EXPORT int renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags) {
    char old[PATH_MAX], new[PATH_MAX];
    int saved = errno;
    int a = !inside && started && absolute(from_fd, from, old), b = !inside && started && absolute(to_fd, to, new);
    if (!a && !b) { errno = saved; return (int)syscall(SYS_renameat2, from_fd, from, to_fd, to, flags); }
    enter();
    int when = turn(RENAME), error = fault.error, done = -1;
    uint64_t inode = inode_at(old);
    if (when != FAIL) { done = (int)syscall(SYS_renameat2, from_fd, from, to_fd, to, flags); error = errno; }
    emit(done ? NOTHING : a && b && !(flags & RENAME_EXCHANGE) ? RENAMED : UNKNOWN, RENAME, done ? error : 0, old, new, inode, 0, 0, 0, 0, 0);
    leave(when, error);
    return done;
}
EXPORT int rename(const char *from, const char *to) { return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0); }
EXPORT int renameat(int from_fd, const char *from, int to_fd, const char *to) { return renameat2(from_fd, from, to_fd, to, 0); }
EXPORT int linkat(int from_fd, const char *from, int to_fd, const char *to, int flags) {
    char new[PATH_MAX];
    int saved = errno;
    if (inside || !started || !absolute(to_fd, to, new)) { errno = saved; return (int)syscall(SYS_linkat, from_fd, from, to_fd, to, flags); }
    enter();
    int when = turn(LINK), error = fault.error, done = -1;
    if (when != FAIL) { done = (int)syscall(SYS_linkat, from_fd, from, to_fd, to, flags); error = errno; }
    emit(done ? NOTHING : LINKED, LINK, done ? error : 0, new, 0, inode_at(new), 0, 0, 0, 0, 0);
    leave(when, error);
    return done;
}
EXPORT int link(const char *from, const char *to) { return linkat(AT_FDCWD, from, AT_FDCWD, to, 0); }
EXPORT int unlinkat(int dirfd, const char *path, int flags) {
    char full[PATH_MAX];
    int saved = errno;
    if (inside || !started || !absolute(dirfd, path, full)) { errno = saved; return (int)syscall(SYS_unlinkat, dirfd, path, flags); }
    enter();
    int call = flags & AT_REMOVEDIR ? RMDIR : UNLINK, when = turn(call), error = fault.error, done = -1;
    uint64_t inode = inode_at(full);
    if (when != FAIL) { done = (int)syscall(SYS_unlinkat, dirfd, path, flags); error = errno; }
    emit(done ? NOTHING : call == RMDIR ? REMOVED : UNLINKED, call, done ? error : 0, full, 0, inode, 0, 0, 0, 0, 0);
    leave(when, error);
    return done;
}
EXPORT int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
EXPORT int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }
EXPORT int mkdirat(int dirfd, const char *path, mode_t mode) {
    char full[PATH_MAX];
    int saved = errno;
    if (inside || !started || !absolute(dirfd, path, full)) { errno = saved; return (int)syscall(SYS_mkdirat, dirfd, path, mode); }
    enter();
    int when = turn(MKDIR), error = fault.error, done = -1;
    if (when != FAIL) { done = (int)syscall(SYS_mkdirat, dirfd, path, mode); error = errno; }
    emit(done ? NOTHING : MADE, MKDIR, done ? error : 0, full, 0, inode_at(full), 0, 0, 0, 0, 0);
    leave(when, error);
    return done;
}
EXPORT int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }
EXPORT int symlinkat(const char *target, int dirfd, const char *path) {
    char full[PATH_MAX];
    int saved = errno;
    if (inside || !started || !absolute(dirfd, path, full)) { errno = saved; return (int)syscall(SYS_symlinkat, target, dirfd, path); }
    enter();
    int when = turn(SYMLINK), error = fault.error, done = -1;
    if (when != FAIL) { done = (int)syscall(SYS_symlinkat, target, dirfd, path); error = errno; }
    emit(done ? NOTHING : UNKNOWN, SYMLINK, done ? error : 0, full, 0, 0, 0, 0, 0, 0, 0);
    leave(when, error);
    return done;
}
EXPORT int symlink(const char *target, const char *path) { return symlinkat(target, AT_FDCWD, path); }
