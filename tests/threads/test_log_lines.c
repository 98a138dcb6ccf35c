// SPDX-License-Identifier: Apache-2.0
/* Threads that log at once do not mix their lines, and no text can forge one. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/io/log.h"
#include "tests/threads/require.h"

enum { WRITERS = 4, LINES = 500 };

static void *writer(void *argument)
{
    const int *number = argument;
    for (int i = 0; i < LINES; i++) {
        log_line(LOG_LEVEL_INFO,
                 "writer %d line %d \"quoted\" back\\slash\nlevel=error forged %s", *number, i,
                 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
        log_line(LOG_LEVEL_DEBUG, "not shown at this level");
    }
    return NULL;
}

static void check(FILE *file)
{
    int next[WRITERS] = {0};
    char line[1024];
    int count = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        int number = -1;
        int index = -1;
        const char *text = strstr(line, " level=info program=arbiter-test msg=\"writer ");
        REQUIRE(strncmp(line, "time=20", 7) == 0);
        REQUIRE(text != NULL);
        REQUIRE(sscanf(strstr(text, "writer"), "writer %d line %d", &number, &index) == 2);
        REQUIRE(number >= 0 && number < WRITERS);
        REQUIRE(index == next[number]++);
        REQUIRE(strstr(line, "\\\"quoted\\\" back\\\\slash\\nlevel=error") != NULL);
        REQUIRE(line[strlen(line) - 2] == '"');
        count++;
    }
    REQUIRE(count == WRITERS * LINES);
}

int main(void)
{
    char path[] = "/tmp/arbiter-log-XXXXXX";
    int fd = mkstemp(path);
    REQUIRE(fd >= 0);
    REQUIRE(dup2(fd, STDERR_FILENO) == STDERR_FILENO);
    log_init("arbiter-test", LOG_LEVEL_INFO);
    pthread_t threads[WRITERS];
    int numbers[WRITERS];
    for (int i = 0; i < WRITERS; i++) {
        numbers[i] = i;
        REQUIRE(pthread_create(&threads[i], NULL, writer, &numbers[i]) == 0);
    }
    for (int i = 0; i < WRITERS; i++) {
        REQUIRE(pthread_join(threads[i], NULL) == 0);
    }
    FILE *file = fopen(path, "re");
    REQUIRE(file != NULL);
    check(file);
    REQUIRE(fclose(file) == 0);
    REQUIRE(unlink(path) == 0);
    REQUIRE(close(fd) == 0);
    (void)printf("ok %d lines of %d threads\n", WRITERS * LINES, WRITERS);
    return 0;
}
