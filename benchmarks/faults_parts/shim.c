/* Counts the file-system calls below one folder, and makes one of them fail.
 *
 * For LD_PRELOAD: what C, C++ and Rust libraries call is reached as well as what Python calls.
 * Nothing is counted until faults_arm. Build: gcc -shared -fPIC -O1 -o shim.so shim.c -ldl
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind { OPEN_READ, OPEN_WRITE, READ, WRITE, COPY, FLUSH, RENAME, MKDIR, UNLINK, CUT, MAP };

/* The name of each kind, the errors that the system may give, and whether a full disk refuses it. */
static const struct {
    const char *name;
    int errors[3];
    int takes_space;
} KINDS[] = {
    {"open to read", {EACCES, EIO}, 0},
    {"open to write", {ENOSPC, EACCES, EIO}, 0},
    {"read", {EIO, EINTR}, 0},
    {"write", {ENOSPC, EIO, EINTR}, 1},
    {"copy", {ENOSPC, EIO, EINTR}, 1},
    {"fsync", {ENOSPC, EIO, EINTR}, 1},
    {"rename", {ENOSPC, EACCES, EIO}, 1},
    {"mkdir", {ENOSPC, EACCES, EIO}, 1},
    {"unlink", {EACCES, EIO}, 0},
    {"truncate", {ENOSPC, EIO, EINTR}, 0},
    {"mmap", {ENOMEM, EACCES}, 0},
};

enum { FILES = 4096, PATH_LENGTH = 512, LOG_LENGTH = 1 << 22 };
static char root[PATH_LENGTH];
static size_t root_length;
static int is_armed, fails_at, turn, is_full;
static int count;
static char paths[FILES][PATH_LENGTH]; /* of open descriptors below the folder */
static char call_log[LOG_LENGTH];
static size_t log_used;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, name)

/* Counts from here on; the n-th call gets its `turn`-th error, and no call if n is 0. */
void faults_arm(const char *folder, int n, int which) {
    snprintf(root, sizeof root, "%s", folder);
    root_length = strlen(root);
    fails_at = n, turn = which, count = 0, is_full = 0, log_used = 0, is_armed = 1;
}

/* Stops; returns the log: a line "kind<TAB>path" for each call, and the error of a failed one. */
const char *faults_disarm(void) {
    is_armed = 0;
    call_log[log_used < LOG_LENGTH ? log_used : LOG_LENGTH - 1] = 0;
    return call_log;
}

static const char *below(int folder, const char *path) {
    static __thread char whole[2 * PATH_LENGTH];
    if (!is_armed || !path) return NULL;
    if (path[0] != '/' && folder >= 0 && folder < FILES && paths[folder][0]) {
        snprintf(whole, sizeof whole, "%s/%s", paths[folder], path);
        return whole;
    }
    return strncmp(path, root, root_length) == 0 ? path : NULL;
}

static const char *of_file(int file) {
    return is_armed && file >= 0 && file < FILES && paths[file][0] ? paths[file] : NULL;
}

/* Counts a call; 1 if it is to fail, with errno set. */
static int fails(enum kind kind, const char *path) {
    int error = 0;
    if (!path) return 0;
    pthread_mutex_lock(&lock);
    count++;
    if (is_full && KINDS[kind].takes_space) error = ENOSPC;
    if (count == fails_at) {
        error = KINDS[kind].errors[turn];
        is_full = error == ENOSPC; /* a full disk stays full */
    }
    if (log_used + 2 * PATH_LENGTH < LOG_LENGTH)
        log_used += snprintf(call_log + log_used, 2 * PATH_LENGTH, "%s\t%s\t%d\n",
                             KINDS[kind].name, path, error);
    pthread_mutex_unlock(&lock);
    if (error) errno = error;
    return error != 0;
}

static int remember(int file, const char *path) {
    if (file >= 0 && file < FILES && path) snprintf(paths[file], PATH_LENGTH, "%s", path);
    return file;
}

static enum kind opening(int flags) {
    return flags & (O_WRONLY | O_RDWR | O_CREAT) ? OPEN_WRITE : OPEN_READ;
}

static int opened(int (*call)(int, const char *, int, ...), int folder, const char *path,
                  int flags, mode_t mode) {
    const char *known = below(folder, path);
    char kept[2 * PATH_LENGTH];
    if (!known) return call(folder, path, flags, mode);
    snprintf(kept, sizeof kept, "%s", known);
    if (fails(opening(flags), kept)) return -1;
    return remember(call(folder, path, flags, mode), kept);
}

#define MODE(flags) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | O_TMPFILE)) { \
        va_list rest; \
        va_start(rest, flags); \
        mode = va_arg(rest, mode_t); \
        va_end(rest); \
    }

#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        REAL(int, "openat64", int, const char *, int, ...); \
        MODE(flags) \
        return opened(real, AT_FDCWD, path, flags, mode); \
    }
#define OPEN_AT(name) \
    int name(int folder, const char *path, int flags, ...) { \
        REAL(int, "openat64", int, const char *, int, ...); \
        MODE(flags) \
        return opened(real, folder, path, flags, mode); \
    }
OPEN(open)
OPEN(open64)
OPEN_AT(openat)
OPEN_AT(openat64)

int creat(const char *path, mode_t mode) { return open(path, O_WRONLY | O_CREAT | O_TRUNC, mode); }

#define FOPEN(name) \
    FILE *name(const char *path, const char *how) { \
        REAL(FILE *, #name, const char *, const char *); \
        const char *known = below(AT_FDCWD, path); \
        int writes = strpbrk(how, "wa+") != NULL; \
        if (fails(writes ? OPEN_WRITE : OPEN_READ, known)) return NULL; \
        FILE *file = real(path, how); \
        if (file) remember(fileno(file), known); \
        return file; \
    }
FOPEN(fopen)
FOPEN(fopen64)

int close(int file) {
    REAL(int, "close", int);
    if (file >= 0 && file < FILES) paths[file][0] = 0;
    return real(file);
}

/* A call on a descriptor. */
#define ON_FILE(type, name, kind, parameters, types, words) \
    type name parameters { \
        REAL(type, #name, types); \
        return fails(kind, of_file(file)) ? (type)-1 : real words; \
    }
#define TYPES(...) __VA_ARGS__
ON_FILE(ssize_t, read, READ, (int file, void *to, size_t n), TYPES(int, void *, size_t),
        (file, to, n))
ON_FILE(ssize_t, pread, READ, (int file, void *to, size_t n, off_t at),
        TYPES(int, void *, size_t, off_t), (file, to, n, at))
ON_FILE(ssize_t, pread64, READ, (int file, void *to, size_t n, off64_t at),
        TYPES(int, void *, size_t, off64_t), (file, to, n, at))
ON_FILE(ssize_t, readv, READ, (int file, const struct iovec *to, int n),
        TYPES(int, const struct iovec *, int), (file, to, n))
ON_FILE(ssize_t, write, WRITE, (int file, const void *from, size_t n),
        TYPES(int, const void *, size_t), (file, from, n))
ON_FILE(ssize_t, pwrite, WRITE, (int file, const void *from, size_t n, off_t at),
        TYPES(int, const void *, size_t, off_t), (file, from, n, at))
ON_FILE(ssize_t, pwrite64, WRITE, (int file, const void *from, size_t n, off64_t at),
        TYPES(int, const void *, size_t, off64_t), (file, from, n, at))
ON_FILE(ssize_t, writev, WRITE, (int file, const struct iovec *from, int n),
        TYPES(int, const struct iovec *, int), (file, from, n))
ON_FILE(ssize_t, sendfile, COPY, (int file, int from, off_t *at, size_t n),
        TYPES(int, int, off_t *, size_t), (file, from, at, n))
ON_FILE(ssize_t, sendfile64, COPY, (int file, int from, off64_t *at, size_t n),
        TYPES(int, int, off64_t *, size_t), (file, from, at, n))
ON_FILE(int, fsync, FLUSH, (int file), TYPES(int), (file))
ON_FILE(int, fdatasync, FLUSH, (int file), TYPES(int), (file))
ON_FILE(int, ftruncate, CUT, (int file, off_t length), TYPES(int, off_t), (file, length))
ON_FILE(int, ftruncate64, CUT, (int file, off64_t length), TYPES(int, off64_t), (file, length))

#define MMAP(name, offset) \
    void *name(void *at, size_t n, int protection, int flags, int file, offset from) { \
        REAL(void *, #name, void *, size_t, int, int, int, offset); \
        if (!(flags & MAP_ANONYMOUS) && fails(MAP, of_file(file))) return MAP_FAILED; \
        return real(at, n, protection, flags, file, from); \
    }
MMAP(mmap, off_t)
MMAP(mmap64, off64_t)

/* A call on a path. */
#define ON_PATH(name, kind, folder, parameters, types, words) \
    int name parameters { \
        REAL(int, #name, types); \
        return fails(kind, below(folder, path)) ? -1 : real words; \
    }
ON_PATH(rename, RENAME, AT_FDCWD, (const char *from, const char *path),
        TYPES(const char *, const char *), (from, path))
ON_PATH(renameat, RENAME, to, (int old, const char *from, int to, const char *path),
        TYPES(int, const char *, int, const char *), (old, from, to, path))
ON_PATH(renameat2, RENAME, to,
        (int old, const char *from, int to, const char *path, unsigned int flags),
        TYPES(int, const char *, int, const char *, unsigned int), (old, from, to, path, flags))
ON_PATH(mkdir, MKDIR, AT_FDCWD, (const char *path, mode_t mode), TYPES(const char *, mode_t),
        (path, mode))
ON_PATH(mkdirat, MKDIR, folder, (int folder, const char *path, mode_t mode),
        TYPES(int, const char *, mode_t), (folder, path, mode))
ON_PATH(unlink, UNLINK, AT_FDCWD, (const char *path), TYPES(const char *), (path))
ON_PATH(unlinkat, UNLINK, folder, (int folder, const char *path, int flags),
        TYPES(int, const char *, int), (folder, path, flags))
ON_PATH(rmdir, UNLINK, AT_FDCWD, (const char *path), TYPES(const char *), (path))
