// SPDX-License-Identifier: Apache-2.0
/* Inside of host_check.c and host_check_xen.c: how lines are added. */
#ifndef NODE_AGENT_CORE_HOST_CHECK_PARTS_H
#define NODE_AGENT_CORE_HOST_CHECK_PARTS_H

#include "node-agent/core/host_check.h"

/* Adds a line; it stays valid. */
struct check_line *check_tell(struct host_report *out, const char *name, enum check_state state,
                              const char *format, ...) __attribute__((format(printf, 4, 5)));
/* What to do about it. */
void check_advise(struct check_line *line, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* ---- host_check_xen.c ---- */
void check_xen(const struct host_facts *facts, struct host_report *out);

#endif
