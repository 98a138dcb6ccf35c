// SPDX-License-Identifier: Apache-2.0
/*
 * What a person may set for the driver, after "xen:" on the agent's command line, as
 * "KEY=VALUE,KEY=VALUE". Pure.
 *
 *   tsc_mode=default|native|emulate   of PVH guests; native where Xen itself is emulated
 *   reserve_cpu=PERCENT               of one CPU, kept for dom0 (default 25)
 *   reserve_memory=MIB                kept free beside dom0's own memory (default 64)
 *   balloon_still=SECONDS             a balloon that has not moved for so long is stuck (15)
 *   migrate=yes|no                    guests go over to other hosts as they are (no)
 */
#ifndef NODE_AGENT_IO_XEN_XEN_SETTINGS_H
#define NODE_AGENT_IO_XEN_XEN_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

enum xen_tsc_mode { XEN_TSC_DEFAULT = 0, XEN_TSC_NATIVE = 1, XEN_TSC_EMULATE = 2 };

struct xen_settings {
    enum xen_tsc_mode tsc_mode;
    uint32_t reserve_cpu_pct;
    uint64_t reserve_memory_kib;
    int64_t balloon_still_ms;
    bool migrates;
};

/* -EINVAL with every mistake of the text. */
int xen_settings_parse(const char *text, struct xen_settings *out, struct err *err);

#endif
