// SPDX-License-Identifier: Apache-2.0
/*
 * Prices at which the real demands of a coupled component meet what its nodes have. Demands are
 * tabulated over a common grid of log prices, so that a sweep over all coupled services costs
 * next to nothing. Tables, real caps and prices stay in the memory of the problem: where
 * nothing has changed nothing is tabulated or moved again.
 */
#ifndef SCHEDULERS_OPTIMIZER_PRICES_H
#define SCHEDULERS_OPTIMIZER_PRICES_H

#include "schedulers/optimizer/memory.h"

#define PRICES_POINTS 176 /* 22 octaves in steps of 1/8 */
#define PRICES_STEP   (2.0 * MARGINAL_STEP)
#define PRICES_START  (0.55 * PRICES_POINTS) /* where the component as a whole is full */

struct prices {
    struct optimizer *optimizer;
    const struct component *component;
    struct coupled_memory *memory;
    double log_least;  /* of the grid */
    bool placed;       /* the grid is new: nothing that is remembered stands on it */
    uint32_t *coupled; /* services */
    uint32_t coupled_count;
    uint32_t *place_of; /* by slot: its place in coupled */
    bool *waits;        /* by place in coupled: something has changed for it */
    bool *looks;        /* by node: the same for all that are on it */
    double *used;       /* by node: what the coupled services take there, real */
    double *drift;      /* by node: change of that which nobody has been told of */
    double *up;         /* the grid shifted by the cost of moving */
    double *down;
};

/* Tables for the services as they are open now; the prices of the nodes are those of the last
 * solution, if there was one. */
int prices_init(struct prices *prices, struct optimizer *optimizer,
                const struct component *component, struct arena *arena);
/* Sweeps until nobody has a reason to move; leaves real caps in the memory and the prices in
 * the nodes. */
void prices_settle(struct prices *prices, uint32_t sweeps_most);

/* ---- of prices*.c ---- */
/* From the demand of the part of a value that is concave above to that of the whole value, from
 * least_r on. */
void prices_envelope(const struct prices *prices, const struct service_value *value,
                     double least_r, double *table);
/* The demand at a position on the grid. */
double prices_demand(const float *table, double position, double steep);
/* The position at which the singles of a node take just this. */
double prices_position(const struct prices *prices, uint32_t node, double left);
/* Moves one coupled service to where it wants to be while all others stay. */
void prices_move(struct prices *prices, uint32_t place);
/* Changes what a VM takes, and tells those who care. */
void prices_change_cap(struct prices *prices, uint32_t vm, double cap);

static inline const float *prices_table_of_node(const struct prices *prices, uint32_t node)
{
    return &prices->memory->node_tables[(size_t)node * PRICES_POINTS];
}

static inline const float *prices_table_of(const struct prices *prices, uint32_t place)
{
    const uint32_t slot = prices->memory->slots[prices->coupled[place]];
    return &prices->memory->service_tables[(size_t)slot * PRICES_POINTS];
}

static inline double *prices_own(const struct prices *prices, uint32_t place)
{
    return &prices->memory->positions[prices->memory->slots[prices->coupled[place]]];
}

#endif
