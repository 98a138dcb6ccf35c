// SPDX-License-Identifier: Apache-2.0
/*
 * The 0-1 knapsack as a list of states that no other beats in cost and weight (Nemhauser and
 * Ullmann): exact, and with weights of few different sums only some dozen states long. Of equal
 * weight the cheaper state is kept; of equal cost too, the one with the lower names.
 */
#include <errno.h>
#include <stdlib.h>

#include "schedulers/optimizer/optimizer.h"

#define ONE_MORE 1e-9 /* of equal weight, more services; also those without weight */
#define EQUAL    1e-12

static int grow(struct knapsack *knapsack)
{
    const uint32_t needed = knapsack->states_count + knapsack->frontier_count + 1;
    if (needed > knapsack->states_max) {
        const uint32_t size = 2 * needed;
        void *states = realloc(knapsack->states, size * sizeof *knapsack->states);
        if (states == NULL) {
            return -ENOMEM;
        }
        knapsack->states = states;
        knapsack->states_max = size;
    }
    if (2 * knapsack->frontier_count + 2 > knapsack->scratch_max) {
        const uint32_t size = 4 * knapsack->frontier_count + 64;
        void *frontier = realloc(knapsack->frontier, size * sizeof(uint32_t));
        if (frontier == NULL) {
            return -ENOMEM;
        }
        knapsack->frontier = frontier;
        void *scratch = realloc(knapsack->scratch, size * sizeof(uint32_t));
        if (scratch == NULL) {
            return -ENOMEM;
        }
        knapsack->scratch = scratch;
        knapsack->scratch_max = size;
    }
    return 0;
}

struct item {
    uint32_t service;
    uint32_t cost;
    double weight;
};

/* Both ways, with the item and without it, merged by cost; what is beaten is left out. */
static void add_item(struct knapsack *knapsack, const struct item *item, uint32_t capacity)
{
    uint32_t without = 0;
    uint32_t with = 0;
    uint32_t count = 0;
    double heaviest = -1.0;
    for (;;) {
        const struct knapsack_state *a = without < knapsack->frontier_count
                                             ? &knapsack->states[knapsack->frontier[without]]
                                             : NULL;
        const struct knapsack_state *b = with < knapsack->frontier_count
                                             ? &knapsack->states[knapsack->frontier[with]]
                                             : NULL;
        if (b != NULL && (uint64_t)b->cost + item->cost > capacity) {
            b = NULL;
        }
        if (a == NULL && b == NULL) {
            break;
        }
        const bool take =
            a == NULL || (b != NULL && (b->cost + item->cost < a->cost ||
                                        (b->cost + item->cost == a->cost &&
                                         b->weight + item->weight >= a->weight - EQUAL)));
        const double weight = take ? b->weight + item->weight : a->weight;
        if (weight > heaviest + EQUAL) {
            heaviest = weight;
            uint32_t state = knapsack->frontier[take ? with : without];
            if (take) {
                const struct knapsack_state made = {.weight = weight,
                                                    .cost = b->cost + item->cost,
                                                    .parent = state,
                                                    .item = item->service};
                state = knapsack->states_count++;
                knapsack->states[state] = made;
            }
            knapsack->scratch[count++] = state;
        }
        with += take;
        without += !take;
    }
    uint32_t *merged = knapsack->scratch;
    knapsack->scratch = knapsack->frontier;
    knapsack->frontier = merged;
    knapsack->frontier_count = count;
}

int knapsack_build(const struct optimizer *optimizer, struct knapsack *knapsack,
                   const uint32_t *services, uint32_t count, uint32_t capacity)
{
    *knapsack = (struct knapsack){0};
    if (grow(knapsack) < 0) {
        return -ENOMEM;
    }
    knapsack->states[knapsack->states_count++] =
        (struct knapsack_state){.parent = OPTIMIZER_NONE, .item = OPTIMIZER_NONE};
    knapsack->frontier[knapsack->frontier_count++] = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct optimizer_service *it = &optimizer->services[services[i]];
        const struct item item = {.service = services[i],
                                  .cost = it->floor_n - it->value.lo,
                                  .weight = it->stake + ONE_MORE};
        if (!it->reachable || item.cost > capacity) {
            continue;
        }
        if (grow(knapsack) < 0) {
            return -ENOMEM;
        }
        add_item(knapsack, &item, capacity);
    }
    return 0;
}

void knapsack_finish(struct knapsack *knapsack)
{
    free(knapsack->states);
    free(knapsack->frontier);
    free(knapsack->scratch);
    *knapsack = (struct knapsack){0};
}

uint32_t knapsack_best(const struct knapsack *knapsack, uint32_t capacity)
{
    uint32_t low = 0;
    uint32_t high = knapsack->frontier_count;
    while (high - low > 1) {
        const uint32_t middle = (low + high) / 2;
        if (knapsack->states[knapsack->frontier[middle]].cost <= capacity) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return knapsack->frontier[low];
}

void knapsack_keep(struct optimizer *optimizer, const struct knapsack *knapsack, uint32_t state)
{
    while (knapsack->states[state].parent != OPTIMIZER_NONE) {
        optimizer->services[knapsack->states[state].item].kept = true;
        state = knapsack->states[state].parent;
    }
}
