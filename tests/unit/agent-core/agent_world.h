// SPDX-License-Identifier: Apache-2.0
/*
 * One agent core on the simulated host in virtual time, with an orchestrator played by the
 * test: carries out what the core wants done, grants its lease, and keeps what it called and
 * said.
 */
#ifndef TESTS_AGENT_CORE_AGENT_WORLD_H
#define TESTS_AGENT_CORE_AGENT_WORLD_H

#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/model/object.h"
#include "node-agent/core/agent.h"
#include "node-agent/core/host_model.h"

#define GIB       (1024u * 1024u)
#define LOG_MAX   4096
#define DEPTH_MAX 8

struct world {
    struct agent *agent;
    struct host_model *host;
    struct agent_effects
        *out[DEPTH_MAX]; /* an event inside the effects of another has its own */
    int depth;
    int64_t now_ms;
    bool grants; /* answer RENEW */
    uint64_t epoch;
    uint32_t lease_ms;
    int fail_create;          /* that many CREATE calls are refused */
    int images;               /* FETCH effects seen */
    const char *address_last; /* of the pool; NULL: two addresses */
    bool image_ok;
    bool answer_images;
    int64_t armed_until_ms; /* 0: not armed */
    uint32_t migrate_calls; /* MIGRATE_* are not the model's: the test ends them */
    struct hypervisor_call migrate_call;
    bool fence_outlives; /* as Xen's: it goes on without the agent */
    uint32_t leaves;
    struct agent_memory *memory; /* as last stored */
    struct snapshot *snapshot;   /* newest */
    uint32_t snapshots;
    struct hello hello;
    uint32_t hellos;
    struct renew renew;
    uint32_t renews;
    uint32_t heartbeats;
    double metrics[METRIC_KIND_COUNT]; /* newest of VMs and the node */
    uint32_t lists;
    uint32_t calls_count;
    struct {
        enum hypervisor_call_kind kind;
        char vm[NAME_SIZE];
        char address[ADDRESS_SIZE];
        char bridge[NAME_SIZE];
        uint64_t generation;
        uint32_t vcpus, cap_pct;
        uint64_t memory_kib;
        int64_t at_ms;
    } calls[LOG_MAX];
    uint32_t results_count;
    struct result results[256];
    struct entry_order entry;
    uint32_t entries;
};

static inline void step(struct world *w, const struct agent_event *event);

static inline void perform_call(struct world *w, const struct hypervisor_call *call)
{
    if (call->kind == HYPERVISOR_CALL_LIST) {
        w->lists++;
    } else {
        cr_assert_lt(w->calls_count, LOG_MAX);
        w->calls[w->calls_count].kind = call->kind;
        w->calls[w->calls_count].generation = call->order.generation;
        w->calls[w->calls_count].vcpus = call->order.vcpus;
        w->calls[w->calls_count].cap_pct = call->order.cap_pct;
        w->calls[w->calls_count].memory_kib = call->order.memory_kib;
        w->calls[w->calls_count].at_ms = w->now_ms;
        snprintf(w->calls[w->calls_count].vm, NAME_SIZE, "%s", call->order.vm);
        snprintf(w->calls[w->calls_count].address, ADDRESS_SIZE, "%s", call->address);
        snprintf(w->calls[w->calls_count].bridge, NAME_SIZE, "%s", call->order.bridge);
        w->calls_count++;
    }
    struct err err = {0};
    int rc = 0;
    if (call->kind == HYPERVISOR_CALL_MIGRATE_LISTEN ||
        call->kind == HYPERVISOR_CALL_MIGRATE_OUT || call->kind == HYPERVISOR_CALL_MIGRATE_IN) {
        w->migrate_call = *call;
        w->migrate_calls++;
    } else if (call->kind == HYPERVISOR_CALL_CREATE && w->fail_create > 0) {
        w->fail_create--;
        rc = err_set(&err, -EIO, "libfake: no such bridge br7");
    } else {
        rc = host_model_start(w->host, call, w->now_ms, &err);
    }
    if (rc != 0) {
        struct agent_event event = {.type = AGENT_EVENT_REFUSED, .now_ms = w->now_ms};
        event.refused.id = call->id;
        event.refused.code = rc;
        event.refused.err = &err;
        step(w, &event);
    }
}

static inline void take_sent(struct world *w, const struct node_message *message)
{
    switch (message->type) {
    case NODE_MESSAGE_HELLO:
        w->hello = message->hello;
        w->hellos++;
        break;
    case NODE_MESSAGE_RENEW:
        w->renew = message->renew;
        w->renews++;
        break;
    case NODE_MESSAGE_SNAPSHOT:
        *w->snapshot = message->snapshot;
        w->snapshots++;
        break;
    case NODE_MESSAGE_RESULT: w->results[w->results_count++ % 256] = message->result; break;
    case NODE_MESSAGE_HEARTBEAT: w->heartbeats++; break;
    case NODE_MESSAGE_LEAVE: w->leaves++; break;
    case NODE_MESSAGE_METRICS:
        for (uint32_t i = 0; i < message->metrics.metrics_count; i++) {
            w->metrics[message->metrics.metrics[i].kind] = message->metrics.metrics[i].value;
        }
        break;
    default: cr_assert_fail("an agent never sends type %d", (int)message->type);
    }
}

/* Performs effects as the loop does: each list to its end before the events that follow from
 * it. */
static inline void step(struct world *w, const struct agent_event *event)
{
    cr_assert_lt(w->depth, DEPTH_MAX);
    struct agent_effects **own = &w->out[w->depth++];
    *own = *own != NULL ? *own : agent_effects_create(); /* as the loop: made once */
    struct agent_effects *out = *own;
    agent_effects_clear(out);
    agent_step(w->agent, event, out);
    bool renewed = false;
    for (uint32_t i = 0; i < out->count; i++) {
        const struct agent_effect *effect = &out->items[i];
        switch (effect->type) {
        case AGENT_EFFECT_SEND:
        case AGENT_EFFECT_PUBLISH:
            take_sent(w, effect->message);
            renewed = renewed || effect->message->type == NODE_MESSAGE_RENEW;
            break;
        case AGENT_EFFECT_CALL: perform_call(w, effect->call); break;
        case AGENT_EFFECT_FETCH:
            w->images++;
            if (w->answer_images) {
                struct agent_event done = {.type = AGENT_EVENT_IMAGE, .now_ms = w->now_ms};
                snprintf(done.image.image, NAME_SIZE, "%s", effect->fetch.image);
                done.image.code = w->image_ok ? 0 : -EBADMSG;
                done.image.reason = w->image_ok ? REASON_NONE : REASON_IMAGE_CHECKSUM;
                done.image.path = "/cache/image";
                done.image.text = w->image_ok ? "" : "sha256 differs";
                step(w, &done);
            }
            break;
        case AGENT_EFFECT_REMEMBER: *w->memory = *effect->memory; break;
        case AGENT_EFFECT_ENTRY:
            w->entry = *effect->entry;
            w->entries++;
            break;
        case AGENT_EFFECT_ARM:
            w->armed_until_ms = effect->arm_until_ms;
            cr_assert(w->armed_until_ms == 0 || w->armed_until_ms > w->now_ms);
            break;
        case AGENT_EFFECT_LOG: break;
        }
    }
    w->depth--;
    if (renewed && w->grants) {
        struct node_message grant = {.type = NODE_MESSAGE_GRANT};
        grant.header.epoch = w->epoch;
        grant.grant = (struct grant){w->renew.sequence, w->renew.sent_at_ms, w->lease_ms};
        struct agent_event granted = {
            .type = AGENT_EVENT_MESSAGE, .now_ms = w->now_ms, .message = &grant};
        step(w, &granted);
    }
}

static inline void run_until(struct world *w, int64_t until_ms)
{
    for (int turns = 0; turns < 200000; turns++) {
        int64_t next = agent_deadline_ms(w->agent);
        int64_t host = host_model_deadline_ms(w->host);
        next = host < next ? host : next;
        if (next > until_ms) {
            w->now_ms = until_ms;
            return;
        }
        w->now_ms = next > w->now_ms ? next : w->now_ms;
        cr_assert(w->armed_until_ms == 0 || w->now_ms < w->armed_until_ms,
                  "the host would have died of its own fence");
        struct hypervisor_completion done;
        while (host_model_complete(w->host, w->now_ms, &done) == 1) {
            struct agent_event event = {
                .type = AGENT_EVENT_COMPLETED, .now_ms = w->now_ms, .completed = &done};
            step(w, &event);
        }
        struct agent_event tick = {.type = AGENT_EVENT_TICK, .now_ms = w->now_ms};
        step(w, &tick);
    }
    cr_assert_fail("the agent is never at rest");
}

static inline void send_message(struct world *w, struct node_message *message)
{
    message->header.epoch = message->header.epoch != 0 ? message->header.epoch : w->epoch;
    struct agent_event event = {
        .type = AGENT_EVENT_MESSAGE, .now_ms = w->now_ms, .message = message};
    step(w, &event);
}

static inline void start_agent(struct world *w, const char *incarnation,
                               uint32_t more_capabilities, const struct agent_memory *memory)
{
    struct agent_config config = {.node = "n1",
                                  .bridge = "br0",
                                  .capabilities = more_capabilities,
                                  .address_first = "10.0.0.11",
                                  .address_last = "10.0.0.12",
                                  .address_prefix = 24,
                                  .address_gateway = "10.0.0.1",
                                  .migrate_address = "192.0.2.1",
                                  .list_at_start = true,
                                  .fence_outlives = w->fence_outlives};
    snprintf(config.incarnation, sizeof config.incarnation, "%s", incarnation);
    if (w->address_last != NULL) {
        snprintf(config.address_last, sizeof config.address_last, "%s", w->address_last);
    }
    struct err err = {0};
    w->agent = agent_create(&config, &err);
    cr_assert_not_null(w->agent, "%s", err.text);
    struct node_status status;
    host_model_status(w->host, &status);
    struct agent_event event = {
        .type = AGENT_EVENT_STATUS, .now_ms = w->now_ms, .status = &status};
    step(w, &event);
    struct agent_event start = {
        .type = AGENT_EVENT_START, .now_ms = w->now_ms, .start = memory};
    step(w, &start);
}

static inline void welcome(struct world *w)
{
    struct node_message message = {.type = NODE_MESSAGE_WELCOME};
    message.welcome = (struct welcome){"n1", w->lease_ms, 1000, 10000, 1000};
    send_message(w, &message);
}

static inline struct world *make_world(void)
{
    struct world *w = calloc(1, sizeof *w);
    struct host_model_config config = {.cpus = 2,
                                       .memory_kib = 2 * GIB,
                                       .boot_ms = 500,
                                       .shutdown_ms = 5000,
                                       .call_ms = 10,
                                       .seed = 1};
    struct err err;
    w->host = host_model_create(&config, &err);
    w->memory = calloc(1, sizeof *w->memory);
    w->snapshot = calloc(1, sizeof *w->snapshot);
    w->now_ms = 1000;
    w->grants = true;
    w->epoch = 3;
    w->lease_ms = 15000;
    w->image_ok = true;
    w->answer_images = true;
    return w;
}

static inline struct world *make_running_world(void)
{
    struct world *w = make_world();
    start_agent(w, "boot-1", 0, NULL);
    welcome(w);
    return w;
}

static inline void end_world(struct world *w)
{
    agent_destroy(w->agent);
    host_model_destroy(w->host);
    for (int i = 0; i < DEPTH_MAX; i++) {
        agent_effects_destroy(w->out[i]);
    }
    free(w->memory);
    free(w->snapshot);
    free(w);
}

static inline struct node_message make_order(uint64_t operation, const char *vm,
                                             enum run_state desired)
{
    struct node_message message = {.type = NODE_MESSAGE_VM_ORDER};
    struct vm_order *order = &message.vm_order;
    order->operation = operation;
    snprintf(order->vm, sizeof order->vm, "%s", vm);
    snprintf(order->uuid, sizeof order->uuid, "uuid-%s", vm);
    snprintf(order->service, sizeof order->service, "job");
    order->service_kind = SERVICE_KIND_QUEUE;
    order->generation = 1;
    order->isolation = ISOLATION_RUN;
    order->desired = desired;
    order->cap_pct = 50;
    order->weight = 256;
    order->vcpus = 1;
    order->vcpus_max = 2;
    order->memory_kib = GIB / 2;
    order->image_format = IMAGE_FORMAT_MODEL;
    order->queue.task_cpu_ms = 1000;
    return message;
}

static inline void order(struct world *w, uint64_t operation, const char *vm,
                         enum run_state desired)
{
    struct node_message message = make_order(operation, vm, desired);
    send_message(w, &message);
}

static inline const struct vm_status *status_of(struct world *w, const char *vm)
{
    for (uint32_t i = 0; i < w->snapshot->vms_count; i++) {
        if (strcmp(w->snapshot->vms[i].vm, vm) == 0) {
            return &w->snapshot->vms[i];
        }
    }
    return NULL;
}

static inline uint32_t calls_of(const struct world *w, enum hypervisor_call_kind kind)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < w->calls_count; i++) {
        count += w->calls[i].kind == kind ? 1 : 0;
    }
    return count;
}

static inline const struct result *result_of(const struct world *w, uint64_t operation,
                                             enum result_state state)
{
    for (uint32_t i = 0; i < w->results_count; i++) {
        if (w->results[i].operation == operation && w->results[i].state == state) {
            return &w->results[i];
        }
    }
    return NULL;
}

static inline bool runs(const struct world *w, const char *uuid)
{
    uint64_t generation = 0;
    return host_model_runs(w->host, uuid, &generation);
}

#endif
