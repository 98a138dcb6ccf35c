// SPDX-License-Identifier: Apache-2.0
/* The table of schedulers: a new one is a file and a line here. */
#include <stddef.h>
#include <string.h>

#include "schedulers/builtin.h"
#include "schedulers/scheduler.h"

static const struct scheduler *const known[] = {
    &scheduler_response_time, &scheduler_deadline, &scheduler_gang,
    &scheduler_search,        &scheduler_fixed,    &scheduler_threshold,
    &scheduler_vpa,           &scheduler_pid,      NULL,
};

const struct scheduler *scheduler_find(const char *name)
{
    for (size_t i = 0; known[i] != NULL; i++) {
        if (strcmp(known[i]->name, name) == 0) {
            return known[i];
        }
    }
    return NULL;
}

const struct scheduler *scheduler_default(enum service_kind kind)
{
    switch (kind) {
    case SERVICE_KIND_WEB: return &scheduler_response_time;
    case SERVICE_KIND_QUEUE: return &scheduler_deadline;
    case SERVICE_KIND_CLUSTER: return &scheduler_gang;
    case SERVICE_KIND_UNSPECIFIED: break;
    }
    return &scheduler_fixed;
}

const struct scheduler *const *scheduler_all(void)
{
    return known;
}
