// SPDX-License-Identifier: Apache-2.0
#include "common/io/clock.h"

#include <time.h>

static int64_t read_us(clockid_t clock)
{
    struct timespec now = {0};
    (void)clock_gettime(clock, &now); /* cannot fail with these clocks */
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_boot_ms(void)
{
    return read_us(CLOCK_BOOTTIME) / 1000;
}

int64_t clock_boot_us(void)
{
    return read_us(CLOCK_BOOTTIME);
}

int64_t clock_wall_ms(void)
{
    return read_us(CLOCK_REALTIME) / 1000;
}

void clock_sleep_until(int64_t deadline_ms)
{
    int64_t left_ms = deadline_ms - clock_boot_ms();
    if (left_ms > 0) {
        struct timespec pause = {.tv_sec = left_ms / 1000,
                                 .tv_nsec = (left_ms % 1000) * 1000000};
        (void)nanosleep(&pause, NULL);
    }
}
