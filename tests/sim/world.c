// SPDX-License-Identifier: Apache-2.0
#include "world.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define HASH_START     1469598103934665603ull
#define HASH_PRIME     1099511628211ull
#define TICKS_MAX      100000 /* in one instant: a deadline that never moves is a bug */
#define ITEMS_AT_FIRST 1024
#define PROBE_EVERY_MS 100
#define SAMPLE_MS      2000

/* ---- queue ---- */

static bool is_before(const struct world_item *a, const struct world_item *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->sequence < b->sequence;
}

void world_add(struct world *world, struct world_item item)
{
    if (world->items_count == world->items_capacity) {
        const uint32_t capacity =
            world->items_capacity == 0 ? ITEMS_AT_FIRST : 2 * world->items_capacity;
        struct world_item *items = realloc(world->items, capacity * sizeof *items);
        if (items == NULL) {
            world_fail(world, "no memory for %u items", capacity);
            return;
        }
        world->items = items;
        world->items_capacity = capacity;
    }
    item.sequence = world->sequence++;
    uint32_t at = world->items_count++;
    while (at > 0 && is_before(&item, &world->items[(at - 1) / 2])) {
        world->items[at] = world->items[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    world->items[at] = item;
}

static struct world_item take_first(struct world *world)
{
    const struct world_item first = world->items[0];
    const struct world_item last = world->items[--world->items_count];
    uint32_t at = 0;
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= world->items_count) {
            break;
        }
        if (child + 1 < world->items_count &&
            is_before(&world->items[child + 1], &world->items[child])) {
            child++;
        }
        if (!is_before(&world->items[child], &last)) {
            break;
        }
        world->items[at] = world->items[child];
        at = child;
    }
    world->items[at] = last;
    return first;
}

static void free_item(struct world_item *item)
{
    bytes_finish(&item->bytes);
    if (item->solved != NULL) {
        allocation_answer_finish(&item->solved->answer);
        free(item->solved);
    }
}

/* ---- trace and errors ---- */

void world_trace(struct world *world, const char *actor, const char *format, ...)
{
    if (world->trace == NULL) {
        return;
    }
    (void)fprintf(world->trace, "%lld.%03d %s ", (long long)(world->now_ms / 1000),
                  (int)(world->now_ms % 1000), actor);
    va_list arguments;
    va_start(arguments, format);
    (void)vfprintf(world->trace, format, arguments);
    va_end(arguments);
    (void)fputc('\n', world->trace);
}

void world_fail(struct world *world, const char *format, ...)
{
    if (world->failed) {
        return;
    }
    world->failed = true;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(world->err.text, sizeof world->err.text, format, arguments);
    va_end(arguments);
    world->err.code = -EPROTO;
}

/* ---- network ---- */

static const char *type_word(enum node_message_type type)
{
    switch (type) {
    case NODE_MESSAGE_HELLO: return "hello";
    case NODE_MESSAGE_RENEW: return "renew";
    case NODE_MESSAGE_SNAPSHOT: return "snapshot";
    case NODE_MESSAGE_RESULT: return "result";
    case NODE_MESSAGE_HEARTBEAT: return "heartbeat";
    case NODE_MESSAGE_METRICS: return "metrics";
    case NODE_MESSAGE_LEAVE: return "leave";
    case NODE_MESSAGE_WELCOME: return "welcome";
    case NODE_MESSAGE_GRANT: return "grant";
    case NODE_MESSAGE_VM_ORDER: return "vm-order";
    case NODE_MESSAGE_ENTRY_ORDER: return "entry-order";
    case NODE_MESSAGE_PARK: return "park";
    case NODE_MESSAGE_UNSPECIFIED: break;
    }
    return "unspecified";
}

/* Renewals and what may be lost come every second and would hide the rest. */
static bool is_quiet(enum node_message_type type)
{
    return type == NODE_MESSAGE_RENEW || type == NODE_MESSAGE_GRANT ||
           type == NODE_MESSAGE_HEARTBEAT || type == NODE_MESSAGE_METRICS;
}

static void trace_message(struct world *world, const char *node,
                          const struct node_message *message, bool up)
{
    const char *word = type_word(message->type);
    if (world->trace == NULL || is_quiet(message->type)) {
        return;
    }
    const char *actor = up ? node : "orchestrator";
    if (message->type == NODE_MESSAGE_VM_ORDER) {
        const struct vm_order *order = &message->vm_order;
        world_trace(world, actor, "> %s %s op-%llu %s generation %llu cap %u %s", node, word,
                    (unsigned long long)order->operation, order->vm,
                    (unsigned long long)order->generation, order->cap_pct,
                    run_state_word(order->desired));
    } else if (message->type == NODE_MESSAGE_RESULT) {
        const struct result *result = &message->result;
        world_trace(world, actor, "> orchestrator %s op-%llu %s state %d %s", word,
                    (unsigned long long)result->operation, result->vm, (int)result->state,
                    reason_word(result->reason));
    } else {
        world_trace(world, actor, "> %s %s", up ? "orchestrator" : node, word);
    }
}

void world_send(struct world *world, uint32_t node, const struct node_message *message, bool up,
                bool telemetry)
{
    struct world_agent *agent = &world->agents[node];
    const struct scenario *scenario = world->scenario;
    struct world_item item = {
        .type = up ? ITEM_TO_ORCHESTRATOR : ITEM_TO_AGENT, .index = node, .life = agent->life};
    struct err err = {0};
    if (codec_encode_node_message(message, &item.bytes, &err) != 0) {
        world_fail(world, "%s sends what cannot be encoded: %s", agent->name, err.text);
        free_item(&item);
        return;
    }
    for (size_t i = 0; i < item.bytes.size; i++) {
        world->hash = (world->hash ^ item.bytes.data[i]) * HASH_PRIME;
    }
    world->messages++;
    trace_message(world, agent->name, message, up);
    /* Drawn for every message, so that a loss does not shift what follows. */
    const uint64_t jitter = rng_below(&world->rng, scenario->jitter_ms + 1u);
    const bool lost = rng_below(&world->rng, 1000) < scenario->loss_permille;
    if (agent->cut || (telemetry && lost)) {
        free_item(&item);
        return;
    }
    item.at_ms = world->now_ms + scenario->latency_ms + (int64_t)jitter;
    int64_t *arrival_ms = up ? &agent->arrival_up_ms : &agent->arrival_down_ms;
    if (!telemetry) {
        item.at_ms = item.at_ms > *arrival_ms ? item.at_ms : *arrival_ms;
        *arrival_ms = item.at_ms;
    }
    world_add(world, item);
}

/* ---- time ---- */

static void solved(struct world *world, struct item_solved *solved)
{
    struct cluster_event event = {.type = CLUSTER_EVENT_SOLVED};
    event.solved.revision = solved->revision;
    event.solved.code = solved->code;
    event.solved.err = &solved->err;
    event.solved.answer = &solved->answer;
    event.solved.judgements = solved->judgements;
    event.solved.judgements_count = solved->judgements_count;
    event.solved.took_us = world->scenario->solve_ms * 1000;
    orchestrator_step(world, &event);
}

static void set_load(struct world *world, const struct load_step *load)
{
    struct world_service *service = truth_service(world, load->service);
    if (service != NULL) {
        service->requests_per_s = load->requests_per_s;
    }
    world_trace(world, "users", "%s %.1f/s", load->service, load->requests_per_s);
    for (uint32_t i = 0; i < world->scenario->nodes; i++) {
        struct world_agent *agent = &world->agents[i];
        if (agent->powered) {
            host_model_set_load(agent->host, load->service, load->requests_per_s,
                                world->now_ms + agent->clock_ms);
        }
    }
}

static void step_request_cpu(struct world *world)
{
    const struct scenario *scenario = world->scenario;
    const double ms = scenario->request_cpu_ms * scenario->request_cpu_step;
    world_trace(world, "truth", "a request takes %.1f ms of CPU", ms);
    for (uint32_t i = 0; i < scenario->nodes; i++) {
        if (world->agents[i].powered) {
            host_model_set_request_cpu(world->agents[i].host, ms,
                                       world->now_ms + world->agents[i].clock_ms);
        }
    }
}

static void again(struct world *world, enum item_type type, uint32_t after_ms)
{
    world_add(world, (struct world_item){.at_ms = world->now_ms + after_ms, .type = type});
}

/* All patterns go on by one step. */
static void set_users(struct world *world)
{
    const struct scenario *scenario = world->scenario;
    for (uint32_t i = 0; i < scenario->users_count; i++) {
        const struct user_pattern *pattern = &scenario->users[i];
        struct load_step load = {.at_ms = world->now_ms};
        (void)snprintf(load.service, sizeof load.service, "%s", pattern->service);
        load.requests_per_s =
            scenario->load * users_rate(pattern, &world->users[i], &world->truth_rng,
                                        world->now_ms, scenario->users_every_ms);
        struct world_service *service = truth_service(world, pattern->service);
        if (service != NULL) {
            service->mean_per_s = scenario->load * pattern->requests_per_s;
        }
        set_load(world, &load);
    }
    again(world, ITEM_USERS, scenario->users_every_ms);
}

static void refused(struct world *world, const struct world_item *item)
{
    struct err err = {.code = item->code};
    (void)snprintf(err.text, sizeof err.text, "the host refused the call");
    struct agent_event event = {.type = AGENT_EVENT_REFUSED};
    event.refused.id = item->call;
    event.refused.code = item->code;
    event.refused.err = &err;
    if (item->life == world->agents[item->index].life) {
        agents_step(world, item->index, &event);
    }
}

static void happen(struct world *world, const struct world_item *item)
{
    switch (item->type) {
    case ITEM_TO_ORCHESTRATOR: orchestrator_message(world, item); break;
    case ITEM_TO_AGENT: agents_message(world, item); break;
    case ITEM_SOLVED: solved(world, item->solved); break;
    case ITEM_APPLY: orchestrator_apply(world, &world->scenario->objects[item->index]); break;
    case ITEM_LOAD: set_load(world, &world->scenario->loads[item->index]); break;
    case ITEM_FAULT: {
        const struct fault_step *fault = &world->scenario->faults[item->index];
        world_trace(world, "fault", "%s %s", fault_word(fault->kind),
                    fault->kind == FAULT_RESTART ? "" : world->agents[fault->node].name);
        if (fault->kind == FAULT_RESTART) {
            orchestrator_restart(world);
        } else {
            agents_fault(world, fault);
        }
        break;
    }
    case ITEM_REFUSED: refused(world, item); break;
    case ITEM_PROBE:
        agents_look(world);
        again(world, ITEM_PROBE, PROBE_EVERY_MS);
        break;
    case ITEM_SAMPLE:
        agents_look(world);
        again(world, ITEM_SAMPLE, SAMPLE_MS);
        break;
    case ITEM_USERS: set_users(world); break;
    case ITEM_REQUEST_CPU: step_request_cpu(world); break;
    }
}

/* What is due at now_ms after the queue: the orchestrator's tick, then the agents in their
 * order. */
static bool tick(struct world *world)
{
    if (cluster_deadline_ms(world->cluster) <= world->now_ms) {
        struct cluster_event event = {.type = CLUSTER_EVENT_TICK};
        orchestrator_step(world, &event);
        return true;
    }
    for (uint32_t i = 0; i < world->scenario->nodes; i++) {
        if (agents_due(world, i)) {
            return true;
        }
    }
    return false;
}

static int64_t next_ms(const struct world *world)
{
    int64_t next = world->items_count > 0 ? world->items[0].at_ms : INT64_MAX;
    const int64_t deadline_ms = cluster_deadline_ms(world->cluster);
    next = deadline_ms < next ? deadline_ms : next;
    for (uint32_t i = 0; i < world->scenario->nodes; i++) {
        const int64_t agent_ms = agents_deadline_ms(world, i);
        next = agent_ms < next ? agent_ms : next;
    }
    return next;
}

static bool all_finished(const struct world *world)
{
    uint32_t queues = 0;
    for (uint32_t i = 0; i < world->services_count; i++) {
        if (world->services[i].kind != SERVICE_KIND_QUEUE ||
            world->services[i].finished_ms == 0) {
            return false;
        }
        queues++;
    }
    return queues > 0;
}

static void run(struct world *world)
{
    uint32_t ticks = 0;
    while (!world->failed && !all_finished(world)) {
        const int64_t next = next_ms(world);
        if (next > world->end_ms) {
            world->now_ms = world->end_ms;
            return;
        }
        ticks = next > world->now_ms ? 0 : ticks + 1;
        world->now_ms = next > world->now_ms ? next : world->now_ms;
        if (ticks > TICKS_MAX) {
            world_fail(world, "more than %d events at %lld ms: a deadline does not move",
                       TICKS_MAX, (long long)world->now_ms);
        } else if (world->items_count > 0 && world->items[0].at_ms <= world->now_ms) {
            struct world_item item = take_first(world);
            happen(world, &item);
            free_item(&item);
        } else {
            (void)tick(world);
        }
    }
}

static void schedule(struct world *world)
{
    const struct scenario *scenario = world->scenario;
    for (uint32_t i = 0; i < scenario->users_count; i++) {
        users_start(&scenario->users[i], &world->truth_rng, &world->users[i]);
    }
    if (scenario->users_count > 0) {
        world_add(world,
                  (struct world_item){.at_ms = scenario->apply_at_ms + 1, .type = ITEM_USERS});
    }
    if (scenario->request_cpu_step > 0.0) {
        world_add(world, (struct world_item){.at_ms = scenario->request_cpu_step_at_ms,
                                             .type = ITEM_REQUEST_CPU});
    }
    world_add(world, (struct world_item){.at_ms = scenario->apply_at_ms + SAMPLE_MS,
                                         .type = ITEM_SAMPLE});
    for (uint32_t i = 0; i < scenario->objects_count; i++) {
        world_add(world, (struct world_item){
                             .at_ms = scenario->apply_at_ms, .type = ITEM_APPLY, .index = i});
    }
    for (uint32_t i = 0; i < scenario->loads_count; i++) {
        world_add(world, (struct world_item){
                             .at_ms = scenario->loads[i].at_ms, .type = ITEM_LOAD, .index = i});
    }
    for (uint32_t i = 0; i < scenario->faults_count; i++) {
        world_add(world, (struct world_item){.at_ms = scenario->faults[i].at_ms,
                                             .type = ITEM_FAULT,
                                             .index = i});
    }
}

struct world *world_run(const struct scenario *scenario, uint64_t seed, FILE *trace,
                        FILE *series, struct err *err)
{
    struct world *world = calloc(1, sizeof *world);
    if (world == NULL) {
        (void)err_set(err, -ENOMEM, "no memory for a world");
        return NULL;
    }
    world->scenario = scenario;
    world->trace = trace;
    world->series = series;
    world->hash = HASH_START;
    world->end_ms = scenario->duration_ms;
    rng_init(&world->rng, seed);
    rng_init(&world->truth_rng, ~seed);
    world_trace(world, "world", "seed %llu nodes %u period %u ms", (unsigned long long)seed,
                scenario->nodes, scenario->period_ms);
    agents_create(world);
    orchestrator_start(world);
    for (uint32_t i = 0; !world->failed && i < scenario->nodes; i++) {
        agents_start(world, i);
    }
    schedule(world);
    run(world);
    truth_finish(world);
    world_trace(world, "world", "messages %llu hash %016llx",
                (unsigned long long)world->messages, (unsigned long long)world->hash);
    if (world->failed) {
        (void)err_set(err, world->err.code, "at %lld ms: %s", (long long)world->now_ms,
                      world->err.text);
        world_destroy(world);
        return NULL;
    }
    return world;
}

void world_destroy(struct world *world)
{
    if (world == NULL) {
        return;
    }
    for (uint32_t i = 0; i < world->items_count; i++) {
        free_item(&world->items[i]);
    }
    free(world->items);
    for (uint32_t i = 0; i < world->records_count; i++) {
        bytes_finish(&world->records[i].bytes);
    }
    free(world->records);
    for (uint32_t i = 0; i < SCENARIO_NODES_MAX; i++) {
        agent_destroy(world->agents[i].agent);
        host_model_destroy(world->agents[i].host);
        free(world->agents[i].memory);
    }
    agent_effects_destroy(world->agent_effects);
    cluster_destroy(world->cluster);
    allocation_memory_destroy(world->memory);
    effects_destroy(world->effects);
    free(world);
}
