// SPDX-License-Identifier: Apache-2.0
/*
 * Preloaded into httperf, which asks its sockets 15,000 times a second whether something came
 * and so takes a CPU for itself: on a small machine it would take it from those that it
 * measures. Here it waits up to half a millisecond for its sockets instead.
 */
#include <signal.h>
#include <stddef.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int pselect(int count, fd_set *restrict reading, fd_set *restrict writing,
            fd_set *restrict special, const struct timespec *restrict timeout,
            const sigset_t *restrict mask)
{
    struct timespec patience = {.tv_nsec = 500000};
    if (timeout != NULL && (timeout->tv_sec > 0 || timeout->tv_nsec > patience.tv_nsec)) {
        patience = *timeout;
    }
    struct {
        const sigset_t *mask;
        size_t size;
    } with_size = {mask, sizeof(unsigned long)};
    struct timespec *left = timeout == NULL ? NULL : &patience; /* the kernel may change it */
    return (int)syscall(SYS_pselect6, count, reading, writing, special, left, &with_size);
}

int select(int count, fd_set *restrict reading, fd_set *restrict writing,
           fd_set *restrict special, struct timeval *restrict timeout)
{
    struct timespec wait = {0};
    if (timeout != NULL) {
        wait = (struct timespec){.tv_sec = timeout->tv_sec, .tv_nsec = timeout->tv_usec * 1000};
    }
    return pselect(count, reading, writing, special, timeout == NULL ? NULL : &wait, NULL);
}
