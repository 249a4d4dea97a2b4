/* Injector: calls of libc that change files, counted, and one of them disturbed.

   Preloaded into a command and its children, which share the count. What is told to it is in
   disks.py and kills.py, by these variables:

   EVALWH_FAULT_AREA    file of 1024 bytes in which the count is kept and what was hit is written
   EVALWH_FAULT_FOLDERS folders whose files are meant, with colons between them
   EVALWH_FAULT_EXCEPT  folders in them whose files are not
   EVALWH_FAULT_AT      number of the call that is hit, from 1; 0 for none
   EVALWH_FAULT_ERROR   the errno with which it fails; 0 to let it be
   EVALWH_FAULT_LASTS   1: every later call fails, too
   EVALWH_FAULT_KILL    before, after: SIGKILL for the leader of the session, which is the command
   EVALWH_FAULT_CLOCK   seconds by which the clock is moved from the call on; from the start for 0

   An error hits only calls that can end with it: a full disk refuses no unlink. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* Kinds of calls, by what can go wrong with them. */
enum { OPENS = 1, WRITES = 2, SYNCS = 4, RENAMES = 8, REMOVES = 16, GROWS = 32, CREATES = 64,
       SHRINKS = 128 };

struct area {
    int64_t count;
    int64_t hits;
    int64_t clock;
    char call[32];
    char path[512];
};

static struct area *area;
static const char *folders, *exceptions;
static long at, error_number, clock_step;
static int lasts, kills_before, kills_after, kinds;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static long number(const char *name) {
    const char *said = getenv(name);
    return said ? atol(said) : 0;
}

static int kinds_of(long number) {
    switch (number) {
    case 0: return CREATES | WRITES | SYNCS | RENAMES | REMOVES | GROWS | SHRINKS;
    case EIO: return OPENS | CREATES | WRITES | SYNCS | RENAMES | GROWS | SHRINKS;
    case ENOSPC: case EDQUOT: return CREATES | WRITES | SYNCS | RENAMES | GROWS;
    case EROFS: return OPENS | CREATES | RENAMES | REMOVES | GROWS | SHRINKS;
    default: return OPENS | CREATES | RENAMES; /* EACCES */
    }
}

__attribute__((constructor)) static void begin(void) {
    const char *name = getenv("EVALWH_FAULT_AREA");
    if (!name) return;
    int descriptor = REAL(open)(name, O_RDWR | O_CLOEXEC);
    if (descriptor < 0) return;
    void *mapped = mmap(NULL, 1024, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    close(descriptor);
    if (mapped == MAP_FAILED) return;
    folders = getenv("EVALWH_FAULT_FOLDERS");
    exceptions = getenv("EVALWH_FAULT_EXCEPT");
    at = number("EVALWH_FAULT_AT");
    error_number = number("EVALWH_FAULT_ERROR");
    lasts = number("EVALWH_FAULT_LASTS");
    clock_step = number("EVALWH_FAULT_CLOCK");
    const char *killed = getenv("EVALWH_FAULT_KILL");
    kills_before = killed && !strcmp(killed, "before");
    kills_after = killed && !strcmp(killed, "after");
    kinds = kinds_of(error_number);
    area = mapped;
    if (clock_step && !at) area->clock = clock_step;
}

static int is_below(const char *path, const char *one) {
    while (one && *one) {
        size_t length = strcspn(one, ":");
        if (length && !strncmp(path, one, length) && (path[length] == '/' || !path[length]))
            return 1;
        one += length;
        if (*one) one++;
    }
    return 0;
}

static int is_meant(const char *path) {
    return is_below(path, folders) && !is_below(path, exceptions);
}

static int of_descriptor(int descriptor, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return 1;
}

static int absolute(int folder, const char *name, char *path) {
    if (name[0] == '/') return snprintf(path, PATH_MAX, "%s", name) < PATH_MAX;
    char base[PATH_MAX];
    if (folder == AT_FDCWD ? !getcwd(base, sizeof base) : !of_descriptor(folder, base)) return 0;
    return snprintf(path, PATH_MAX, "%s/%s", base, name) < PATH_MAX;
}

static void note(const char *call, const char *path) {
    if (__atomic_fetch_add(&area->hits, 1, __ATOMIC_SEQ_CST) == 0) {
        snprintf(area->call, sizeof area->call, "%s", call);
        snprintf(area->path, sizeof area->path, "%s", path);
    }
}

static void die(void) {
    pid_t leader = getsid(0);
    kill(leader, SIGKILL);
    /* A child goes on: what it does when the command is gone is part of the trial. */
    while (getpid() == leader) pause();
}

/* 1: fail with errno as set. 2: die after the call. 0: do it. */
static int disturbed(int kind, const char *call, const char *path) {
    if (!area || !(kind & kinds) || !is_meant(path)) return 0;
    int64_t count = __atomic_add_fetch(&area->count, 1, __ATOMIC_SEQ_CST);
    if (!at || (lasts ? count < at : count != at)) return 0;
    int saved = errno;
    note(call, path);
    errno = saved;
    if (clock_step) area->clock = clock_step;
    if (kills_before) die();
    if (kills_after) return 2;
    if (!error_number) return 0;
    errno = error_number;
    return 1;
}

static int disturbed_descriptor(int kind, const char *call, int descriptor) {
    char path[PATH_MAX];
    int saved = errno;
    if (!area || !(kind & kinds) || !of_descriptor(descriptor, path)) {
        errno = saved;
        return 0;
    }
    errno = saved;
    return disturbed(kind, call, path);
}

static int disturbed_name(int kind, const char *call, int folder, const char *name) {
    char path[PATH_MAX];
    if (!area || !(kind & kinds) || !name || !absolute(folder, name, path)) return 0;
    return disturbed(kind, call, path);
}

#define DO(type, failed, disturbance, ...)  \
    int how = disturbance;                  \
    if (how == 1) return failed;            \
    type result = __VA_ARGS__;              \
    if (how == 2) die();                    \
    return result

static int opens(int folder, const char *name, int flags) {
    if ((flags & O_ACCMODE) == O_RDONLY && !(flags & O_CREAT)) return 0;
    if (!(flags & O_CREAT) || !area || !name) return OPENS;
    int saved = errno;
    int is_there = faccessat(folder, name, F_OK, 0) == 0;
    errno = saved;
    return is_there ? OPENS : CREATES;
}

/* The mode, which callers give only where a file may be made. */
#define READ_MODE(flags)                                                              \
    mode_t mode = 0;                                                                  \
    if (flags & (O_CREAT | O_TMPFILE)) {                                              \
        va_list list;                                                                 \
        va_start(list, flags);                                                        \
        mode = va_arg(list, mode_t);                                                  \
        va_end(list);                                                                 \
    }

#define OPEN(name)                                                                    \
    int name(const char *path, int flags, ...) {                                      \
        READ_MODE(flags)                                                              \
        int kind = opens(AT_FDCWD, path, flags);                                      \
        DO(int, -1, disturbed_name(kind, #name, AT_FDCWD, path),                      \
           REAL(name)(path, flags, mode));                                            \
    }

#define OPENAT(name)                                                                  \
    int name(int folder, const char *path, int flags, ...) {                          \
        READ_MODE(flags)                                                              \
        int kind = opens(folder, path, flags);                                        \
        DO(int, -1, disturbed_name(kind, #name, folder, path),                        \
           REAL(name)(folder, path, flags, mode));                                    \
    }

OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

int creat(const char *path, mode_t mode) {
    int kind = opens(AT_FDCWD, path, O_WRONLY | O_CREAT);
    DO(int, -1, disturbed_name(kind, "creat", AT_FDCWD, path), REAL(creat)(path, mode));
}

#define FOPEN(name)                                                                   \
    FILE *name(const char *path, const char *mode) {                                  \
        int flags = strpbrk(mode, "wa") ? O_WRONLY | O_CREAT : strchr(mode, '+') ? O_RDWR : 0; \
        int kind = opens(AT_FDCWD, path, flags);                                      \
        DO(FILE *, NULL, disturbed_name(kind, #name, AT_FDCWD, path), REAL(name)(path, mode)); \
    }

FOPEN(fopen)
FOPEN(fopen64)

ssize_t write(int file, const void *bytes, size_t size) {
    DO(ssize_t, -1, disturbed_descriptor(WRITES, "write", file), REAL(write)(file, bytes, size));
}

#define PWRITE(name, offset_type)                                                     \
    ssize_t name(int file, const void *bytes, size_t size, offset_type offset) {      \
        DO(ssize_t, -1, disturbed_descriptor(WRITES, #name, file),                    \
           REAL(name)(file, bytes, size, offset));                                    \
    }

PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

ssize_t writev(int file, const struct iovec *parts, int count) {
    DO(ssize_t, -1, disturbed_descriptor(WRITES, "writev", file),
       REAL(writev)(file, parts, count));
}

#define SENDFILE(name, offset_type)                                                   \
    ssize_t name(int to, int from, offset_type *offset, size_t size) {                \
        DO(ssize_t, -1, disturbed_descriptor(WRITES, #name, to),                      \
           REAL(name)(to, from, offset, size));                                       \
    }

SENDFILE(sendfile, off_t)
SENDFILE(sendfile64, off64_t)

ssize_t copy_file_range(int from, off64_t *read_at, int to, off64_t *write_at, size_t size,
                        unsigned flags) {
    DO(ssize_t, -1, disturbed_descriptor(WRITES, "copy_file_range", to),
       REAL(copy_file_range)(from, read_at, to, write_at, size, flags));
}

/* FICLONE, by which a file system copies a file at once. */
int ioctl(int file, unsigned long request, ...) {
    va_list list;
    va_start(list, request);
    void *argument = va_arg(list, void *);
    va_end(list);
    int (*real)(int, unsigned long, ...) =
        (int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl");
    if (request != 0x40049409) return real(file, request, argument);
    DO(int, -1, disturbed_descriptor(GROWS, "ioctl", file), real(file, request, argument));
}

int fsync(int file) {
    DO(int, -1, disturbed_descriptor(SYNCS, "fsync", file), REAL(fsync)(file));
}

int fdatasync(int file) {
    DO(int, -1, disturbed_descriptor(SYNCS, "fdatasync", file), REAL(fdatasync)(file));
}

/* A full disk takes a file that becomes shorter. */
static int resizes(int file, off_t size) {
    struct stat now;
    return fstat(file, &now) == 0 && size > now.st_size ? GROWS : SHRINKS;
}

#define TRUNCATE(name, offset_type)                                                   \
    int name(int file, offset_type size) {                                            \
        DO(int, -1, disturbed_descriptor(resizes(file, size), #name, file),           \
           REAL(name)(file, size));                                                   \
    }

TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

int fallocate(int file, int mode, off_t offset, off_t size) {
    DO(int, -1, disturbed_descriptor(GROWS, "fallocate", file),
       REAL(fallocate)(file, mode, offset, size));
}

int posix_fallocate(int file, off_t offset, off_t size) {
    DO(int, errno, disturbed_descriptor(GROWS, "posix_fallocate", file),
       REAL(posix_fallocate)(file, offset, size));
}

int rename(const char *from, const char *to) {
    DO(int, -1, disturbed_name(RENAMES, "rename", AT_FDCWD, to), REAL(rename)(from, to));
}

int renameat(int from_folder, const char *from, int to_folder, const char *to) {
    DO(int, -1, disturbed_name(RENAMES, "renameat", to_folder, to),
       REAL(renameat)(from_folder, from, to_folder, to));
}

int link(const char *from, const char *to) {
    DO(int, -1, disturbed_name(RENAMES, "link", AT_FDCWD, to), REAL(link)(from, to));
}

int mkdir(const char *path, mode_t mode) {
    /* Of a folder that is there, every file system says so first. */
    int kind = opens(AT_FDCWD, path, O_WRONLY | O_CREAT) == CREATES ? RENAMES : 0;
    DO(int, -1, disturbed_name(kind, "mkdir", AT_FDCWD, path), REAL(mkdir)(path, mode));
}

int unlink(const char *path) {
    DO(int, -1, disturbed_name(REMOVES, "unlink", AT_FDCWD, path), REAL(unlink)(path));
}

int clock_gettime(clockid_t which, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = REAL(clock_gettime);
    int result = real(which, now);
    if (area && area->clock && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE))
        now->tv_sec += area->clock;
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    static int (*real)(struct timeval *restrict, void *restrict);
    if (!real) real = (int (*)(struct timeval *restrict, void *restrict))dlsym(RTLD_NEXT,
                                                                              "gettimeofday");
    int result = real(now, zone);
    if (area && area->clock) now->tv_sec += area->clock;
    return result;
}

time_t time(time_t *told) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (told) *told = now.tv_sec;
    return now.tv_sec;
}
