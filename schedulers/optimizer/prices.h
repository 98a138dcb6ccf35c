// SPDX-License-Identifier: Apache-2.0
/*
 * Prices at which the real demands of a coupled component meet what its nodes have. Demands are
 * tabulated once over a common grid of log prices, so that a sweep over all coupled services
 * costs next to nothing.
 */
#ifndef SCHEDULERS_OPTIMIZER_PRICES_H
#define SCHEDULERS_OPTIMIZER_PRICES_H

#include "schedulers/optimizer/optimizer.h"

#define PRICES_POINTS 352 /* 22 octaves in steps of 1/16 */

struct prices {
    struct optimizer *optimizer;
    const struct component *component;
    double log_least;          /* of the grid */
    double *demand_of_node;    /* by node of the component x point: of its single services */
    double *demand_of_service; /* by coupled service x point: n of a gang, r of a sum */
    uint32_t *coupled;         /* services */
    uint32_t coupled_count;
    uint32_t *node_at; /* of every node: its place in the component */
    double *used;      /* by place: what the coupled services take there, real */
    double *caps;      /* of every VM, real: of coupled services only */
    double *log_price; /* by place */
    double *last;      /* by coupled service: its own log price */
    double *up;        /* scratch: the grid shifted by the cost of moving */
    double *down;
};

int prices_init(struct prices *prices, struct optimizer *optimizer,
                const struct component *component, struct arena *arena);
/* Sweeps until the prices stand still; leaves real caps in prices->caps and the prices in the
 * nodes. start: from the last solution. */
void prices_settle(struct prices *prices, bool start, uint32_t sweeps_most);

#endif
