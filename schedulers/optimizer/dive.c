// SPDX-License-Identifier: Apache-2.0
/*
 * Depth first over one segment for each contender. For every price p
 *     p capacity + sum over contenders of the most of value - p n in their segments
 * bounds the value of a choice; of a few prices the least such bound counts. The best segment
 * is tried first, so that the first choice is already a good one, and what is cut off before it
 * was looked into leaves its bound: the answer tells honestly how far from the best it may be.
 */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "schedulers/optimizer/search.h"

#define WORK_LEAF   100u /* of a choice that is solved, against one that is bounded */
#define PRICE_LEAST 1e-12
#define PRICE_MOST  1e9
#define PRICE_WIDE  3.0  /* factor between prices while the root's is searched */
#define PRICE_FINE  1.25 /* between the prices of the bounds */
#define PRICES_LOW  4    /* of them, below the root's */
#define BISECTIONS  3

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

/* ---- the root ---- */

/* About what all contenders together want at a price. */
static double wanted_at(const struct search *search, double price)
{
    double wanted = 0.0;
    for (uint32_t i = 0; i < search->contest->count; i++) {
        const uint32_t service = search->contest->all[i].service;
        const struct service_value *value = &search->optimizer->services[service].value;
        double most = -HUGE_VAL;
        double most_n = 0.0;
        for (uint32_t s = search->firsts[i]; s < search->firsts[i + 1]; s++) {
            const struct segment *segment = &search->segments[s];
            double net = 0.0;
            double n = 0.0;
            if (segment->under) {
                continue;
            }
            if (segment->kind == SEGMENT_CONCAVE) {
                n = value_demand(value, log(price), segment->from, segment->to);
                net = value_at_r(value, value->base_r + value->unit * n) - price * n;
            } else {
                uint32_t whole = 0;
                net = segment_net(search, i, segment, price, &whole);
                n = whole;
            }
            most_n = net > most ? n : most_n;
            most = net > most ? net : most;
        }
        wanted += most_n;
    }
    return wanted;
}

static double guess_price(const struct search *search)
{
    const struct contest *contest = search->contest;
    if (contest->price > 0.0) {
        return contest->price;
    }
    double weight = 0.0;
    for (uint32_t i = 0; i < contest->count; i++) {
        weight += search->optimizer->services[contest->all[i].service].value.weight;
    }
    return weight > 0.0 ? weight / (contest->capacity + 1.0) : 1.0;
}

/* About the price at which the bound of everything is least. */
static double find_root(struct search *search)
{
    const double capacity = search->contest->capacity;
    double price = guess_price(search);
    double wanted = wanted_at(search, price);
    const bool over = wanted > capacity;
    double low = price;
    double high = price;
    while ((wanted > capacity) == over && price > PRICE_LEAST && price < PRICE_MOST) {
        low = over ? price : price / PRICE_WIDE;
        high = over ? price * PRICE_WIDE : price;
        price = over ? high : low;
        wanted = wanted_at(search, price);
    }
    for (int i = 0; i < BISECTIONS; i++) {
        const double middle = sqrt(low * high);
        const bool above = wanted_at(search, middle) > capacity;
        low = above ? middle : low;
        high = above ? high : middle;
    }
    return sqrt(low * high);
}

static double net_at(const struct search *search, uint32_t contender, struct segment *segment,
                     uint32_t k)
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

/*
 * The most of a contender at every price, by falling price. What is no better than something
 * that takes more is so at every lower price too, and need not be looked at there.
 */
static void fill_most(const struct search *search, uint32_t contender, double *out)
{
    for (uint32_t k = SEARCH_PRICES; k-- > 0;) {
        double most = -HUGE_VAL;
        for (uint32_t s = search->firsts[contender + 1]; s-- > search->firsts[contender];) {
            struct segment *segment = &search->segments[s];
            if (segment->under || segment->behind) {
                continue;
            }
            const double net = net_at(search, contender, segment, k);
            segment->behind = net <= most;
            most = net > most ? net : most;
        }
        out[k] = most;
    }
}

static void fill_prices(struct dive *dive)
{
    struct search *search = dive->search;
    dive->price_root = find_root(search);
    double price = dive->price_root / pow(PRICE_FINE, PRICES_LOW);
    search->prices[0] = 0.0;
    for (uint32_t k = 1; k < SEARCH_PRICES; k++) {
        search->prices[k] = price;
        price *= PRICE_FINE;
    }
}

static void drop(struct search *search, double bound)
{
    search->dropped = bound > search->dropped ? bound : search->dropped;
}

/* ---- the dive ---- */

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
        fill_most(search, i, rest);
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
        out[k] = net_at(search, contender, segment, k);
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
    for (uint32_t s = first; s < search->firsts[i + 1]; s++) {
        struct segment *segment = &search->segments[s];
        const uint64_t least = dive->least[depth] + segment->from + dive->rest_least[depth + 1];
        if (least > search->contest->capacity ||
            (segment->kind == SEGMENT_CONVEX && dive->convex[depth] != OPTIMIZER_NONE)) {
            continue;
        }
        /* mostly one price is enough to see that it cannot be */
        double bound = sum[tight] + net_at(search, i, segment, tight) + rest[tight];
        if (bound <= search->best_value + SEARCH_EQUAL) {
            drop(search, bound);
            continue;
        }
        bound = child_bound(dive, depth, segment);
        uint32_t at = count++;
        for (; at > 0 && dive->bound[first + at - 1] < bound; at--) {
            dive->bound[first + at] = dive->bound[first + at - 1];
            dive->child[first + at] = dive->child[first + at - 1];
        }
        dive->bound[first + at] = bound;
        dive->child[first + at] = s;
    }
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

/* ---- one choice ---- */

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
            drop(search, bounds[best]);
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

static int solve_choice(struct dive *dive, double bound)
{
    struct search *search = dive->search;
    struct contest *contest = search->contest;
    const double *sum = &dive->sum[(size_t)contest->count * SEARCH_PRICES];
    uint32_t least = 0;
    for (uint32_t k = 1; k < SEARCH_PRICES; k++) {
        least = sum[k] < sum[least] ? k : least;
    }
    if (search->work_left < WORK_LEAF) {
        drop(search, bound);
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

static int dive_through(struct dive *dive)
{
    struct search *search = dive->search;
    const uint32_t count = search->contest->count;
    uint32_t depth = 0;
    enter(dive, 0);
    for (;;) {
        const double bound = next_bound(dive, depth);
        if (bound <= search->best_value + SEARCH_EQUAL || search->work_left == 0) {
            drop(search, bound);
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
        const int rc = solve_choice(dive, bound);
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
    const uint32_t count = search->contest->count;
    if (take_memory(&dive) < 0) {
        return -ENOMEM;
    }
    if (search->listed && search->firsts[count] == count) {
        for (uint32_t i = 0; i < count; i++) {
            dive.chosen[i] = i;
        }
        return choice_solve(search, dive.chosen, guess_price(search));
    }
    fill_prices(&dive);
    sort_contenders(&dive);
    sum_up_rest(&dive);
    for (uint32_t k = 0; k < SEARCH_PRICES; k++) {
        dive.sum[k] = search->prices[k] * search->contest->capacity;
    }
    dive.convex[0] = OPTIMIZER_NONE;
    dive.tight[0] = tightest(&dive, 0);
    const int rc = dive_through(&dive);
    search->contest->price = dive.price_root;
    return rc;
}
