/* A disk that fails on purpose: LD_PRELOAD this into the server (see shim.py, which builds and steers it).
 *
 * FAULTS_CONTROL names a file that both sides map. While `armed`, calls of the kinds in `calls` on files whose path
 * contains `match` are counted, and the n-th (with `all`, every one from it on) fails, waits, or ends the process. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

enum { WRITE = 1, SYNC = 2, TRUNCATE = 4, OPEN = 8, READ = 16, UNLINK = 32 };
enum { KILL = -1, SLEEP = -2, BLOCK = -3, TEAR = -4 };

struct control {
    int32_t armed, what, calls, all; /* what: an errno, or one of the above */
    int64_t n, seen, hit, micros;
    char match[216];
};

static struct control nothing;
static struct control *control = &nothing;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("FAULTS_CONTROL");
    if (path == NULL) return;
    int (*really)(const char *, int, ...) = dlsym(RTLD_NEXT, "open");
    int fd = really(path, O_RDWR);
    if (fd < 0) return;
    void *found = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (found != MAP_FAILED) control = found;
}

static int named(const char *path) { return path != NULL && strstr(path, control->match) != NULL; }

static int opened(int fd) {
    char link[32], path[1024];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size < 0) return 0;
    path[size] = 0;
    return named(path);
}

/* Whether the call is to fail: then errno is set. `torn` is called before a TEAR ends the process. */
static int fails(int kind, int mine, void (*torn)(void *), void *context) {
    if (!mine) return 0;
    int64_t seen = __atomic_add_fetch(&control->seen, 1, __ATOMIC_SEQ_CST);
    (void)kind;
    if (seen < control->n || (seen > control->n && !control->all)) return 0;
    __atomic_add_fetch(&control->hit, 1, __ATOMIC_SEQ_CST);
    switch (control->what) {
    case TEAR:
        if (torn != NULL) torn(context);
        /* fall through */
    case KILL:
        kill(getpid(), SIGKILL);
        for (;;) pause();
    case SLEEP:
        usleep((useconds_t)control->micros);
        return 0;
    case BLOCK:
        while (*(volatile int32_t *)&control->armed) usleep(1000);
        return 0;
    default:
        errno = control->what;
        return 1;
    }
}

static int heeded(int kind) { return *(volatile int32_t *)&control->armed && (control->calls & kind); }

#define REAL(type, name, ...) \
    static type (*really)(__VA_ARGS__); \
    if (really == NULL) really = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

struct half { int fd; const void *data; size_t size; off64_t at; };

static void write_half(void *context) {
    REAL(ssize_t, "pwrite64", int, const void *, size_t, off64_t);
    struct half *half = context;
    if (half->at >= 0) {
        ssize_t written = really(half->fd, half->data, half->size / 2, half->at);
        (void)written;
    }
}

ssize_t write(int fd, const void *data, size_t size) {
    REAL(ssize_t, "write", int, const void *, size_t);
    if (heeded(WRITE) && fails(WRITE, opened(fd), NULL, NULL)) return -1;
    return really(fd, data, size);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    REAL(ssize_t, "pwrite64", int, const void *, size_t, off64_t);
    struct half half = {fd, data, size, at};
    if (heeded(WRITE) && fails(WRITE, opened(fd), write_half, &half)) return -1;
    return really(fd, data, size, at);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { return pwrite64(fd, data, size, at); }

ssize_t pread64(int fd, void *data, size_t size, off64_t at) {
    REAL(ssize_t, "pread64", int, void *, size_t, off64_t);
    if (heeded(READ) && fails(READ, opened(fd), NULL, NULL)) return -1;
    return really(fd, data, size, at);
}

ssize_t pread(int fd, void *data, size_t size, off_t at) { return pread64(fd, data, size, at); }

int fsync(int fd) {
    REAL(int, "fsync", int);
    if (heeded(SYNC) && fails(SYNC, opened(fd), NULL, NULL)) return -1;
    return really(fd);
}

int fdatasync(int fd) {
    REAL(int, "fdatasync", int);
    if (heeded(SYNC) && fails(SYNC, opened(fd), NULL, NULL)) return -1;
    return really(fd);
}

int ftruncate64(int fd, off64_t size) {
    REAL(int, "ftruncate64", int, off64_t);
    if (heeded(TRUNCATE) && fails(TRUNCATE, opened(fd), NULL, NULL)) return -1;
    return really(fd, size);
}

int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

static mode_t mode_of(int flags, va_list arguments) {
    return flags & (O_CREAT | __O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
}

#define OPENS(name) \
    int name(const char *path, int flags, ...) { \
        REAL(int, #name, const char *, int, ...); \
        va_list arguments; \
        va_start(arguments, flags); \
        mode_t mode = mode_of(flags, arguments); \
        va_end(arguments); \
        if (heeded(OPEN) && fails(OPEN, named(path), NULL, NULL)) return -1; \
        return really(path, flags, mode); \
    }

OPENS(open)
OPENS(open64)

int unlink(const char *path) {
    REAL(int, "unlink", const char *);
    if (heeded(UNLINK) && fails(UNLINK, named(path), NULL, NULL)) return -1;
    return really(path);
}
