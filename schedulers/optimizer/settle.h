// SPDX-License-Identifier: Apache-2.0
/* The exchanges of the last percents in a coupled component. Shared by settle*.c. */
#ifndef SCHEDULERS_OPTIMIZER_SETTLE_H
#define SCHEDULERS_OPTIMIZER_SETTLE_H

#include "schedulers/optimizer/optimizer.h"

#define SETTLE_GAIN_LEAST 1e-11

struct settle {
    struct optimizer *optimizer;
    const struct component *component;
    double *up;   /* by service: gain of one more percent; -INFINITY: there is none */
    double *down; /* loss of one less; INFINITY: it must not */
    bool *ready;  /* by service: up and down are there */
    bool *open;   /* by node: all that are on it are ready */
    /* Time is counted in moves. A node or service is looked at if something has changed there
     * since it was last. */
    uint32_t now;
    uint32_t *changed;      /* by node */
    uint32_t *node_seen;    /* by node */
    uint32_t *service_seen; /* by service */
};

/* ---- settle.c ---- */
/* up and down of a service whose r has changed. */
void settle_refresh(struct settle *settle, uint32_t service);
/* What a percent more gains a VM of a single service or a sum; -INFINITY: it can not have it.
 */
double settle_up_of(const struct settle *settle, uint32_t vm);
/* Who on a node gains most by a percent; OPTIMIZER_NONE: nobody gains. */
uint32_t settle_best_taker(const struct settle *settle, uint32_t node, uint32_t except);
/* Who on a node loses least; OPTIMIZER_NONE and a loss of 0 where there is room. */
uint32_t settle_best_giver(const struct settle *settle, uint32_t node, uint32_t except,
                           double *loss);
/* A VM goes a percent up or down. */
void settle_move(struct settle *settle, uint32_t vm, bool up);

/* ---- settle_chain.c ---- */
/*
 * push: carries percents along sums to nodes where they are worth more. Sets the prices of the
 * nodes to what a percent is worth at the best end that it can get to. All nodes are prepared.
 * improved: something has moved. -ENOMEM.
 */
int settle_chains(struct settle *settle, bool push, struct arena *arena, bool *improved);

/* ---- settle_gang.c ---- */
/* A step where that gains something. */
bool settle_gang_up(struct settle *settle, uint32_t service);
bool settle_gang_down(struct settle *settle, uint32_t service);

#endif
