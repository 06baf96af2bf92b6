/* Loaded before the C library into a test's child: no file grows beyond a limit, as on a disk that is full.
 *
 * The limit, in bytes, is the number in the file that PAYDECK_TEST_FULL names; below zero there is none. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int control = -1;

__attribute__((constructor)) static void open_control(void)
{
    const char *path = getenv("PAYDECK_TEST_FULL");
    if (path)
        control = open(path, O_RDONLY | O_CLOEXEC);
}

static int is_full(int fd, off_t end)
{
    long long limit;
    struct stat found;
    if (control < 0 || pread(control, &limit, sizeof limit, 0) != sizeof limit || limit < 0)
        return 0;
    return fstat(fd, &found) == 0 && S_ISREG(found.st_mode) && end > found.st_size && end > limit;
}

static ssize_t no_space(void)
{
    errno = ENOSPC;
    return -1;
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at)
{
    static ssize_t (*real)(int, const void *, size_t, off64_t);
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "pwrite64");
    return is_full(fd, at + (off_t)count) ? no_space() : real(fd, bytes, count, at);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at)
{
    static ssize_t (*real)(int, const void *, size_t, off_t);
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "pwrite");
    return is_full(fd, at + (off_t)count) ? no_space() : real(fd, bytes, count, at);
}

ssize_t write(int fd, const void *bytes, size_t count)
{
    static ssize_t (*real)(int, const void *, size_t);
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "write");
    off_t at = lseek(fd, 0, SEEK_CUR);
    return at >= 0 && is_full(fd, at + (off_t)count) ? no_space() : real(fd, bytes, count);
}
