// SPDX-License-Identifier: Apache-2.0
/*
 * The inside of dive_solve().
 *
 *   dive          one segment after the other
 *   dive_prices   the prices of the bounds
 *   dive_choice   a choice of segments is solved
 */
#ifndef SCHEDULERS_OPTIMIZER_DIVE_H
#define SCHEDULERS_OPTIMIZER_DIVE_H

#include <math.h>

#include "schedulers/optimizer/search.h"

/* A stack, by depth: the contender that is decided there. */
struct dive {
    struct search *search;
    uint32_t *order; /* contenders; by depth */
    double *rest;    /* depth x price: most of those from here on */
    uint64_t *rest_least;
    double *sum; /* depth x price: price capacity, and of those before */
    uint64_t *least;
    uint32_t *convex; /* chosen before */
    uint32_t *tight;  /* the price whose bound is the least */
    uint32_t *cursor; /* next child */
    uint32_t *child;  /* segments by falling bound, where the contender has its own */
    double *bound;    /* of children */
    uint32_t *chosen; /* segment, by contender */
    double *beside;   /* scratch of a convex choice, twice as long as the longest */
    double price_root;
};

/* ---- dive_prices.c ---- */
double dive_guess_price(const struct search *search); /* above 0 */
void dive_fill_prices(struct dive *dive);
/* The most of a contender beyond each price. */
void dive_fill_most(const struct search *search, uint32_t contender, double *out);

static inline double dive_net_at(const struct search *search, uint32_t contender,
                                 struct segment *segment, uint32_t k)
{
    if (segment->kind == SEGMENT_POINT) {
        return segment->value_from - search->prices[k] * segment->from;
    }
    if ((segment->known >> k & 1u) == 0) {
        uint32_t n = 0;
        segment->net[k] = segment_net(search, contender, segment, search->prices[k], &n);
        segment->known |= 1u << k;
    }
    return segment->net[k];
}

/* What is not looked into leaves its bound. */
static inline void dive_drop(struct search *search, double bound)
{
    search->dropped = bound > search->dropped ? bound : search->dropped;
}

/* ---- dive_choice.c ---- */
/* Solves what is chosen; bound: of it, where there is no work left for it. -ENOMEM. */
int dive_solve_choice(struct dive *dive, double bound);
/* Tries the last segments, and takes out those that cannot be better. 1: this was all there is
 * to do. -ENOMEM. */
int dive_try_last(struct dive *dive);

#endif
