// SPDX-License-Identifier: Apache-2.0
#include "node-agent/core/host_model.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/model/object.h"
#include "node-agent/core/host_state.h"

#define CPUS_MAX 4096u

struct host_model *host_model_create(const struct host_model_config *config, struct err *err)
{
    if (config->cpus == 0 || config->cpus > CPUS_MAX || config->memory_kib == 0) {
        err_set(err, -EINVAL, "a model host needs 1 to %u CPUs and some memory", CPUS_MAX);
        return NULL;
    }
    if (!(config->speed_sigma >= 0 && config->speed_sigma <= 1) ||
        !(config->request_cpu_ms >= 0 && config->request_cpu_ms <= 1e6)) {
        err_set(err, -EINVAL, "speed deviation must be 0 to 1, request CPU time 0 to 1000 s");
        return NULL;
    }
    struct host_model *host = calloc(1, sizeof *host);
    if (host == NULL) {
        err_set(err, -ENOMEM, "no memory for a model host");
        return NULL;
    }
    host->config = *config;
    if (!(host->config.request_cpu_ms > 0)) {
        host->config.request_cpu_ms = 10;
    }
    if (host->config.speed_every_ms == 0) {
        host->config.speed_every_ms = 10000;
    }
    host->time_ms = INT64_MIN; /* set by the first call */
    host->next_ms = INT64_MAX;
    return host;
}

void host_model_destroy(struct host_model *host)
{
    free(host);
}

void host_model_status(const struct host_model *host, struct node_status *out)
{
    *out = (struct node_status){
        .driver = "model",
        .capabilities = CAPABILITY_CREATE | CAPABILITY_SHUTDOWN | CAPABILITY_REBOOT |
                        CAPABILITY_PAUSE | CAPABILITY_SUSPEND | CAPABILITY_VCPUS |
                        CAPABILITY_CAP | CAPABILITY_WEIGHT | CAPABILITY_MEMORY |
                        CAPABILITY_NET_RATE | CAPABILITY_DISK_RATE | CAPABILITY_SELF_FENCE |
                        CAPABILITY_MODEL,
        .cpu_pct = host->config.cpus * 100,
        .cpu_pct_total = host->config.cpus * 100,
        .memory_kib = host->config.memory_kib,
        .memory_kib_total = host->config.memory_kib,
        .vcpus_max = host->config.cpus,
        .image_formats = 1u << IMAGE_FORMAT_MODEL,
    };
}

/* Moves the clock on; the first call sets it. */
static void advance(struct host_model *host, int64_t now_ms)
{
    if (host->time_ms == INT64_MIN) {
        host->time_ms = now_ms;
    }
    host_advance(host, now_ms);
}

static bool lane_taken(const struct host_model *host, const struct hypervisor_call *call)
{
    for (uint32_t i = 0; i < HOST_CALLS_MAX; i++) {
        const struct host_call *other = &host->calls[i];
        if (other->used && other->call.kind != HYPERVISOR_CALL_LIST &&
            hypervisor_call_is_long(other->call.kind) == hypervisor_call_is_long(call->kind) &&
            strcmp(other->call.order.uuid, call->order.uuid) == 0) {
            return true;
        }
    }
    return false;
}

static int check_order(const struct host_model *host, const struct vm_order *order,
                       struct err *err)
{
    if (order->uuid[0] == '\0') {
        return err_set(err, -EINVAL, "a VM without uuid");
    }
    if (order->cap_pct == 0 || order->weight == 0 || order->memory_kib == 0) {
        return err_set(err, -EINVAL, "%s: cap, weight and memory must not be 0", order->vm);
    }
    if (order->vcpus == 0 || order->vcpus > host->config.cpus) {
        return err_set(err, -EINVAL, "%s: %u VCPUs on a host with %u CPUs", order->vm,
                       order->vcpus, host->config.cpus);
    }
    return 0;
}

static void enqueue(struct host_model *host, const struct hypervisor_call *call, uint32_t slot)
{
    int64_t due = host->time_ms + host_call_ms(host, call);
    bool late = call->deadline_ms > 0 && due > call->deadline_ms;
    struct host_call *entry = &host->calls[slot];
    entry->used = true;
    entry->finished = false;
    entry->due_ms = late ? call->deadline_ms : due;
    entry->code = late ? -ETIMEDOUT : 0;
    entry->reason = late ? REASON_TIME_OUT : REASON_NONE;
    entry->value = 0;
    entry->call = *call;
    uint32_t at = host->waiting_count;
    while (at > 0 && (host->waiting[at - 1].due_ms > entry->due_ms ||
                      (host->waiting[at - 1].due_ms == entry->due_ms &&
                       host->waiting[at - 1].id > call->id))) {
        host->waiting[at] = host->waiting[at - 1];
        at--;
    }
    host->waiting[at] = (struct host_queue_item){entry->due_ms, call->id, slot};
    host->waiting_count++;
}

int host_model_start(struct host_model *host, const struct hypervisor_call *call,
                     int64_t now_ms, struct err *err)
{
    if (host->off) {
        return err_set(err, -EIO, "the host is off");
    }
    advance(host, now_ms);
    bool is_list = call->kind == HYPERVISOR_CALL_LIST;
    if (call->kind == HYPERVISOR_CALL_UNSPECIFIED ||
        call->kind == HYPERVISOR_CALL_MIGRATE_LISTEN ||
        call->kind == HYPERVISOR_CALL_MIGRATE_OUT || call->kind == HYPERVISOR_CALL_MIGRATE_IN) {
        return err_set(err, -ENOTSUP, "the model cannot %s", hypervisor_call_word(call->kind));
    }
    if (!is_list && lane_taken(host, call)) {
        return err_set(err, -EBUSY, "%s: another call is under way", call->order.vm);
    }
    uint32_t slot = 0;
    while (slot < HOST_CALLS_MAX && host->calls[slot].used) {
        slot++;
    }
    if (slot == HOST_CALLS_MAX) {
        return err_set(err, -EBUSY, "%u calls are under way, the most", HOST_CALLS_MAX);
    }
    int rc = is_list ? 0 : check_order(host, &call->order, err);
    if (rc == 0 && !is_list) {
        rc = call->kind == HYPERVISOR_CALL_CREATE ? host_begin_create(host, &call->order, err)
                                                  : host_begin_on_guest(host, call, err);
    }
    if (rc == 0) {
        enqueue(host, call, slot);
    }
    return rc;
}

int host_model_complete(struct host_model *host, int64_t now_ms,
                        struct hypervisor_completion *out)
{
    if (host->off) {
        return 0;
    }
    advance(host, now_ms);
    if (host->finished_count == 0) {
        return 0;
    }
    struct host_call *entry = &host->calls[host->finished[host->finished_first]];
    host->finished_first = (host->finished_first + 1) % HOST_CALLS_MAX;
    host->finished_count--;
    assert(entry->finished);
    *out = (struct hypervisor_completion){.id = entry->call.id,
                                          .kind = entry->call.kind,
                                          .code = entry->code,
                                          .reason = entry->reason,
                                          .value = entry->value};
    if (entry->code == -ETIMEDOUT) {
        (void)snprintf(out->text, sizeof out->text, "%s of %s was not done by its deadline",
                       hypervisor_call_word(entry->call.kind), entry->call.order.vm);
    } else if (entry->code != 0) {
        (void)snprintf(out->text, sizeof out->text, "%s: the guest ended before",
                       entry->call.order.vm);
    } else if (entry->call.kind == HYPERVISOR_CALL_LIST) {
        host_read(host, &host->list);
        out->list = &host->list;
    }
    entry->used = false;
    return 1;
}

int64_t host_model_deadline_ms(const struct host_model *host)
{
    if (host->off) {
        return INT64_MAX;
    }
    if (host->finished_count > 0) {
        return host->time_ms;
    }
    return host->waiting_count > 0 ? host->waiting[0].due_ms : INT64_MAX;
}

void host_model_set_load(struct host_model *host, const char *service, double requests_per_s,
                         int64_t now_ms)
{
    advance(host, now_ms);
    double rate = requests_per_s > 0 && requests_per_s < 1e9 ? requests_per_s : 0;
    uint32_t at = 0;
    while (at < host->loads_count && strcmp(host->loads[at].service, service) != 0) {
        at++;
    }
    if (at == host->loads_count) {
        if (at == HOST_LOADS_MAX) {
            return; /* a host holds half as many VMs: what is beyond has none here */
        }
        (void)snprintf(host->loads[at].service, sizeof host->loads[at].service, "%s", service);
        host->loads_count++;
    }
    host->loads[at].requests_per_s = rate;
    host->stale = true;
}

void host_model_set_request_cpu(struct host_model *host, double request_cpu_ms, int64_t now_ms)
{
    advance(host, now_ms);
    host->config.request_cpu_ms = request_cpu_ms;
    host->stale = true;
}

void host_model_power_off(struct host_model *host, int64_t now_ms)
{
    advance(host, now_ms);
    host->off = true;
    host->waiting_count = 0;
    host->finished_count = 0;
    memset(host->guests, 0, sizeof host->guests);
    host->high = 0;
}

bool host_model_runs(const struct host_model *host, const char *uuid, uint64_t *generation)
{
    for (uint32_t i = 0; i < host->high; i++) {
        const struct guest *guest = &host->guests[i];
        if (guest->used && !guest->creating && guest->state == RUN_STATE_RUNNING &&
            strcmp(guest->order.uuid, uuid) == 0) {
            *generation = guest->order.generation;
            return true;
        }
    }
    return false;
}
