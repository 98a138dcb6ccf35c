// SPDX-License-Identifier: Apache-2.0
/*
 * Driver "model": a simulated host inside the agent, for the demo, for tests and for trying
 * out. It lives and dies with the agent's process: killing the agent is the loss of the node.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/io/clock.h"
#include "node-agent/core/host_model.h"
#include "node-agent/io/hypervisor.h"
#include "node-agent/io/model/load_file.h"
#include "node-agent/io/model/model_uri.h"

struct hypervisor {
    struct host_model *host;
    struct load_file load;
};

static void model_close(struct hypervisor *hypervisor)
{
    if (hypervisor != NULL) {
        host_model_destroy(hypervisor->host);
        free(hypervisor);
    }
}

static struct hypervisor *model_open(const struct hypervisor_settings *settings,
                                     struct err *err)
{
    struct model_uri uri;
    if (model_uri_parse(settings->uri, settings->seed, &uri, err) != 0) {
        (void)err_wrap(err, "driver model");
        return NULL;
    }
    struct hypervisor *hypervisor = calloc(1, sizeof *hypervisor);
    if (hypervisor == NULL) {
        err_set(err, -ENOMEM, "no memory for driver model");
        return NULL;
    }
    hypervisor->host = host_model_create(&uri.host, err);
    if (hypervisor->host == NULL) {
        model_close(hypervisor);
        return NULL;
    }
    (void)snprintf(hypervisor->load.path, sizeof hypervisor->load.path, "%s", uri.load);
    if (uri.load[0] != '\0' &&
        load_file_check(&hypervisor->load, hypervisor->host, clock_boot_ms(), err) != 0) {
        (void)err_wrap(err, "driver model: load");
        model_close(hypervisor);
        return NULL;
    }
    return hypervisor;
}

static int model_status(struct hypervisor *hypervisor, struct node_status *out, struct err *err)
{
    (void)err; /* cannot fail */
    host_model_status(hypervisor->host, out);
    return 0;
}

static void check_load(struct hypervisor *hypervisor, int64_t now_ms)
{
    if (hypervisor->load.path[0] != '\0' && now_ms >= hypervisor->load.next_ms) {
        /* While somebody rewrites the file it may be missing or half: the old loads go on. */
        (void)load_file_check(&hypervisor->load, hypervisor->host, now_ms, NULL);
    }
}

static int model_start(struct hypervisor *hypervisor, const struct hypervisor_call *call,
                       struct err *err)
{
    int64_t now_ms = clock_boot_ms();
    check_load(hypervisor, now_ms);
    return host_model_start(hypervisor->host, call, now_ms, err);
}

static int model_fd(const struct hypervisor *hypervisor)
{
    (void)hypervisor;
    return -1; /* time alone moves it */
}

static int64_t model_deadline_ms(const struct hypervisor *hypervisor)
{
    int64_t next = host_model_deadline_ms(hypervisor->host);
    bool sooner = hypervisor->load.path[0] != '\0' && hypervisor->load.next_ms < next;
    return sooner ? hypervisor->load.next_ms : next;
}

static int model_complete(struct hypervisor *hypervisor, int64_t now_ms,
                          struct hypervisor_completion *out)
{
    check_load(hypervisor, now_ms);
    return host_model_complete(hypervisor->host, now_ms, out);
}

const struct hypervisor_driver hypervisor_driver_entry = {
    .abi = HYPERVISOR_DRIVER_ABI,
    .size = sizeof(struct hypervisor_driver),
    .name = "model",
    .open = model_open,
    .close = model_close,
    .status = model_status,
    .start = model_start,
    .fd = model_fd,
    .deadline_ms = model_deadline_ms,
    .complete = model_complete,
};
