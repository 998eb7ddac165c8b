/* Shifts the wall clock of the processes that preload it by the seconds in SHIFT, at once and while they run.

   A container has its kernel's clock, and a time namespace covers the other clocks only. The file is mapped, so that
   a look costs no system call that a unit's filter could refuse. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define SHIFT "/usr/lib/mastowatch-clock-shift"

static const volatile int64_t *shift;
static int (*real_clock_gettime)(clockid_t, struct timespec *);

__attribute__((constructor)) static void open_shift(void) {
    real_clock_gettime = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int file = open(SHIFT, O_RDONLY | O_CLOEXEC);
    if (file < 0) return;
    void *where = mmap(0, sizeof *shift, PROT_READ, MAP_SHARED, file, 0);
    if (where != MAP_FAILED) shift = where;
    close(file);
}

int clock_gettime(clockid_t clock, struct timespec *at) {
    if (!real_clock_gettime) open_shift();
    int status = real_clock_gettime(clock, at);
    if (!status && shift && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) at->tv_sec += *shift;
    return status;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
    (void)zone;
    struct timespec now;
    int status = clock_gettime(CLOCK_REALTIME, &now);
    if (!status) *at = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
    return status;
}

time_t time(time_t *where) {
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now)) return (time_t)-1;
    if (where) *where = now.tv_sec;
    return now.tv_sec;
}
