// SPDX-License-Identifier: Apache-2.0
/*
 * Depth first over one segment for each contender. For every price p
 *     p capacity + sum over contenders of the most of value - p n in their segments
 * bounds the value of a choice; of a few prices the least such bound counts. The best segment
 * is tried first, so that the first choice is already a good one, and what is cut off before it
 * was looked into leaves its bound: the answer tells honestly how far from the best it may be.
 */
#include "schedulers/optimizer/dive.h"

#include <errno.h>
#include <math.h>

/* Heavy ones first: their segments differ most. */
static void sort_contenders(struct dive *dive)
{
    const struct search *search = dive->search;
    for (uint32_t i = 0; i < search->contest->count; i++) {
        const double weight =
            search->optimizer->services[search->contest->all[i].service].value.weight;
        uint32_t at = i;
        for (; at > 0 &&
               search->optimizer->services[search->contest->all[dive->order[at - 1]].service]
                       .value.weight < weight;
             at--) {
            dive->order[at] = dive->order[at - 1];
        }
        dive->order[at] = i;
    }
}

static void sum_up_rest(struct dive *dive)
{
    const struct search *search = dive->search;
    for (uint32_t d = search->contest->count; d-- > 0;) {
        const uint32_t i = dive->order[d];
        const double *after = &dive->rest[(size_t)(d + 1) * SEARCH_PRICES];
        double *rest = &dive->rest[(size_t)d * SEARCH_PRICES];
        dive_fill_most(search, i, rest);
        for (uint32_t k = 0; k < SEARCH_PRICES; k++) {
            rest[k] += after[k];
        }
        dive->rest_least[d] =
            dive->rest_least[d + 1] + search->segments[search->firsts[i]].from;
    }
}

/* The net of a segment at every price. */
static void fill_net(const struct search *search, uint32_t contender, struct segment *segment,
                     double *out)
{
    for (uint32_t k = 0; k < SEARCH_PRICES; k++) {
        out[k] = dive_net_at(search, contender, segment, k);
    }
}

static double child_bound(const struct dive *dive, uint32_t depth, struct segment *segment)
{
    const double *sum = &dive->sum[(size_t)depth * SEARCH_PRICES];
    const double *rest = &dive->rest[(size_t)(depth + 1) * SEARCH_PRICES];
    double net[SEARCH_PRICES];
    fill_net(dive->search, dive->order[depth], segment, net);
    double bound = HUGE_VAL;
    for (uint32_t k = 0; k < SEARCH_PRICES; k++) {
        const double at = sum[k] + net[k] + rest[k];
        bound = at < bound ? at : bound;
    }
    return bound;
}

/* Children of a depth by falling bound; what cannot be is left out. */
static void enter(struct dive *dive, uint32_t depth)
{
    struct search *search = dive->search;
    const uint32_t i = dive->order[depth];
    const uint32_t first = search->firsts[i];
    const uint32_t tight = dive->tight[depth];
    const double *sum = &dive->sum[(size_t)depth * SEARCH_PRICES];
    const double *rest = &dive->rest[(size_t)(depth + 1) * SEARCH_PRICES];
    uint32_t count = 0;
    dive->cursor[i] = 0;
    /* mostly one price is enough to see that a child cannot be */
    const double base = sum[tight] + rest[tight];
    const double enough = search->best_value + SEARCH_EQUAL - base;
    double skipped = -HUGE_VAL;
    for (uint32_t s = first; s < search->firsts[i + 1]; s++) {
        struct segment *segment = &search->segments[s];
        const double net = dive_net_at(search, i, segment, tight);
        if (net <= enough) {
            skipped = net > skipped ? net : skipped;
            continue;
        }
        const uint64_t least = dive->least[depth] + segment->from + dive->rest_least[depth + 1];
        if (least > search->contest->capacity ||
            (segment->kind == SEGMENT_CONVEX && dive->convex[depth] != OPTIMIZER_NONE)) {
            continue;
        }
        const double bound = child_bound(dive, depth, segment);
        uint32_t at = count++;
        for (; at > 0 && dive->bound[first + at - 1] < bound; at--) {
            dive->bound[first + at] = dive->bound[first + at - 1];
            dive->child[first + at] = dive->child[first + at - 1];
        }
        dive->bound[first + at] = bound;
        dive->child[first + at] = s;
    }
    dive_drop(search, base + skipped);
    if (first + count < search->firsts[i + 1]) {
        dive->bound[first + count] = -HUGE_VAL;
    }
}

static uint32_t tightest(const struct dive *dive, uint32_t depth)
{
    const double *sum = &dive->sum[(size_t)depth * SEARCH_PRICES];
    const double *rest = &dive->rest[(size_t)depth * SEARCH_PRICES];
    uint32_t tight = 0;
    for (uint32_t k = 1; k < SEARCH_PRICES; k++) {
        tight = sum[k] + rest[k] < sum[tight] + rest[tight] ? k : tight;
    }
    return tight;
}

/* The bound of the next child of a depth; -HUGE_VAL: there is none. */
static double next_bound(const struct dive *dive, uint32_t depth)
{
    const uint32_t i = dive->order[depth];
    const uint32_t at = dive->search->firsts[i] + dive->cursor[i];
    return at < dive->search->firsts[i + 1] ? dive->bound[at] : -HUGE_VAL;
}

static void descend(struct dive *dive, uint32_t depth)
{
    const struct search *search = dive->search;
    const uint32_t i = dive->order[depth];
    const uint32_t s = dive->child[search->firsts[i] + dive->cursor[i]++];
    struct segment *segment = &search->segments[s];
    const double *sum = &dive->sum[(size_t)depth * SEARCH_PRICES];
    double net[SEARCH_PRICES];
    fill_net(search, i, segment, net);
    double *below = &dive->sum[(size_t)(depth + 1) * SEARCH_PRICES];
    for (uint32_t k = 0; k < SEARCH_PRICES; k++) {
        below[k] = sum[k] + net[k];
    }
    dive->tight[depth + 1] = tightest(dive, depth + 1);
    dive->chosen[i] = s;
    dive->least[depth + 1] = dive->least[depth] + segment->from;
    dive->convex[depth + 1] = segment->kind == SEGMENT_CONVEX ? i : dive->convex[depth];
}

static int dive_through(struct dive *dive)
{
    struct search *search = dive->search;
    const uint32_t count = search->contest->count;
    uint32_t depth = 0;
    enter(dive, 0);
    for (;;) {
        const double bound = next_bound(dive, depth);
        if (bound <= search->best_value + SEARCH_EQUAL || search->work_left == 0) {
            dive_drop(search, bound);
            if (depth-- == 0) {
                return 0;
            }
            continue;
        }
        search->work_left--;
        descend(dive, depth);
        if (depth + 1 < count) {
            enter(dive, ++depth);
            continue;
        }
        const int rc = dive_solve_choice(dive, bound);
        if (rc < 0) {
            return rc;
        }
    }
}

static int take_memory(struct dive *dive)
{
    const struct search *search = dive->search;
    struct arena *arena = search->arena;
    const size_t count = search->contest->count;
    const size_t segments = search->firsts[count];
    size_t widest = 0;
    for (size_t s = 0; s < segments; s++) {
        const struct segment *segment = &search->segments[s];
        const size_t width = segment->to - segment->from + 1u;
        widest = segment->kind == SEGMENT_CONVEX && width > widest ? width : widest;
    }
    dive->order = arena_take(arena, 5 * (count + 1), sizeof *dive->order);
    dive->rest = arena_take(arena, 2 * (count + 1) * SEARCH_PRICES, sizeof *dive->rest);
    dive->rest_least = arena_take(arena, 2 * (count + 1), sizeof *dive->rest_least);
    dive->child = arena_take(arena, segments + 1u, sizeof *dive->child);
    dive->bound = arena_take(arena, segments + 1u, sizeof *dive->bound);
    dive->beside = arena_take(arena, 2u * widest + 1u, sizeof *dive->beside);
    if (arena->failed) {
        return -ENOMEM;
    }
    dive->cursor = dive->order + count + 1;
    dive->chosen = dive->cursor + count + 1;
    dive->convex = dive->chosen + count + 1;
    dive->tight = dive->convex + count + 1;
    dive->sum = dive->rest + (count + 1) * SEARCH_PRICES;
    dive->least = dive->rest_least + count + 1;
    return 0;
}

int dive_solve(struct search *search)
{
    struct dive dive = {.search = search};
    if (take_memory(&dive) < 0) {
        return -ENOMEM;
    }
    int rc = dive_try_last(&dive);
    if (rc != 0) {
        return rc < 0 ? rc : 0;
    }
    dive_fill_prices(&dive);
    sort_contenders(&dive);
    sum_up_rest(&dive);
    for (uint32_t k = 0; k < SEARCH_PRICES; k++) {
        dive.sum[k] = search->prices[k] * search->contest->capacity;
    }
    dive.convex[0] = OPTIMIZER_NONE;
    dive.tight[0] = tightest(&dive, 0);
    rc = dive_through(&dive);
    search->contest->price = dive.price_root;
    return rc;
}
