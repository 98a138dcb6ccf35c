// SPDX-License-Identifier: Apache-2.0
/*
 * The inside of branch_solve(): services of one VM that share a node, with values of any shape.
 * What a contender may have is cut into segments in which its value is easy: concave, convex, a
 * single amount, or some of its listed levels. For a few prices each segment knows the most
 * that it can be worth beyond its price; sums of these bound every choice of one segment for
 * each contender, so that hardly any choice has to be solved.
 *
 *   segments   contenders cut into segments
 *   branch     the way in
 *   dive       the search over choices of segments
 *   choice     one choice, where levels are listed: an exact knapsack with multiple choice
 *   branch_any branch and bound for what has neither only listed levels nor plain values
 */
#ifndef SCHEDULERS_OPTIMIZER_SEARCH_H
#define SCHEDULERS_OPTIMIZER_SEARCH_H

#include "schedulers/optimizer/optimizer.h"

#define SEARCH_PRICES 12
#define SEARCH_EQUAL  1e-9 /* nats: not worth a look */

enum segment_kind {
    SEGMENT_CONCAVE = 1, /* over whole percents */
    SEGMENT_POINT = 2,
    SEGMENT_CONVEX = 3, /* over whole percents, and not both its ends */
    SEGMENT_LISTED = 4, /* several levels */
};

struct segment {
    enum segment_kind kind;
    uint32_t from; /* n */
    uint32_t to;
    uint32_t first; /* of its contender's levels; where they are not listed: 0 */
    uint32_t count;
    uint32_t hull_first; /* of several levels: their part of the hull */
    uint32_t hull_end;
    double value_from; /* at its ends; of a concave one: not known */
    double value_to;
    bool under;     /* a level under the hull: at no price the best of its contender */
    bool behind;    /* at the price that was looked at last what takes more is better */
    uint32_t known; /* bits: prices for which net is there */
    double net[SEARCH_PRICES]; /* no n in it has more value - price n; not of points */
};

/* The levels of a contender within its range, ascending. */
struct level_list {
    uint32_t *n;
    double *value;
    uint32_t count;
    uint32_t *hull; /* levels on the upper hull of value over n */
    double *slope;  /* of the step to each of these */
    uint32_t hull_count;
};

struct search {
    const struct optimizer *optimizer;
    struct contest *contest;
    struct arena *arena;
    bool listed;              /* levels; otherwise every whole percent */
    struct level_list *lists; /* by contender */
    struct segment *segments;
    uint32_t *firsts; /* by contender, and the end: its segments */
    double prices[SEARCH_PRICES];
    /* the best choice so far */
    uint32_t *best;
    double best_value;
    double dropped;           /* bound of all that was not looked into */
    struct choice_room *room; /* of choice.c */
    uint32_t work_left;       /* counted, so that it is the same everywhere */
};

/* ---- segments.c ---- */
/* Cuts all contenders. -ENOMEM. */
int segments_cut(struct search *search);
/* The most that a segment is worth beyond its price, and the n that has it. */
double segment_net(const struct search *search, uint32_t contender,
                   const struct segment *segment, double price, uint32_t *n);

/* ---- dive.c ---- */
/*
 * The best choice of segments, into search->best if it is better than that; bounds of what was
 * not looked into go to search->dropped. Takes from search->work_left: 1 for a choice that is
 * bounded, 100 for one that is solved. -ENOMEM.
 */
int dive_solve(struct search *search);

/* ---- choice.c ---- */
/*
 * The best levels, one of each contender within its chosen segment (segments by contender), if
 * they are better than search->best; price > 0 is a guess. Adds to search->dropped what it
 * leaves open. -ENOMEM.
 */
int choice_solve(struct search *search, const uint32_t *segments, double price);

/* ---- branch_any.c ---- */
int branch_any_solve(const struct optimizer *optimizer, struct contest *contest,
                     struct arena *arena);

#endif
