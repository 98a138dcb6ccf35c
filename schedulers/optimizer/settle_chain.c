// SPDX-License-Identifier: Apache-2.0
/*
 * Percents that are worth more some nodes away. Where the kept stand at their floors a sum that
 * takes a percent here gives one there, another sum takes that one and gives it on a third
 * node, and so on: every step by itself gains nothing. So every node is told what a percent of
 * it is worth at the best end of such a chain, and who loses less than that gives.
 * These worths are at once prices: no sum has a reason to move between its nodes at them, and
 * nobody to have more.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "schedulers/optimizer/settle.h"

#define SLACK      0.05 /* of its worth: how far an end may fall before others are looked at */
#define HOPE_LEAST 3e-4 /* nats per percent and node: less is not worth another round */
#define WORK_MOST  25000u /* nodes that are looked at in all rounds */

struct end {
    uint32_t node;
    double worth;
};

/* Nodes by falling worth; a chain leads from every node to the one that it begins at. */
struct chains {
    struct settle *settle;
    uint32_t *nodes;
    uint32_t count;
    double *worth;   /* by node; of a percent */
    uint32_t *taker; /* by node: the VM that takes there ... */
    uint32_t *giver; /* ... what this one gives on the next node; OPTIMIZER_NONE: the end */
    uint32_t *reached;
    uint32_t reached_count;
    bool *seen;
    struct end *ends; /* scratch */
};

static uint32_t node_of(const struct chains *chains, uint32_t vm)
{
    return chains->settle->optimizer->problem->vms[vm].node;
}

static bool can_give(const struct chains *chains, uint32_t vm)
{
    const struct optimizer *optimizer = chains->settle->optimizer;
    const struct allocation_vm *given = &optimizer->problem->vms[vm];
    return !given->fixed && optimizer->caps[vm] > optimizer_vm_least(given);
}

static bool can_take(const struct chains *chains, uint32_t vm)
{
    const struct optimizer *optimizer = chains->settle->optimizer;
    const struct allocation_vm *given = &optimizer->problem->vms[vm];
    return !given->fixed && optimizer->caps[vm] < optimizer_vm_most(given);
}

static void reach(struct chains *chains, uint32_t node, double worth, uint32_t taker,
                  uint32_t giver)
{
    chains->seen[node] = true;
    chains->worth[node] = worth;
    chains->taker[node] = taker;
    chains->giver[node] = giver;
    chains->reached[chains->reached_count++] = node;
}

/* All nodes on which a sum can take what it gives on this one. */
static void reach_from(struct chains *chains, uint32_t node_index)
{
    const struct optimizer *optimizer = chains->settle->optimizer;
    const struct optimizer_node *node = &optimizer->nodes[node_index];
    for (uint32_t k = node->first; k < node->first + node->count; k++) {
        const uint32_t giver = optimizer->node_vms[k];
        const struct optimizer_service *it = &optimizer->services[optimizer->owners[giver]];
        if (it->coupling != COUPLING_SUM || !can_give(chains, giver)) {
            continue;
        }
        for (uint32_t v = it->first_vm; v < it->first_vm + it->vms_count; v++) {
            const uint32_t other = node_of(chains, v);
            const double speed = optimizer->nodes[other].speed;
            if (!chains->seen[other] && can_take(chains, v) && speed >= node->speed) {
                reach(chains, other, chains->worth[node_index] * speed / node->speed, v, giver);
            }
        }
    }
}

static int by_worth(const void *left, const void *right)
{
    const struct end *a = left;
    const struct end *b = right;
    if (a->worth > b->worth || a->worth < b->worth) {
        return a->worth > b->worth ? -1 : 1;
    }
    return a->node < b->node ? -1 : a->node > b->node;
}

static double worth_at(const struct settle *settle, uint32_t node)
{
    const uint32_t taker = settle_best_taker(settle, node, OPTIMIZER_NONE);
    return taker == OPTIMIZER_NONE ? 0.0 : settle_up_of(settle, taker);
}

/* The best ends first, and from each all that can be reached, so that everybody is told of the
 * best one. */
static void find_chains(struct chains *chains)
{
    struct end *ends = chains->ends;
    for (uint32_t k = 0; k < chains->count; k++) {
        const uint32_t node = chains->nodes[k];
        ends[k] = (struct end){node, worth_at(chains->settle, node)};
        chains->seen[node] = false;
    }
    qsort(ends, chains->count, sizeof *ends, by_worth);
    chains->reached_count = 0;
    uint32_t head = 0;
    for (uint32_t k = 0; k < chains->count; k++) {
        if (chains->seen[ends[k].node]) {
            continue;
        }
        reach(chains, ends[k].node, ends[k].worth, OPTIMIZER_NONE, OPTIMIZER_NONE);
        for (; head < chains->reached_count; head++) {
            reach_from(chains, chains->reached[head]);
        }
    }
}

/* A percent along the chain from a node; but for both ends the rooms stay. */
static void carry(struct chains *chains, uint32_t node)
{
    struct settle *settle = chains->settle;
    struct optimizer *optimizer = settle->optimizer;
    settle->now++;
    settle->changed[node] = settle->now;
    while (chains->giver[node] != OPTIMIZER_NONE) {
        const uint32_t giver = chains->giver[node];
        const uint32_t next = node_of(chains, giver);
        optimizer->caps[chains->taker[node]]++;
        optimizer->nodes[node].room--;
        optimizer->caps[giver]--;
        optimizer->nodes[next].room++;
        settle->changed[next] = settle->now;
        if (!optimizer->services[optimizer->owners[giver]].equal_speed) {
            settle_refresh(settle, optimizer->owners[giver]);
        }
        node = next;
    }
}

/* What moving the caps of the sums costs; whether they can move at all. */
static bool can_carry(const struct chains *chains, uint32_t node, double *cost, uint32_t *end)
{
    const struct optimizer *optimizer = chains->settle->optimizer;
    const double each = optimizer->problem->switching_cost;
    *cost = 0.0;
    while (chains->giver[node] != OPTIMIZER_NONE) {
        const uint32_t taker = chains->taker[node];
        const uint32_t giver = chains->giver[node];
        if (!can_take(chains, taker) || !can_give(chains, giver)) {
            return false;
        }
        *cost += each * (net_moved(optimizer, taker, optimizer->caps[taker]) -
                         net_moved(optimizer, giver, optimizer->caps[giver] - 1));
        node = node_of(chains, giver);
    }
    *end = node;
    return true;
}

/* Percents go along the chain from a node as long as that gains; whether any did. hope: what
 * the first of them may gain. */
static bool push_from(struct chains *chains, uint32_t start, double *hope)
{
    struct settle *settle = chains->settle;
    *hope = 0.0;
    for (bool pushed = false; chains->giver[start] != OPTIMIZER_NONE; pushed = true) {
        double cost = 0.0;
        double loss = 0.0;
        uint32_t end = start;
        const uint32_t from = settle_best_giver(settle, start, OPTIMIZER_NONE, &loss);
        if (!pushed && loss < chains->worth[start]) {
            *hope = chains->worth[start] - loss;
        }
        if (!(loss < chains->worth[start]) || !can_carry(chains, start, &cost, &end)) {
            return pushed;
        }
        const uint32_t to = settle_best_taker(settle, end, OPTIMIZER_NONE);
        if (to == OPTIMIZER_NONE) {
            return pushed; /* moving back to where caps were is no reason by itself */
        }
        const double gain = settle_up_of(settle, to);
        if (gain < (1.0 - SLACK) * chains->worth[end] ||
            !(gain > loss + cost + SETTLE_GAIN_LEAST)) {
            return pushed;
        }
        if (from != OPTIMIZER_NONE) {
            settle_move(settle, from, false);
        }
        carry(chains, start);
        settle_move(settle, to, true);
    }
    return false;
}

/* Along all chains; hope: of what a percent along each may gain. */
static bool push_all(struct chains *chains, double *hope)
{
    bool pushed = false;
    *hope = 0.0;
    for (uint32_t k = 0; k < chains->reached_count; k++) {
        double its = 0.0;
        pushed = push_from(chains, chains->reached[k], &its) || pushed;
        *hope += its;
    }
    return pushed;
}

static int take(struct chains *chains, struct settle *settle, struct arena *arena)
{
    const size_t nodes = settle->optimizer->problem->nodes_count + 1u;
    *chains = (struct chains){.settle = settle,
                              .nodes = settle->component->nodes,
                              .count = settle->component->nodes_count};
    chains->worth = arena_take(arena, nodes, sizeof *chains->worth);
    chains->taker = arena_take(arena, nodes, sizeof *chains->taker);
    chains->giver = arena_take(arena, nodes, sizeof *chains->giver);
    chains->reached = arena_take(arena, nodes, sizeof *chains->reached);
    chains->seen = arena_take(arena, nodes, sizeof *chains->seen);
    chains->ends = arena_take(arena, nodes, sizeof *chains->ends);
    return arena->failed ? -ENOMEM : 0;
}

int settle_chains(struct settle *settle, bool push, struct arena *arena, bool *improved)
{
    struct chains chains;
    if (take(&chains, settle, arena) < 0) {
        return -ENOMEM;
    }
    find_chains(&chains);
    *improved = false;
    const uint32_t rounds_most = push ? WORK_MOST / (chains.count + 1) : 0;
    double hope = HUGE_VAL;
    for (uint32_t round = 0; round < rounds_most && hope > HOPE_LEAST * chains.count; round++) {
        if (!push_all(&chains, &hope)) {
            break;
        }
        *improved = true;
        find_chains(&chains);
    }
    for (uint32_t k = 0; k < chains.count; k++) {
        settle->optimizer->nodes[chains.nodes[k]].price = chains.worth[chains.nodes[k]];
    }
    return 0;
}
