/* Loaded into every program of a build (LD_PRELOAD), this gives another time: SHIFT seconds more than it is.
 *
 * libfaketime does the same, and hangs now and then: it takes memory and a semaphore of all programs while a program is being
 * loaded, at a moment when an allocator of the program's own cannot give any. Nothing here allocates or waits. */
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int failed = (int)syscall(SYS_clock_gettime, clock, now);
    if (failed == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec += SHIFT;
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    int failed = (int)syscall(SYS_gettimeofday, now, zone);
    if (failed == 0)
        now->tv_sec += SHIFT;
    return failed;
}

time_t time(time_t *now)
{
    struct timespec exact;
    if (clock_gettime(CLOCK_REALTIME, &exact) != 0)
        return -1;
    if (now)
        *now = exact.tv_sec;
    return exact.tv_sec;
}
