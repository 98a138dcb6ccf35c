// SPDX-License-Identifier: Apache-2.0
/*
 * The work of a lab guest, in loops, not in CPU seconds: a guest whose hypervisor takes the
 * CPU away cannot tell how much of it it had.
 *   as a CGI program: ?loops=N thousands of steps, then an answer
 *   work burn FILE:   counts for ever and writes how far it is to FILE
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOOPS_DEFAULT 1000
#define LOOPS_MAX     1000000

static volatile unsigned sum;

static void steps(long thousands)
{
    for (long i = 0; i < thousands; i++) {
        for (unsigned k = 0; k < 1000; k++) {
            sum += k;
        }
    }
}

static int burn(const char *path)
{
    char other[256];
    (void)snprintf(other, sizeof other, "%s.new", path);
    time_t written = 0;
    for (unsigned long long done = 0;; done += 100) {
        steps(100);
        time_t now = time(NULL);
        if (now == written) {
            continue;
        }
        FILE *file = fopen(other, "w");
        if (file == NULL) {
            return EXIT_FAILURE;
        }
        (void)fprintf(file, "%llu\n", done);
        if (fclose(file) != 0 || rename(other, path) != 0) {
            return EXIT_FAILURE;
        }
        written = now;
    }
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "burn") == 0) {
        return burn(argv[2]);
    }
    long loops = LOOPS_DEFAULT;
    const char *query = getenv("QUERY_STRING");
    if (query != NULL && strncmp(query, "loops=", 6) == 0) {
        loops = strtol(query + 6, NULL, 10);
    }
    if (loops < 0 || loops > LOOPS_MAX) {
        printf("Status: 400\r\nContent-Type: text/plain\r\n\r\nloops: 0 to %d\n", LOOPS_MAX);
        return EXIT_SUCCESS;
    }
    steps(loops);
    printf("Content-Type: text/plain\r\n\r\n%ld loops\n", loops);
    return EXIT_SUCCESS;
}
