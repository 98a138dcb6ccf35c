// SPDX-License-Identifier: Apache-2.0
#include <math.h>

#include "schedulers/optimizer/dive.h"

#define WORK_LEAF 100u /* of a choice that is solved, against one that is bounded */

static void take_best(struct search *search, const struct contest *contest)
{
    if (contest->value > search->best_value) {
        search->best_value = contest->value;
        for (uint32_t i = 0; i < contest->count; i++) {
            search->best[i] = contest->all[i].n;
        }
    }
}

static void restrict_to(struct dive *dive)
{
    const struct search *search = dive->search;
    struct contest *contest = search->contest;
    for (uint32_t i = 0; i < contest->count; i++) {
        const struct segment *segment = &search->segments[dive->chosen[i]];
        contest->all[i].least = segment->from;
        contest->all[i].most = segment->to;
    }
}

/* The bound of the others where a convex contender has n. */
static double bound_beside(const struct dive *dive, const struct segment *segment, uint32_t n)
{
    const struct search *search = dive->search;
    const double *sum = &dive->sum[(size_t)search->contest->count * SEARCH_PRICES];
    double bound = HUGE_VAL;
    for (uint32_t k = 0; k < SEARCH_PRICES; k++) {
        const double at = sum[k] - segment->net[k] - search->prices[k] * n;
        bound = at < bound ? at : bound;
    }
    return bound;
}

/*
 * With one convex contender its n are tried by falling bound. The others' value is concave in
 * what they get, so their price at one n bounds them at every other.
 */
static void solve_convex(struct dive *dive, uint32_t convex, double price)
{
    struct search *search = dive->search;
    struct contest *contest = search->contest;
    struct contender *it = &contest->all[convex];
    const struct segment *segment = &search->segments[dive->chosen[convex]];
    const uint64_t room = contest->capacity - dive->least[contest->count];
    const uint32_t most =
        room < segment->to - segment->from ? segment->from + (uint32_t)room : segment->to;
    const uint32_t width = most - segment->from + 1;
    double *bounds = dive->beside;
    double *own = bounds + width;
    for (uint32_t k = 0; k < width; k++) {
        own[k] = net_value(search->optimizer, it->service, segment->from + k);
        bounds[k] = own[k] + bound_beside(dive, segment, segment->from + k);
    }
    for (;;) {
        uint32_t best = 0;
        for (uint32_t k = 1; k < width; k++) {
            best = bounds[k] > bounds[best] ? k : best;
        }
        if (bounds[best] <= search->best_value + SEARCH_EQUAL ||
            search->work_left < WORK_LEAF) {
            dive_drop(search, bounds[best]);
            return;
        }
        search->work_left -= WORK_LEAF;
        it->least = segment->from + best;
        it->most = it->least;
        contest->price = price;
        waterfill_solve(search->optimizer, contest);
        take_best(search, contest);
        for (uint32_t k = 0; k < width; k++) {
            const double at = own[k] + contest->value - own[best] +
                              contest->price * ((double)best - (double)k);
            bounds[k] = at < bounds[k] ? at : bounds[k];
        }
    }
}

int dive_solve_choice(struct dive *dive, double bound)
{
    struct search *search = dive->search;
    struct contest *contest = search->contest;
    const double *sum = &dive->sum[(size_t)contest->count * SEARCH_PRICES];
    uint32_t least = 0;
    for (uint32_t k = 1; k < SEARCH_PRICES; k++) {
        least = sum[k] < sum[least] ? k : least;
    }
    if (search->work_left < WORK_LEAF) {
        dive_drop(search, bound);
        return 0;
    }
    const double price = search->prices[least > 0 ? least : 1]; /* a guess is above 0 */
    search->work_left -= WORK_LEAF;
    if (search->listed) {
        return choice_solve(search, dive->chosen, price);
    }
    restrict_to(dive);
    if (dive->convex[contest->count] != OPTIMIZER_NONE) {
        solve_convex(dive, dive->convex[contest->count], price);
        return 0;
    }
    contest->price = price;
    waterfill_solve(search->optimizer, contest);
    take_best(search, contest);
    return 0;
}

/*
 * Where everyone has its last segment: below overload that is mostly the best choice. At its
 * price, what a segment is worth less than the best of its contender is missing from the bound
 * of all choices with that segment; if that leaves no more than the best so far, it is taken
 * out.
 */
static void take_out(struct dive *dive, double price)
{
    struct search *search = dive->search;
    const uint32_t contenders = search->contest->count;
    double bound = price * search->contest->capacity;
    double *most = dive->sum;
    for (uint32_t i = 0; i < contenders; i++) {
        most[i] = -HUGE_VAL;
        for (uint32_t s = search->firsts[i]; s < search->firsts[i + 1]; s++) {
            uint32_t n = 0;
            const double net = segment_net(search, i, &search->segments[s], price, &n);
            dive->bound[s] = net;
            most[i] = net > most[i] ? net : most[i];
        }
        bound += most[i];
    }
    uint32_t count = 0;
    for (uint32_t i = 0; i < contenders; i++) {
        const uint32_t first = search->firsts[i];
        search->firsts[i] = count;
        for (uint32_t s = first; s < search->firsts[i + 1]; s++) {
            const double without = bound - (most[i] - dive->bound[s]);
            if (without <= search->best_value + SEARCH_EQUAL) {
                dive_drop(search, without);
            } else {
                search->segments[count] = search->segments[s];
                search->segments[count++].under = false; /* what it was under may be gone */
            }
        }
    }
    search->firsts[contenders] = count;
}

int dive_try_last(struct dive *dive)
{
    struct search *search = dive->search;
    struct contest *contest = search->contest;
    const uint32_t segments = search->firsts[contest->count];
    uint64_t least = 0;
    for (uint32_t i = 0; i < contest->count; i++) {
        dive->chosen[i] = search->firsts[i + 1] - 1;
        least += search->segments[dive->chosen[i]].from;
    }
    if (least > contest->capacity) {
        return 0;
    }
    if (search->listed) {
        const int rc = choice_solve(search, dive->chosen, dive_guess_price(search));
        if (rc < 0 || segments == contest->count) {
            return rc < 0 ? rc : 1;
        }
    } else {
        restrict_to(dive);
        waterfill_solve(search->optimizer, contest);
        take_best(search, contest);
    }
    take_out(dive, contest->price);
    for (uint32_t i = 0; i < contest->count; i++) {
        const uint32_t left = search->firsts[i + 1] - search->firsts[i];
        if (left == 0) {
            return 1;
        }
    }
    return 0;
}
