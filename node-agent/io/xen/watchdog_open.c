// SPDX-License-Identifier: Apache-2.0
/* The hypercall of the watchdog, and whether it works here. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xencall.h>
#include <xenctrl.h>
/* below what xenctrl.h defines */
#include <xen/sched.h>

#include "common/io/scope.h"
#include "common/limits.h"
#include "node-agent/io/xen/watchdog.h"

#define NO_SUCH_SLOT UINT32_MAX

/* A handle for the life of the process: closing it would not disarm anything. */
static int call_watchdog(void *context, uint32_t slot, uint32_t seconds)
{
    xencall_handle *handle = context;
    struct sched_watchdog *argument = xencall_alloc_buffer(handle, sizeof *argument);
    if (argument == NULL) {
        return -ENOMEM;
    }
    *argument = (struct sched_watchdog){.id = slot, .timeout = seconds};
    int rc = xencall2(handle, __HYPERVISOR_sched_op, SCHEDOP_watchdog,
                      (uint64_t)(uintptr_t)argument);
    int code = errno;
    xencall_free_buffer(handle, argument);
    return rc >= 0 ? rc : -code;
}

static int read_boot_id(char out[UUID_SIZE], struct err *err)
{
    SCOPE_FCLOSE FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
    if (file == NULL || fgets(out, UUID_SIZE, file) == NULL) {
        return err_set(err, -EIO, "the boot id of this host cannot be read");
    }
    out[strcspn(out, "\n")] = '\0';
    return 0; // cppcheck-suppress resourceLeak ; closed by its scope
}

/* Xen answers for a slot that cannot be: it has the call, and dom0 may use it. Nothing is
 * armed. */
static int check_call(xencall_handle *handle, struct err *err)
{
    int rc = call_watchdog(handle, NO_SUCH_SLOT, 1);
    if (rc == -EINVAL) {
        return 0;
    }
    int code = rc < 0 ? -rc : EIO;
    return err_set(err, -code, "Xen's watchdog cannot be used: %s", strerrordesc_np(code));
}

struct watchdog *watchdog_open(const char *node, bool look_only, struct err *err)
{
    char boot_id[UUID_SIZE] = "";
    if (read_boot_id(boot_id, err) != 0) {
        return NULL;
    }
    xencall_handle *handle = xencall_open(NULL, 0);
    if (handle == NULL) {
        err_set(err, -errno, "Xen's watchdog: no hypercalls from here: %s",
                strerrordesc_np(errno));
        return NULL;
    }
    struct watchdog *watchdog = NULL;
    if (check_call(handle, err) == 0) {
        const struct watchdog_options options = {.folder = WATCHDOG_RUN_FOLDER,
                                                 .name = node,
                                                 .look_only = look_only,
                                                 .boot_id = boot_id,
                                                 .call = call_watchdog,
                                                 .context = handle};
        watchdog = watchdog_create(&options, err);
    }
    if (watchdog == NULL) {
        (void)xencall_close(handle);
    }
    return watchdog;
}
