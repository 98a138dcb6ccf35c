// SPDX-License-Identifier: Apache-2.0
/* For plain programs: a requirement that does not hold ends the program with its place. */
#ifndef TESTS_THREADS_REQUIRE_H
#define TESTS_THREADS_REQUIRE_H

#include <stdio.h>
#include <stdlib.h>

#define REQUIRE(condition)                                                                     \
    do {                                                                                       \
        if (!(condition)) {                                                                    \
            (void)fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__,            \
                          #condition);                                                         \
            exit(EXIT_FAILURE);                                                                \
        }                                                                                      \
    } while (0)

#endif
