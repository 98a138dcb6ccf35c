// SPDX-License-Identifier: Apache-2.0
/*
 * The work of one request in a test guest, as a CGI program: burns ?ms=N ms of CPU time, 12
 * without it. CPU time, not a number of loops: so a request costs the same on every machine,
 * and how long it takes depends only on how much CPU the guest gets.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WORK_MS_DEFAULT 12
#define WORK_MS_MAX     10000

static double used_ms(void)
{
    struct timespec used = {0};
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (double)used.tv_sec * 1e3 + (double)used.tv_nsec / 1e6;
}

int main(void)
{
    double wanted_ms = WORK_MS_DEFAULT;
    const char *query = getenv("QUERY_STRING");
    if (query != NULL && strncmp(query, "ms=", 3) == 0) {
        wanted_ms = strtod(query + 3, NULL);
    }
    if (!(wanted_ms >= 0 && wanted_ms <= WORK_MS_MAX)) {
        printf("Status: 400\r\nContent-Type: text/plain\r\n\r\nms: 0 to %d\n", WORK_MS_MAX);
        return 0;
    }
    volatile unsigned sum = 0;
    while (used_ms() < wanted_ms) {
        for (unsigned i = 0; i < 1000; i++) {
            sum += i;
        }
    }
    printf("Content-Type: text/plain\r\n\r\nused %.1f ms of CPU\n", used_ms());
    return 0;
}
