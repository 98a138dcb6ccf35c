// SPDX-License-Identifier: Apache-2.0
/*
 * The floors of sums are a flow from services over their VMs to nodes, and whole percents are
 * enough for it. A service whose nodes are full is raised along a chain: another sum gives
 * there what it takes on a node that still has room. Breadth first, so that chains are short.
 */
#include <errno.h>
#include <math.h>

#include "schedulers/optimizer/optimizer.h"

#define JOURNAL_MAX (3u * 4096u)

int flow_init(struct flow *flow, struct optimizer *optimizer, const struct component *component,
              struct arena *arena)
{
    const size_t nodes = optimizer->problem->nodes_count + 1u;
    *flow =
        (struct flow){.optimizer = optimizer, .component = component, .reach_most = UINT32_MAX};
    flow->queue = arena_take(arena, nodes, sizeof *flow->queue);
    flow->stamps = arena_take(arena, nodes, sizeof *flow->stamps);
    flow->from_vm = arena_take(arena, nodes, sizeof *flow->from_vm);
    flow->to_vm = arena_take(arena, nodes, sizeof *flow->to_vm);
    flow->journal = arena_take(arena, (size_t)JOURNAL_MAX, sizeof *flow->journal);
    return arena->failed ? -ENOMEM : 0;
}

void flow_remember(struct flow *flow)
{
    flow->journal_count = 0;
}

/* One VM takes percents of another, or of the room of its node. */
static void shift(struct flow *flow, uint32_t taker, uint32_t giver, uint32_t amount)
{
    struct optimizer *optimizer = flow->optimizer;
    optimizer->caps[taker] += amount;
    optimizer->nodes[optimizer->problem->vms[taker].node].room -= amount;
    if (giver != OPTIMIZER_NONE) {
        optimizer->caps[giver] -= amount;
        optimizer->nodes[optimizer->problem->vms[giver].node].room += amount;
    }
}

void flow_restore(struct flow *flow)
{
    struct optimizer *optimizer = flow->optimizer;
    while (flow->journal_count > 0) {
        flow->journal_count -= 3;
        const uint32_t *entry = &flow->journal[flow->journal_count];
        const uint32_t amount = entry[2];
        optimizer->caps[entry[0]] -= amount;
        optimizer->nodes[optimizer->problem->vms[entry[0]].node].room += amount;
        if (entry[1] != OPTIMIZER_NONE) {
            optimizer->caps[entry[1]] += amount;
            optimizer->nodes[optimizer->problem->vms[entry[1]].node].room -= amount;
        }
    }
}

static double speed_at(const struct flow *flow, uint32_t vm)
{
    return flow->optimizer->nodes[flow->optimizer->problem->vms[vm].node].speed;
}

/* What a VM may still take. */
static uint32_t space(const struct flow *flow, uint32_t v)
{
    const struct allocation_vm *vm = &flow->optimizer->problem->vms[v];
    return vm->fixed ? 0 : optimizer_vm_most(vm) - flow->optimizer->caps[v];
}

static uint32_t spare(const struct flow *flow, uint32_t v)
{
    return flow->optimizer->caps[v] - optimizer_vm_least(&flow->optimizer->problem->vms[v]);
}

static bool reach(struct flow *flow, uint32_t taker, uint32_t giver, uint32_t *tail)
{
    const uint32_t node = flow->optimizer->problem->vms[taker].node;
    if (space(flow, taker) == 0 || flow->stamps[node] == flow->stamp) {
        return false;
    }
    flow->stamps[node] = flow->stamp;
    flow->from_vm[node] = taker;
    flow->to_vm[node] = giver;
    flow->queue[(*tail)++] = node;
    return flow->optimizer->nodes[node].room > 0;
}

/* The node with room that ends the shortest chain from a service; OPTIMIZER_NONE: none. */
// NOLINTNEXTLINE(readability-function-size): one loop for each index of the table
static uint32_t search(struct flow *flow, uint32_t service)
{
    const struct optimizer *optimizer = flow->optimizer;
    const struct optimizer_service *it = &optimizer->services[service];
    uint32_t tail = 0;
    flow->stamp++;
    for (uint32_t k = 0; k < it->vms_count; k++) {
        if (reach(flow, it->first_vm + k, OPTIMIZER_NONE, &tail)) {
            return flow->queue[tail - 1];
        }
    }
    for (uint32_t head = 0; head < tail && head < flow->reach_most; head++) {
        const struct optimizer_node *node = &optimizer->nodes[flow->queue[head]];
        for (uint32_t k = node->first; k < node->first + node->count; k++) {
            const uint32_t giver = optimizer->node_vms[k];
            const uint32_t owner = optimizer->owners[giver];
            const struct optimizer_service *other = &optimizer->services[owner];
            if (other->coupling != COUPLING_SUM || owner == service ||
                spare(flow, giver) == 0) {
                continue;
            }
            for (uint32_t i = 0; i < other->vms_count; i++) {
                const uint32_t taker = other->first_vm + i;
                if (speed_at(flow, taker) >= node->speed && reach(flow, taker, giver, &tail)) {
                    return flow->queue[tail - 1];
                }
            }
        }
    }
    return OPTIMIZER_NONE;
}

/* How much can go along a chain that ends at a node. */
static uint32_t width_of(const struct flow *flow, uint32_t end)
{
    uint32_t width = flow->optimizer->nodes[end].room;
    for (uint32_t node = end;;) {
        const uint32_t taker = space(flow, flow->from_vm[node]);
        width = taker < width ? taker : width;
        if (flow->to_vm[node] == OPTIMIZER_NONE) {
            return width;
        }
        const uint32_t giver = spare(flow, flow->to_vm[node]);
        width = giver < width ? giver : width;
        node = flow->optimizer->problem->vms[flow->to_vm[node]].node;
    }
}

/* From the end of a chain to its start, so that no room is ever short. */
static void push(struct flow *flow, uint32_t end, uint32_t amount)
{
    for (uint32_t node = end;;) {
        const uint32_t giver = flow->to_vm[node];
        shift(flow, flow->from_vm[node], giver, amount);
        if (flow->journal_count + 3 <= JOURNAL_MAX) {
            uint32_t *entry = &flow->journal[flow->journal_count];
            entry[0] = flow->from_vm[node];
            entry[1] = giver;
            entry[2] = amount;
            flow->journal_count += 3;
        }
        if (giver == OPTIMIZER_NONE) {
            return;
        }
        node = flow->optimizer->problem->vms[giver].node;
    }
}

bool flow_raise(struct flow *flow, uint32_t service, double need)
{
    for (;;) {
        const double missing = need - optimizer_r(flow->optimizer, service);
        if (!(missing > VALUE_TOLERANCE)) {
            return true;
        }
        const uint32_t end = search(flow, service);
        if (end == OPTIMIZER_NONE) {
            return false;
        }
        const uint32_t width = width_of(flow, end);
        uint32_t start = end;
        while (flow->to_vm[start] != OPTIMIZER_NONE) {
            start = flow->optimizer->problem->vms[flow->to_vm[start]].node;
        }
        const double wanted =
            ceil(missing / flow->optimizer->nodes[start].speed - VALUE_TOLERANCE);
        push(flow, end, wanted < width ? (uint32_t)wanted : width);
    }
}

bool flow_count_room(struct optimizer *optimizer, const struct component *component)
{
    bool fits = true;
    for (uint32_t k = 0; k < component->nodes_count; k++) {
        struct optimizer_node *node = &optimizer->nodes[component->nodes[k]];
        uint64_t used = 0;
        for (uint32_t i = node->first; i < node->first + node->count; i++) {
            used += optimizer->caps[optimizer->node_vms[i]];
        }
        node->room = used < node->cpu_pct ? node->cpu_pct - (uint32_t)used : 0;
        fits = fits && used <= node->cpu_pct;
    }
    return fits;
}

bool flow_place_floors(struct flow *flow)
{
    struct optimizer *optimizer = flow->optimizer;
    const struct component *component = flow->component;
    for (uint32_t i = 0; i < component->services_count; i++) {
        const struct optimizer_service *it = &optimizer->services[component->services[i]];
        const uint32_t n = it->kept ? it->floor_n : it->value.lo;
        for (uint32_t k = 0; k < it->vms_count; k++) {
            const uint32_t v = it->first_vm + k;
            const struct allocation_vm *vm = &optimizer->problem->vms[v];
            const bool least = vm->fixed || it->coupling == COUPLING_SUM;
            optimizer->caps[v] = least ? optimizer_vm_least(vm) : n;
        }
    }
    if (!flow_count_room(optimizer, component)) {
        return false;
    }
    for (uint32_t i = 0; i < component->services_count; i++) {
        const struct optimizer_service *it = &optimizer->services[component->services[i]];
        if (it->kept && it->coupling == COUPLING_SUM &&
            !flow_raise(flow, component->services[i], it->need_r)) {
            return false;
        }
    }
    return true;
}
