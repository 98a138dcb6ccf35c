// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>

#include "node-agent/io/xen/footprint.c"

static unsigned long file_kib(void)
{
    SCOPE_FCLOSE FILE *status = fopen("/proc/self/status", "re");
    char line[128];
    unsigned long kib = 0;
    while (status != NULL && fgets(line, sizeof line, status) != NULL) {
        if (sscanf(line, "RssFile: %lu", &kib) == 1) {
            break;
        }
    }
    return kib;
}

Test(footprint, code_that_was_only_needed_to_start_leaves_the_process_which_goes_on)
{
    footprint_limit();
    unsigned long before = file_kib();
    footprint_release_code();
    unsigned long after = file_kib();
    cr_assert_gt(before, 0);
    cr_assert_lt(after, before);
}
