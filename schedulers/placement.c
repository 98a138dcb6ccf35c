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

/* The product of need and free room as vectors of shares of this node. */
static uint64_t fit(const struct placement_node *node, const struct placement_need *need)
{
    return share(need->cpu_pct, node->cpu_pct) * share(node->cpu_pct_free, node->cpu_pct) +
           share(need->memory_kib, node->memory_kib) *
               share(node->memory_kib_free, node->memory_kib);
}

static uint32_t best_node(const struct placement_node *nodes, uint32_t nodes_count,
                          const struct placement_need *need, const uint8_t *row)
{
    uint32_t best = PLACEMENT_NONE;
    uint64_t best_fit = 0;
    for (uint32_t i = 0; i < nodes_count; i++) {
        if (why_not(&nodes[i], i, need, is_occupied(row, i)) != REASON_NONE) {
            continue;
        }
        uint64_t value = fit(&nodes[i], need);
        if (best == PLACEMENT_NONE || value > best_fit) {
            best = i;
            best_fit = value;
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
        uint64_t size = share(scaled(needs[i].cpu_pct), whole->cpu_pct) +
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
        node->memory_kib_free -= needs[i].memory_kib;
        if (row != NULL) {
            row[chosen[i]] = 1;
        }
    }
    return without;
}
