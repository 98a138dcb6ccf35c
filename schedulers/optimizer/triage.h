// SPDX-License-Identifier: Apache-2.0
/*
 * Whom to keep in a coupled component: prices by which the weight of any choice is bounded,
 * then a choice that is improved until no single change helps. Shared by triage*.c.
 */
#ifndef SCHEDULERS_OPTIMIZER_TRIAGE_H
#define SCHEDULERS_OPTIMIZER_TRIAGE_H

#include "schedulers/optimizer/optimizer.h"

struct triage_node {
    struct knapsack knapsack; /* of its single services */
    uint32_t *hull;           /* states of it that are best at some price */
    uint32_t hull_count;
    uint32_t capacity; /* beyond what everybody has at least */
    uint32_t left;     /* of it, by the coupled services that are kept */
    double price;      /* weight per percent */
    double best_price;
    double slope; /* of the bound over the price */
    double momentum;
};

struct triage {
    struct optimizer *optimizer;
    const struct component *component;
    struct triage_node *nodes; /* by place in the component */
    uint32_t *node_at;
    uint32_t *coupled; /* services whose floor is in reach */
    uint32_t coupled_count;
    double *density;  /* by coupled service: weight over its price; for the order */
    uint32_t *taken;  /* of every VM of a coupled service: percents beyond its least */
    uint32_t *needs;  /* of every service: triage_need() */
    uint32_t *spaces; /* of every VM: what it may take at most */
    double bound;
};

/* Percents that a service needs beyond its least: of each VM of a gang, in all of a sum. */
uint32_t triage_need(const struct optimizer_service *service);

/* ---- triage_prices.c ---- */
void triage_find_prices(struct triage *triage);
/* Weight that a service's floor costs at the best prices. */
double triage_cost(const struct triage *triage, uint32_t service);

/* ---- triage_choice.c ---- */
/* Marks the kept and sets the caps to their floors. */
int triage_make_choice(struct triage *triage, struct flow *flow, struct arena *arena);

#endif
