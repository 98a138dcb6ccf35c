// SPDX-License-Identifier: Apache-2.0
/*
 * Release at the end of a scope: declare a variable with one of these and every return path
 * frees it. To hand the value on, copy it and set the variable to its empty value (NULL, -1).
 */
#ifndef COMMON_IO_SCOPE_H
#define COMMON_IO_SCOPE_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void scope_free(void *pointer_to_pointer)
{
    void **pointer = pointer_to_pointer;
    free(*pointer);
}

static inline void scope_close(const int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd); /* nothing can be done about it here; writers check fsync() */
    }
}

static inline void scope_fclose(FILE **file)
{
    if (*file != NULL) {
        (void)fclose(*file); /* for reading only; writers close by hand and check */
    }
}

#define SCOPE_FREE   __attribute__((cleanup(scope_free)))
#define SCOPE_CLOSE  __attribute__((cleanup(scope_close)))
#define SCOPE_FCLOSE __attribute__((cleanup(scope_fclose)))

#endif
