// SPDX-License-Identifier: Apache-2.0
/* Driver "none": a host without hypervisor, for gateways. It has no capacity and no VMs. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "node-agent/io/hypervisor.h"

struct hypervisor {
    uint64_t list_call; /* under way; 0: none */
    struct domain_list list;
};

static struct hypervisor *none_open(const struct hypervisor_settings *settings, struct err *err)
{
    if (settings->uri[0] != '\0') {
        err_set(err, -EINVAL, "driver none takes no \"%s\"", settings->uri);
        return NULL;
    }
    struct hypervisor *hypervisor = calloc(1, sizeof *hypervisor);
    if (hypervisor == NULL) {
        err_set(err, -ENOMEM, "no memory for driver none");
    }
    return hypervisor;
}

static void none_close(struct hypervisor *hypervisor)
{
    free(hypervisor);
}

static int none_status(struct hypervisor *hypervisor, struct node_status *out, struct err *err)
{
    (void)hypervisor;
    (void)err;
    *out = (struct node_status){.driver = "none"};
    return 0;
}

static int none_start(struct hypervisor *hypervisor, const struct hypervisor_call *call,
                      struct err *err)
{
    if (call->kind != HYPERVISOR_CALL_LIST) {
        return err_set(err, -ENOTSUP, "this host has no hypervisor: no %s",
                       hypervisor_call_word(call->kind));
    }
    if (hypervisor->list_call != 0) {
        return err_set(err, -EBUSY, "a list is under way");
    }
    hypervisor->list_call = call->id;
    return 0;
}

static int none_fd(const struct hypervisor *hypervisor)
{
    (void)hypervisor;
    return -1;
}

static int64_t none_deadline_ms(const struct hypervisor *hypervisor)
{
    return hypervisor->list_call != 0 ? 0 : INT64_MAX;
}

static int none_complete(struct hypervisor *hypervisor, int64_t now_ms,
                         struct hypervisor_completion *out)
{
    if (hypervisor->list_call == 0) {
        return 0;
    }
    *out = (struct hypervisor_completion){.id = hypervisor->list_call,
                                          .kind = HYPERVISOR_CALL_LIST,
                                          .reason = REASON_NONE,
                                          .list = &hypervisor->list};
    hypervisor->list.read_at_ms = now_ms;
    hypervisor->list_call = 0;
    return 1;
}

const struct hypervisor_driver hypervisor_driver_entry = {
    .abi = HYPERVISOR_DRIVER_ABI,
    .size = sizeof(struct hypervisor_driver),
    .name = "none",
    .open = none_open,
    .close = none_close,
    .status = none_status,
    .start = none_start,
    .fd = none_fd,
    .deadline_ms = none_deadline_ms,
    .complete = none_complete,
};
