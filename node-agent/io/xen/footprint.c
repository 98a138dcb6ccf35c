// SPDX-License-Identifier: Apache-2.0
#include "node-agent/io/xen/footprint.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "common/io/scope.h"

#define ARENAS_MAX       2
#define LARGE_BYTES      (128 * 1024)
#define MAP_LINE_SIZE    512
#define CODE_PERMISSIONS "r-xp" /* code: nobody has written to these pages */

void footprint_limit(void)
{
    // NOLINTBEGIN(concurrency-mt-unsafe): there is one thread yet
    (void)mallopt(M_ARENA_MAX, ARENAS_MAX);
    (void)mallopt(M_MMAP_THRESHOLD, LARGE_BYTES); /* set by hand it does not grow */
    // NOLINTEND(concurrency-mt-unsafe)
}

void footprint_release_code(void)
{
    SCOPE_FCLOSE FILE *maps = fopen("/proc/self/maps", "re");
    char line[MAP_LINE_SIZE];
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
        uintptr_t begin = 0;
        uintptr_t end = 0;
        char permissions[8] = "";
        // NOLINTNEXTLINE(cert-err34-c): the kernel's own numbers
        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %7s", &begin, &end, permissions) == 3 &&
            strcmp(permissions, CODE_PERMISSIONS) == 0 && strchr(line, '/') != NULL) {
            // NOLINTNEXTLINE(performance-no-int-to-ptr): an address out of a file
            (void)madvise((void *)begin, end - begin, MADV_DONTNEED);
        }
    }
}
