// SPDX-License-Identifier: Apache-2.0
#include "schedulers/placement.h"

#include <stddef.h>

#define SHARE_ONE                                                                              \
    10000u /* shares of a node in units of 1/10000: all arithmetic is on integers */
#define NOT_YET (PLACEMENT_NONE - 1)

static bool is_closed(enum reason reason)
{
    return reason != REASON_NONE && reason != REASON_UNSPECIFIED;
}

static bool is_occupied(const unsigned char *row, uint32_t index)
{
    return row != NULL && row[index] != 0;
}

/* Of the occupied rows, the one of a need; NULL when it does not spread. */
static uint8_t *row_of(const struct placement_need *need, uint8_t *occupied,
                       uint32_t nodes_count)
{
    return need->spread_group == 0 || occupied == NULL
               ? NULL
               : occupied + (uint64_t)(need->spread_group - 1) * nodes_count;
}

static enum reason why_not(const struct placement_node *node, uint32_t index,
                           const struct placement_need *need, bool taken)
{
    if (is_closed(node->closed)) {
        return node->closed;
    }
    if (need->closed != NULL && is_closed((enum reason)need->closed[index])) {
        return (enum reason)need->closed[index];
    }
    if (taken) {
        return REASON_SPREAD;
    }
    if (need->cpu_pct > node->cpu_pct_free) {
        return REASON_NO_CPU;
    }
    if (need->memory_kib > node->memory_kib_free) {
        return REASON_NO_MEMORY;
    }
    return REASON_NONE;
}

enum reason placement_why_not(const struct placement_node *node, uint32_t index,
                              const struct placement_need *need, const uint8_t *occupied,
                              uint64_t *needed, uint64_t *available)
{
    enum reason reason =
        why_not(node, index, need, need->spread_group > 0 && is_occupied(occupied, index));
    *needed = 0;
    *available = 0;
    if (reason == REASON_NO_CPU) {
        *needed = need->cpu_pct;
        *available = node->cpu_pct_free;
    } else if (reason == REASON_NO_MEMORY) {
        *needed = need->memory_kib;
        *available = node->memory_kib_free;
    }
    return reason;
}

static uint64_t scaled(uint64_t value)
{
    return value <= UINT64_MAX / SHARE_ONE ? value * SHARE_ONE : UINT64_MAX;
}

/* part / whole in units of 1/10000; a whole of 0 has no shares. */
static uint64_t share(uint64_t part, uint64_t whole)
{
    return whole == 0 ? 0 : scaled(part) / whole;
}

/* How good an open node is for a need. */
struct fitness {
    bool holds;       /* its floor, with those of what is there */
    int64_t slack;    /* where it does not: what there is for it all the same */
    uint64_t product; /* of need and free room as vectors of shares of this node */
};

static struct fitness fitness_of(const struct placement_node *node,
                                 const struct placement_need *need)
{
    const bool known = need->floor_pct > 0;
    const bool holds = !known || node->slack_pct >= (int64_t)need->floor_pct;
    const uint64_t cpu_free = known && holds ? (uint64_t)node->slack_pct : node->cpu_pct_free;
    const uint64_t cpu_need = known && holds ? need->floor_pct : need->cpu_pct;
    return (struct fitness){
        .holds = holds,
        .slack = holds ? 0 : node->slack_pct,
        .product = share(cpu_need, node->cpu_pct) * share(cpu_free, node->cpu_pct) +
                   share(need->memory_kib, node->memory_kib) *
                       share(node->memory_kib_free, node->memory_kib),
    };
}

static bool is_fitter(const struct fitness *a, const struct fitness *b)
{
    if (a->holds != b->holds) {
        return a->holds;
    }
    return a->slack != b->slack ? a->slack > b->slack : a->product > b->product;
}

static uint32_t best_node(const struct placement_node *nodes, uint32_t nodes_count,
                          const struct placement_need *need, const uint8_t *row)
{
    uint32_t best = PLACEMENT_NONE;
    struct fitness best_fitness = {0};
    for (uint32_t i = 0; i < nodes_count; i++) {
        if (why_not(&nodes[i], i, need, is_occupied(row, i)) != REASON_NONE) {
            continue;
        }
        const struct fitness fitness = fitness_of(&nodes[i], need);
        if (best == PLACEMENT_NONE || is_fitter(&fitness, &best_fitness)) {
            best = i;
            best_fitness = fitness;
        }
    }
    return best;
}

/* The largest need that has no answer yet, measured by its share of all nodes together. */
static uint32_t largest_left(const struct placement_need *needs, uint32_t needs_count,
                             const struct placement_node *whole, const uint32_t *chosen)
{
    uint32_t largest = PLACEMENT_NONE;
    uint64_t largest_size = 0;
    for (uint32_t i = 0; i < needs_count; i++) {
        if (chosen[i] != NOT_YET) {
            continue;
        }
        const uint32_t cpu_pct =
            needs[i].floor_pct > needs[i].cpu_pct ? needs[i].floor_pct : needs[i].cpu_pct;
        uint64_t size = share(scaled(cpu_pct), whole->cpu_pct) +
                        share(scaled(needs[i].memory_kib), whole->memory_kib);
        if (largest == PLACEMENT_NONE || size > largest_size) {
            largest = i;
            largest_size = size;
        }
    }
    return largest;
}

static struct placement_node sum_of(const struct placement_node *nodes, uint32_t nodes_count)
{
    struct placement_node whole = {.closed = REASON_NONE};
    for (uint32_t i = 0; i < nodes_count; i++) {
        uint32_t room = UINT32_MAX - whole.cpu_pct;
        whole.cpu_pct += nodes[i].cpu_pct < room ? nodes[i].cpu_pct : room;
        whole.memory_kib += nodes[i].memory_kib;
    }
    return whole;
}

uint32_t placement_choose(struct placement_node *nodes, uint32_t nodes_count,
                          const struct placement_need *needs, uint32_t needs_count,
                          uint8_t *occupied, uint32_t *chosen)
{
    struct placement_node whole = sum_of(nodes, nodes_count);
    for (uint32_t i = 0; i < needs_count; i++) {
        chosen[i] = NOT_YET;
    }
    uint32_t without = 0;
    for (uint32_t round = 0; round < needs_count; round++) {
        uint32_t i = largest_left(needs, needs_count, &whole, chosen);
        uint8_t *row = row_of(&needs[i], occupied, nodes_count);
        chosen[i] = best_node(nodes, nodes_count, &needs[i], row);
        if (chosen[i] == PLACEMENT_NONE) {
            without++;
            continue;
        }
        struct placement_node *node = &nodes[chosen[i]];
        node->cpu_pct_free -= needs[i].cpu_pct;
        node->slack_pct -= needs[i].floor_pct;
        node->memory_kib_free -= needs[i].memory_kib;
        if (row != NULL) {
            row[chosen[i]] = 1;
        }
    }
    return without;
}
