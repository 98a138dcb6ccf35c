// SPDX-License-Identifier: Apache-2.0
/*
 * The driver interface between an agent and its hypervisor, shaped on what libxl can do. A
 * driver is a loadable module: it exports one symbol, hypervisor_driver_entry, of type struct
 * hypervisor_driver. No type of a hypervisor's library is seen outside its driver.
 *
 * Calls are start and complete: start() checks and returns at once; the work is done elsewhere
 * (threads of the driver, or time for the model) and its end is fetched with complete() when
 * fd() is readable. Short calls (cap, weight, VCPUs, memory, rates, list) never wait behind
 * long ones (create, shutdown, suspend, restore, migrate): a driver has a lane for each. One
 * call per VM and lane is under way at a time; the agent sees to that. All functions are called
 * from one thread.
 *
 * Sentinels of a hypervisor (cap 0 or -1 for "none") are translated in the driver and never
 * leave it.
 */
#ifndef NODE_AGENT_IO_HYPERVISOR_H
#define NODE_AGENT_IO_HYPERVISOR_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "node-agent/core/hypervisor_call.h"

#define HYPERVISOR_DRIVER_ABI   2
#define HYPERVISOR_DRIVER_ENTRY "hypervisor_driver_entry"

struct hypervisor; /* an open connection, the driver's own */

struct hypervisor_settings {
    const char *uri; /* after "driver:" on the command line, e.g. "lxc:///"; may be "" */
    const char
        *state_folder; /* for saved VMs, disks and what must survive a restart of the agent */
    const char *node;  /* name of this node; marks domains as ours together with the uuid */
    uint64_t seed;     /* model only */
    bool look_only; /* open, status and close change nothing on the host; start is not called */
};

struct hypervisor_driver {
    uint32_t abi;  /* HYPERVISOR_DRIVER_ABI */
    uint32_t size; /* sizeof(struct hypervisor_driver) */
    const char *name;

    /* Connects. NULL with err: the agent stops with that text. */
    struct hypervisor *(*open)(const struct hypervisor_settings *settings, struct err *err);
    /* Calls under way are abandoned; guests stay as they are. NULL is fine. */
    void (*close)(struct hypervisor *hypervisor);

    /* Capability bits and capacity of the host, read anew. 0 or negative errno. */
    int (*status)(struct hypervisor *hypervisor, struct node_status *out, struct err *err);

    /*
     * Begins a call; call is borrowed. -ENOTSUP: not in the capabilities; -EBUSY: the lane of
     * this VM is taken; -EINVAL. On an error nothing was begun and no completion comes.
     */
    int (*start)(struct hypervisor *hypervisor, const struct hypervisor_call *call,
                 struct err *err);

    /* A descriptor that is readable when complete() has something; -1: ask at deadline_ms. */
    int (*fd)(const struct hypervisor *hypervisor);
    /* When complete() should be asked next, boot-time ms; INT64_MAX: only by fd(). */
    int64_t (*deadline_ms)(const struct hypervisor *hypervisor);

    /* The next finished call: 1 and *out filled, 0 when there is none. now_ms: boot time. */
    int (*complete)(struct hypervisor *hypervisor, int64_t now_ms,
                    struct hypervisor_completion *out);

    /*
     * CAPABILITY_SELF_FENCE by the hypervisor: the host dies at until_ms (boot time) or a
     * little before, whatever becomes of this process, unless this is called again; 0: never.
     * Short, from the agent's thread. On an error what was armed before still stands. NULL: the
     * agent arms a timer that kills its own process (node-agent/io/self_fence.h).
     */
    int (*arm)(struct hypervisor *hypervisor, int64_t until_ms, struct err *err);
};

#endif
