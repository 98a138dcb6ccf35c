// SPDX-License-Identifier: Apache-2.0
/* The only readers of clocks in the tree. */
#ifndef COMMON_IO_CLOCK_H
#define COMMON_IO_CLOCK_H

#include <stdint.h>

/* CLOCK_BOOTTIME: never jumps, goes on in suspend. Leases, deadlines, ages. */
int64_t clock_boot_ms(void);
int64_t clock_boot_us(void);
/* CLOCK_REALTIME: for people and for the store only. */
int64_t clock_wall_ms(void);
/* Sleeps until boot time deadline_ms; only tests and the client use it. */
void clock_sleep_until(int64_t deadline_ms);

#endif
