// SPDX-License-Identifier: Apache-2.0
/* What each call does to a guest of the simulated host: checks at its start, effect at its end.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "node-agent/core/host_state.h"

struct guest *host_find_guest(struct host_model *host, const char *uuid)
{
    for (uint32_t i = 0; i < host->high; i++) {
        if (host->guests[i].used && strcmp(host->guests[i].order.uuid, uuid) == 0) {
            return &host->guests[i];
        }
    }
    return NULL;
}

static uint64_t memory_free_kib(const struct host_model *host)
{
    uint64_t used = 0;
    for (uint32_t i = 0; i < host->high; i++) {
        const struct guest *guest = &host->guests[i];
        bool holds = guest->creating || guest->state == RUN_STATE_RUNNING ||
                     guest->state == RUN_STATE_PAUSED;
        if (guest->used && holds) {
            uint64_t actual = guest_memory_kib(guest, host->time_ms);
            used += actual > guest->memory_target_kib ? actual : guest->memory_target_kib;
        }
    }
    return used < host->config.memory_kib ? host->config.memory_kib - used : 0;
}

static int no_memory(const struct host_model *host, uint64_t need_kib, const char *vm,
                     struct err *err)
{
    return err_set(err, -ENOSPC, "%s needs %llu MiB of memory, the host has %llu MiB free", vm,
                   (unsigned long long)(need_kib >> 10),
                   (unsigned long long)(memory_free_kib(host) >> 10));
}

static uint64_t name_hash(const char *text)
{
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */
    for (; *text != '\0'; text++) {
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
    }
    return hash;
}

static struct guest *free_guest(struct host_model *host)
{
    for (uint32_t i = 0; i < VMS_PER_NODE_MAX; i++) {
        if (!host->guests[i].used) {
            if (i >= host->high) {
                host->high = i + 1;
            }
            return &host->guests[i];
        }
    }
    return NULL;
}

int host_begin_create(struct host_model *host, const struct vm_order *order, struct err *err)
{
    struct guest *guest = host_find_guest(host, order->uuid);
    if (guest != NULL && guest->state != RUN_STATE_STOPPED &&
        guest->state != RUN_STATE_CRASHED) {
        return err_set(err, -EEXIST, "%s exists and is %s", order->vm,
                       run_state_word(guest->state));
    }
    if (order->memory_kib > memory_free_kib(host)) {
        return no_memory(host, order->memory_kib, order->vm, err);
    }
    /* A stopped guest has its disk still, and with it what it had worked. */
    bool kept = guest != NULL && guest->order.generation == order->generation;
    uint64_t work_ns = kept ? guest->work_ns : 0;
    if (guest == NULL) {
        guest = free_guest(host);
    }
    if (guest == NULL) {
        return err_set(err, -ENOSPC, "the host holds %d VMs, its most", VMS_PER_NODE_MAX);
    }
    *guest = (struct guest){.used = true,
                            .creating = true,
                            .state = RUN_STATE_PAUSED,
                            .order = *order,
                            .cap_pct = order->cap_pct,
                            .weight = order->weight,
                            .vcpus = order->vcpus,
                            .vcpus_wanted = order->vcpus,
                            .memory_from_kib = order->memory_kib,
                            .memory_target_kib = order->memory_kib,
                            .memory_since_ms = host->time_ms,
                            .net_rate_kib_s = order->net_rate_kib_s,
                            .disk_rate_kib_s = order->disk_rate_kib_s,
                            .load_share_permille = order->load_share_permille,
                            .never_ran = true,
                            .work_ns = work_ns,
                            .speed_ppm = SPEED_ONE,
                            .speed_next_ms = INT64_MAX};
    rng_init(&guest->rng, host->config.seed + name_hash(order->uuid));
    return 0;
}

/* Checks a call on an existing guest and takes what it needs before it is begun. */
int host_begin_on_guest(struct host_model *host, const struct hypervisor_call *call,
                        struct err *err)
{
    const struct vm_order *order = &call->order;
    struct guest *guest = host_find_guest(host, order->uuid);
    if (call->kind == HYPERVISOR_CALL_DESTROY) {
        return 0; /* not there: that is what was asked for */
    }
    if (guest == NULL || (guest->creating && !hypervisor_call_is_long(call->kind))) {
        return err_set(err, -EINVAL, "%s: no such VM on this host", order->vm);
    }
    if (call->kind == HYPERVISOR_CALL_RESTORE) {
        if (guest->state != RUN_STATE_SUSPENDED) {
            return err_set(err, -EINVAL, "%s is %s, not suspended", order->vm,
                           run_state_word(guest->state));
        }
        if (guest->memory_target_kib > memory_free_kib(host)) {
            return no_memory(host, guest->memory_target_kib, order->vm, err);
        }
        guest->creating = true;
        return 0;
    }
    bool lives = guest->state == RUN_STATE_RUNNING || guest->state == RUN_STATE_PAUSED;
    if (!lives) {
        return err_set(err, -EINVAL, "%s is %s", order->vm, run_state_word(guest->state));
    }
    if ((call->kind == HYPERVISOR_CALL_SHUTDOWN || call->kind == HYPERVISOR_CALL_REBOOT) &&
        guest->state != RUN_STATE_RUNNING) {
        return err_set(err, -EINVAL, "%s is paused and cannot hear it", order->vm);
    }
    uint64_t actual = guest_memory_kib(guest, host->time_ms);
    if (call->kind == HYPERVISOR_CALL_MEMORY && order->memory_kib > actual &&
        order->memory_kib > guest->memory_target_kib &&
        order->memory_kib - actual > memory_free_kib(host)) {
        return no_memory(host, order->memory_kib - actual, order->vm, err);
    }
    return 0;
}

int64_t host_call_ms(const struct host_model *host, const struct hypervisor_call *call)
{
    int64_t base = host->config.call_ms;
    uint64_t save_ms = call->order.memory_kib / SAVE_KIB_PER_MS;
    switch (call->kind) {
    case HYPERVISOR_CALL_SHUTDOWN:
    case HYPERVISOR_CALL_REBOOT: return base + host->config.shutdown_ms;
    case HYPERVISOR_CALL_SUSPEND:
    case HYPERVISOR_CALL_RESTORE: return base + (int64_t)save_ms;
    case HYPERVISOR_CALL_UNSPECIFIED:
    case HYPERVISOR_CALL_LIST:
    case HYPERVISOR_CALL_CAP:
    case HYPERVISOR_CALL_WEIGHT:
    case HYPERVISOR_CALL_VCPUS:
    case HYPERVISOR_CALL_MEMORY:
    case HYPERVISOR_CALL_NET_RATE:
    case HYPERVISOR_CALL_DISK_RATE:
    case HYPERVISOR_CALL_PAUSE:
    case HYPERVISOR_CALL_RESUME:
    case HYPERVISOR_CALL_DESTROY:
    case HYPERVISOR_CALL_LOAD_SHARE:
    case HYPERVISOR_CALL_CREATE:
    case HYPERVISOR_CALL_MIGRATE_LISTEN:
    case HYPERVISOR_CALL_MIGRATE_OUT:
    case HYPERVISOR_CALL_MIGRATE_IN: break;
    }
    return base;
}

static void start_boot(struct host_model *host, struct guest *guest)
{
    guest->state = RUN_STATE_RUNNING;
    guest->booting = true;
    guest->backlog_ns = 0;
    guest->booted_at_ms = host->time_ms + host->config.boot_ms;
    guest->speed_next_ms = INT64_MAX;
}

static void end_guest(struct guest *guest, enum run_state state)
{
    guest->state = state;
    guest->booting = false;
    guest->rate_ns = 0;
    guest->backlog_ns = 0;
}

static void set_vcpus(struct host_model *host, struct guest *guest, uint32_t vcpus)
{
    static const char stubborn[] = "-novcpu"; /* such a guest never onlines or offlines one */
    size_t length = strlen(guest->order.image);
    size_t tail = sizeof stubborn - 1;
    if (length < tail || strcmp(guest->order.image + length - tail, stubborn) != 0) {
        guest->vcpus_wanted = vcpus;
        guest->vcpus_due_ms = host->time_ms + VCPU_ONLINE_MS;
    }
}

/* Short calls; the value is what reading back shows at once. */
static uint64_t apply_short(struct host_model *host, struct guest *guest,
                            const struct hypervisor_call *call)
{
    const struct vm_order *order = &call->order;
    if (call->kind == HYPERVISOR_CALL_CAP) {
        return guest->cap_pct = order->cap_pct;
    }
    if (call->kind == HYPERVISOR_CALL_WEIGHT) {
        return guest->weight = order->weight;
    }
    if (call->kind == HYPERVISOR_CALL_VCPUS) {
        set_vcpus(host, guest, order->vcpus);
        return order->vcpus;
    }
    if (call->kind == HYPERVISOR_CALL_MEMORY) {
        guest->memory_from_kib = guest_memory_kib(guest, host->time_ms);
        guest->memory_since_ms = host->time_ms;
        return guest->memory_target_kib = order->memory_kib;
    }
    if (call->kind == HYPERVISOR_CALL_NET_RATE) {
        return guest->net_rate_kib_s = order->net_rate_kib_s;
    }
    if (call->kind == HYPERVISOR_CALL_DISK_RATE) {
        return guest->disk_rate_kib_s = order->disk_rate_kib_s;
    }
    if (call->kind == HYPERVISOR_CALL_LOAD_SHARE) {
        return guest->load_share_permille = order->load_share_permille;
    }
    if (call->kind == HYPERVISOR_CALL_PAUSE) {
        guest->state = RUN_STATE_PAUSED;
    } else if (call->kind == HYPERVISOR_CALL_RESUME && guest->never_ran) {
        guest->never_ran = false;
        start_boot(host, guest);
    } else if (call->kind == HYPERVISOR_CALL_RESUME) {
        guest->state = RUN_STATE_RUNNING;
    }
    return 0;
}

static void apply_long(struct host_model *host, struct guest *guest,
                       const struct hypervisor_call *call)
{
    if (call->kind == HYPERVISOR_CALL_CREATE) {
        guest->creating = false;
    } else if (call->kind == HYPERVISOR_CALL_SHUTDOWN) {
        end_guest(guest, RUN_STATE_STOPPED);
    } else if (call->kind == HYPERVISOR_CALL_REBOOT) {
        start_boot(host, guest);
    } else if (call->kind == HYPERVISOR_CALL_SUSPEND) {
        /* The guest goes on where it was when it comes back. */
        guest->state = RUN_STATE_SUSPENDED;
    } else if (call->kind == HYPERVISOR_CALL_RESTORE) {
        guest->creating = false;
        guest->state = RUN_STATE_PAUSED;
    }
}

void host_call_fire(struct host_model *host, struct host_call *entry)
{
    const struct hypervisor_call *call = &entry->call;
    struct guest *guest = host_find_guest(host, call->order.uuid);
    if (call->kind == HYPERVISOR_CALL_LIST) {
        /* read when it is handed out */
    } else if (entry->code != 0) {
        if (call->kind == HYPERVISOR_CALL_CREATE && guest != NULL) {
            memset(guest, 0, sizeof *guest);
        } else if (guest != NULL && call->kind == HYPERVISOR_CALL_RESTORE) {
            guest->creating = false;
        }
    } else if (call->kind == HYPERVISOR_CALL_DESTROY) {
        if (guest != NULL && call->discard_disk) {
            memset(guest, 0, sizeof *guest);
        } else if (guest != NULL) {
            guest->creating = false;
            end_guest(guest, RUN_STATE_STOPPED);
        }
    } else if (guest == NULL || (guest->state != RUN_STATE_RUNNING &&
                                 guest->state != RUN_STATE_PAUSED && !guest->creating)) {
        entry->code = -ENOENT; /* it ended while the call was under way */
        entry->reason = REASON_DRIVER;
    } else if (hypervisor_call_is_long(call->kind)) {
        apply_long(host, guest, call);
    } else {
        entry->value = apply_short(host, guest, call);
    }
    entry->finished = true;
    uint32_t at = (host->finished_first + host->finished_count) % HOST_CALLS_MAX;
    host->finished[at] = (uint32_t)(entry - host->calls);
    host->finished_count++;
}
