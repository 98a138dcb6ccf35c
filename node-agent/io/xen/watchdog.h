// SPDX-License-Identifier: Apache-2.0
/*
 * The fence of a Xen host: the hypervisor's own watchdog timer of dom0, which reboots the host
 * when it fires, whatever dom0 does. What is armed when is decided in
 * node-agent/core/watchdog_plan.h; here are the call and the slot.
 *
 * Xen has two slots for a domain, and a slot goes on counting when the process that took it
 * ends. So its number is kept in a file below /run together with the boot id: the next agent
 * arms the same slot again, and after a reboot nobody believes it.
 */
#ifndef NODE_AGENT_IO_XEN_WATCHDOG_H
#define NODE_AGENT_IO_XEN_WATCHDOG_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

#define WATCHDOG_RUN_FOLDER "/run/arbiter-watchdog"

struct watchdog;

struct watchdog_options {
    const char *folder;  /* made if it is not there; its parent is */
    const char *name;    /* of the file in it: the node's */
    const char *boot_id; /* of this boot of dom0 */
    bool look_only;      /* the folder is not made; never armed */
    /* SCHEDOP_watchdog: slot 0 takes a free one. The slot that was taken, 0, or -errno. */
    int (*call)(void *context, uint32_t slot, uint32_t seconds);
    void *context;
};

struct watchdog *watchdog_create(const struct watchdog_options *options, struct err *err);
/* What is armed stays armed. NULL is fine. */
void watchdog_destroy(struct watchdog *watchdog);

/*
 * The host dies at until_ms (boot time) or up to two seconds before; 0: it does not. -ETIME: so
 * little is left that nothing can fire in time, or the calls were held up for so long; -ENOSPC:
 * others hold both slots. On an error what was armed before still stands, or something that
 * fires later than until_ms.
 */
int watchdog_arm(struct watchdog *watchdog, int64_t until_ms, struct err *err);

/* The watchdog of this host for a node; look_only: whether there is one, for a process that
 * never arms it. NULL with err: no Xen, or no right to it. */
struct watchdog *watchdog_open(const char *node, bool look_only, struct err *err);

/*
 * 0 when nothing starts guests at boot: the service xendomains is masked, or is not there. A
 * host that was fenced would else bring copies back that live elsewhere by now. root: "" or
 * where a test has its files. -EBUSY with what to do.
 */
int watchdog_check_xendomains(const char *root, struct err *err);

#endif
