// SPDX-License-Identifier: Apache-2.0
/* The agents of a simulated run, each with a model host; and what happens to them. */
#include <stdlib.h>
#include <string.h>

#include "world.h"

#define PROBE_ID     (1ull << 63) /* calls that are ours, not the agent's */
#define CLOCK_MS_MAX 1000000000u

static int64_t clock_of(const struct world *world, uint32_t node)
{
    return world->now_ms + world->agents[node].clock_ms;
}

static void create_host(struct world *world, uint32_t node, uint64_t seed)
{
    const struct scenario *scenario = world->scenario;
    const struct host_model_config config = {
        .cpus = scenario->cpus,
        .memory_kib = scenario->memory_kib,
        .boot_ms = scenario->boot_ms,
        .call_ms = scenario->call_ms,
        .request_cpu_ms = scenario->request_cpu_ms,
        .speed_sigma = scenario->speed_sigma,
        .speed_every_ms = scenario->speed_every_ms,
        .seed = seed,
    };
    struct world_agent *agent = &world->agents[node];
    agent->host = host_model_create(&config, &world->err);
    agent->powered = agent->host != NULL;
    if (agent->host == NULL) {
        world_fail(world, "%s", world->err.text);
    }
}

void agents_create(struct world *world)
{
    world->agent_effects = agent_effects_create();
    if (world->agent_effects == NULL) {
        world_fail(world, "no memory for effects");
        return;
    }
    for (uint32_t i = 0; i < world->scenario->nodes; i++) {
        struct world_agent *agent = &world->agents[i];
        (void)snprintf(agent->name, sizeof agent->name, "node%u", i + 1);
        agent->clock_ms = (int64_t)rng_below(&world->rng, CLOCK_MS_MAX);
        create_host(world, i, rng_next(&world->rng));
    }
}

static void tell_status(struct world *world, uint32_t node)
{
    struct node_status status;
    host_model_status(world->agents[node].host, &status);
    struct agent_event event = {.type = AGENT_EVENT_STATUS, .status = &status};
    agents_step(world, node, &event);
}

void agents_start(struct world *world, uint32_t node)
{
    struct world_agent *agent = &world->agents[node];
    if (agent->agent != NULL || !agent->powered) {
        return;
    }
    agent->life++;
    agent->published = 0;
    struct agent_config config = {.sample_ms = 1000, .list_at_start = true};
    (void)snprintf(config.node, sizeof config.node, "%s", agent->name);
    (void)snprintf(config.incarnation, sizeof config.incarnation, "%s-%u", agent->name,
                   agent->life);
    struct node_status status;
    host_model_status(agent->host, &status);
    config.capabilities = status.capabilities;
    agent->agent = agent_create(&config, &world->err);
    if (agent->agent == NULL) {
        world_fail(world, "%s: %s", agent->name, world->err.text);
        return;
    }
    struct agent_event event = {.type = AGENT_EVENT_START, .start = agent->memory};
    agents_step(world, node, &event);
    tell_status(world, node);
}

/* ---- effects ---- */

static void start_call(struct world *world, uint32_t node, const struct hypervisor_call *call)
{
    struct world_agent *agent = &world->agents[node];
    struct err err = {0};
    const int rc = host_model_start(agent->host, call, clock_of(world, node), &err);
    if (rc < 0) {
        world_trace(world, agent->name, "refused %s %s: %s", hypervisor_call_word(call->kind),
                    call->order.vm, err.text);
        world_add(world, (struct world_item){.at_ms = world->now_ms,
                                             .type = ITEM_REFUSED,
                                             .index = node,
                                             .life = agent->life,
                                             .call = call->id,
                                             .code = rc});
    } else if (call->kind != HYPERVISOR_CALL_LIST) {
        world_trace(world, agent->name, "call %s %s cap %u", hypervisor_call_word(call->kind),
                    call->order.vm, call->order.cap_pct);
    }
}

static void perform(struct world *world, uint32_t node, const struct agent_effect *effect)
{
    struct world_agent *agent = &world->agents[node];
    switch (effect->type) {
    case AGENT_EFFECT_SEND:
        effect->message->header.sequence = ++agent->sequence;
        world_send(world, node, effect->message, true, false);
        break;
    case AGENT_EFFECT_PUBLISH:
        effect->message->header.sequence = ++agent->published;
        world_send(world, node, effect->message, true, true);
        break;
    case AGENT_EFFECT_CALL: start_call(world, node, effect->call); break;
    case AGENT_EFFECT_REMEMBER:
        if (agent->memory == NULL) {
            agent->memory = malloc(sizeof *agent->memory);
        }
        if (agent->memory != NULL) {
            *agent->memory = *effect->memory;
        }
        break;
    case AGENT_EFFECT_FETCH: /* images of the model are not fetched */
    case AGENT_EFFECT_ENTRY: /* no gateway here */
    case AGENT_EFFECT_ARM:   /* the model fences itself */
    case AGENT_EFFECT_LOG: break;
    }
}

void agents_step(struct world *world, uint32_t node, struct agent_event *event)
{
    struct world_agent *agent = &world->agents[node];
    if (agent->agent == NULL || world->failed) {
        return;
    }
    event->now_ms = clock_of(world, node);
    agent_effects_clear(world->agent_effects);
    agent_step(agent->agent, event, world->agent_effects);
    for (uint32_t i = 0; i < world->agent_effects->count; i++) {
        perform(world, node, &world->agent_effects->items[i]);
    }
}

void agents_message(struct world *world, const struct world_item *item)
{
    struct err err = {0};
    if (item->life != world->agents[item->index].life) {
        return;
    }
    if (codec_decode_node_message(item->bytes.data, item->bytes.size, &world->message, &err) !=
        0) {
        world_fail(world, "a message to %s cannot be decoded: %s",
                   world->agents[item->index].name, err.text);
        return;
    }
    struct agent_event event = {.type = AGENT_EVENT_MESSAGE, .message = &world->message};
    agents_step(world, item->index, &event);
}

/* ---- time ---- */

static void completed(struct world *world, uint32_t node,
                      const struct hypervisor_completion *completion)
{
    if (completion->kind == HYPERVISOR_CALL_LIST && completion->list != NULL) {
        truth_memory(world, completion->list);
        truth_reading(world, completion->list, (completion->id & PROBE_ID) != 0);
    }
    world->migrations +=
        completion->kind == HYPERVISOR_CALL_MIGRATE_OUT && completion->code == 0;
    if ((completion->id & PROBE_ID) != 0) {
        if (completion->id == world->probe) {
            truth_probed(world);
        }
        return;
    }
    if (completion->kind == HYPERVISOR_CALL_LIST && completion->list != NULL) {
        truth_disturb(world, completion->list);
    }
    struct agent_event event = {.type = AGENT_EVENT_COMPLETED, .completed = completion};
    agents_step(world, node, &event);
}

bool agents_due(struct world *world, uint32_t node)
{
    struct world_agent *agent = &world->agents[node];
    const int64_t clock_ms = clock_of(world, node);
    if (agent->powered && host_model_deadline_ms(agent->host) <= clock_ms) {
        struct hypervisor_completion completion;
        if (host_model_complete(agent->host, clock_ms, &completion) > 0) {
            completed(world, node, &completion);
        }
        return true;
    }
    if (agent->agent != NULL && agent_deadline_ms(agent->agent) <= clock_ms) {
        struct agent_event event = {.type = AGENT_EVENT_TICK};
        agents_step(world, node, &event);
        return true;
    }
    return false;
}

int64_t agents_deadline_ms(const struct world *world, uint32_t node)
{
    const struct world_agent *agent = &world->agents[node];
    int64_t next_ms = agent->powered ? host_model_deadline_ms(agent->host) : INT64_MAX;
    if (agent->agent != NULL) {
        const int64_t own_ms = agent_deadline_ms(agent->agent);
        next_ms = own_ms < next_ms ? own_ms : next_ms;
    }
    return next_ms == INT64_MAX ? INT64_MAX : next_ms - agent->clock_ms;
}

void agents_look(struct world *world)
{
    const uint64_t round = ++world->look << 8;
    world->probe = 0;
    for (uint32_t i = 0; i < world->scenario->nodes; i++) {
        const struct hypervisor_call call = {.id = PROBE_ID | round | i,
                                             .kind = HYPERVISOR_CALL_LIST};
        if (world->agents[i].powered &&
            host_model_start(world->agents[i].host, &call, clock_of(world, i), NULL) == 0) {
            world->probe = call.id;
        }
    }
}

/* ---- faults ---- */

static void stop_agent(struct world *world, uint32_t node)
{
    struct world_agent *agent = &world->agents[node];
    agent_destroy(agent->agent);
    agent->agent = NULL;
    agent->life++;
}

void agents_fault(struct world *world, const struct fault_step *fault)
{
    struct world_agent *agent = &world->agents[fault->node];
    switch (fault->kind) {
    case FAULT_POWER_OFF:
        stop_agent(world, fault->node);
        if (agent->powered) {
            host_model_power_off(agent->host, clock_of(world, fault->node));
            agent->powered = false;
        }
        break;
    case FAULT_POWER_ON:
        if (!agent->powered) {
            host_model_destroy(agent->host);
            create_host(world, fault->node, rng_next(&world->rng));
            agents_start(world, fault->node);
        }
        break;
    case FAULT_AGENT_STOP: stop_agent(world, fault->node); break;
    case FAULT_AGENT_START: agents_start(world, fault->node); break;
    case FAULT_CUT: agent->cut = true; break;
    case FAULT_HEAL: agent->cut = false; break;
    case FAULT_RESTART:
    case FAULT_UNSPECIFIED: break;
    }
}
