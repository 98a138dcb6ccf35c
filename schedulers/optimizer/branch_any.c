// SPDX-License-Identifier: Apache-2.0
/*
 * Branch and bound for one node whose values are not concave. The bound of a part is its
 * Lagrangian dual, minimized over the price of a percent; the best amounts at the prices on
 * both sides of that minimum differ in few services, and the one that jumps most is cut where
 * it would have to stand to fill the node.
 */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "schedulers/optimizer/search.h"

#define PARTS_MOST  400 /* looked at; then the gap that is left is told */
#define DEPTH_MOST  96
#define PRICE_STEPS 48
#define GAP_LEAST   1e-7

struct any_search {
    const struct optimizer *optimizer;
    struct contest *contest;
    uint32_t *ranges; /* a stack of parts: least and most of each contender */
    uint32_t depth;
    uint32_t *above; /* best amounts at a price that is too high: they fit */
    uint32_t *below; /* at one that is too low */
    uint32_t *trial;
    uint32_t *best;
    double best_value;
    double bound; /* the largest of parts that are not looked into */
};

static uint32_t *range_of(const struct any_search *search, uint32_t part, uint32_t i)
{
    return &search->ranges[2 * ((size_t)part * search->contest->count + i)];
}

/* The dual at a price; the amounts that attain it, and their sum. */
static double dual_at(const struct any_search *search, uint32_t part, double price,
                      uint32_t *out, uint64_t *used)
{
    const struct contest *contest = search->contest;
    double dual = price * contest->capacity;
    *used = 0;
    for (uint32_t i = 0; i < contest->count; i++) {
        const uint32_t service = contest->all[i].service;
        out[i] = net_best(search->optimizer, service, price, range_of(search, part, i));
        dual += net_value(search->optimizer, service, out[i]) - price * out[i];
        *used += out[i];
    }
    return dual;
}

static double value_of(const struct any_search *search, const uint32_t *amounts)
{
    double value = 0.0;
    for (uint32_t i = 0; i < search->contest->count; i++) {
        value += net_value(search->optimizer, search->contest->all[i].service, amounts[i]);
    }
    return value;
}

/* Of room, what a contender can use from where it stands. */
static uint32_t usable(const struct any_search *search, uint32_t i, uint32_t n, uint32_t room)
{
    const struct allocation_vm *vm =
        levels_vm(search->optimizer, search->contest->all[i].service);
    const uint32_t to = vm == NULL ? n + room : levels_snap(vm, n + room, false);
    return to > n ? to - n : 0;
}

/* The percent that is left goes to whom it helps most. */
static void try_fill(struct any_search *search, uint32_t part, uint64_t used)
{
    const struct contest *contest = search->contest;
    memcpy(search->trial, search->above, contest->count * sizeof *search->trial);
    uint32_t left = contest->capacity - (uint32_t)used;
    for (uint32_t round = 0; left > 0 && round < contest->count; round++) {
        uint32_t best = contest->count;
        double best_gain = 0.0;
        for (uint32_t i = 0; i < contest->count; i++) {
            const uint32_t most = range_of(search, part, i)[1];
            const uint32_t space =
                most - search->trial[i] < left ? most - search->trial[i] : left;
            const uint32_t room = usable(search, i, search->trial[i], space);
            const uint32_t service = contest->all[i].service;
            const double gain =
                room == 0 ? 0.0
                          : net_value(search->optimizer, service, search->trial[i] + room) -
                                net_value(search->optimizer, service, search->trial[i]);
            if (gain > best_gain) {
                best_gain = gain;
                best = i;
            }
        }
        if (best == contest->count) {
            break;
        }
        const uint32_t most = range_of(search, part, best)[1];
        const uint32_t space =
            most - search->trial[best] < left ? most - search->trial[best] : left;
        const uint32_t room = usable(search, best, search->trial[best], space);
        search->trial[best] += room;
        left -= room;
    }
    const double value = value_of(search, search->trial);
    if (value > search->best_value) {
        search->best_value = value;
        memcpy(search->best, search->trial, contest->count * sizeof *search->best);
    }
}

/* Minimizes the dual of a part; false: its least amounts do not fit. */
static bool bound_part(struct any_search *search, uint32_t part, double *bound)
{
    const struct contest *contest = search->contest;
    uint64_t used = 0;
    double low = 0.0;
    *bound = dual_at(search, part, low, search->below, &used);
    if (used <= contest->capacity) {
        memcpy(search->above, search->below, contest->count * sizeof *search->above);
        try_fill(search, part, used);
        return true;
    }
    double high = contest->price > 0.0 ? 1.1 * contest->price : 1e-4;
    double dual = dual_at(search, part, high, search->above, &used);
    while (used > contest->capacity) {
        if (high > 1e9) {
            return false;
        }
        *bound = dual < *bound ? dual : *bound;
        low = high;
        memcpy(search->below, search->above, contest->count * sizeof *search->below);
        high *= 4.0;
        dual = dual_at(search, part, high, search->above, &used);
    }
    uint64_t fits = used;
    *bound = dual < *bound ? dual : *bound;
    for (int i = 0; i < PRICE_STEPS && high - low > 1e-9 * high; i++) {
        const double middle = low > 0.0 ? 0.5 * (low + high) : 0.25 * high;
        dual = dual_at(search, part, middle, search->trial, &used);
        *bound = dual < *bound ? dual : *bound;
        if (used > contest->capacity) {
            low = middle;
            memcpy(search->below, search->trial, contest->count * sizeof *search->below);
        } else {
            high = middle;
            fits = used;
            memcpy(search->above, search->trial, contest->count * sizeof *search->above);
        }
        if (fits == contest->capacity) {
            break;
        }
    }
    search->contest->price = high;
    try_fill(search, part, fits);
    return true;
}

/*
 * Those who jump between both sides of the price do so in turn, the widest last, until the node
 * is full: the one that does not come all the way up is cut where it would stand. At its upper
 * end a cut would change nothing: equal services jump together, and each could stand a percent
 * below.
 */
static uint32_t choose(const struct any_search *search, uint32_t *cut)
{
    const struct contest *contest = search->contest;
    uint64_t left = contest->capacity;
    for (uint32_t i = 0; i < contest->count; i++) {
        left -= search->above[i];
    }
    uint32_t done = 0; /* width and index of the newest that came up */
    uint32_t last = contest->count;
    for (;;) {
        uint32_t chosen = contest->count;
        uint32_t width = UINT32_MAX;
        for (uint32_t i = 0; i < contest->count; i++) {
            const uint32_t above = search->above[i];
            const uint32_t jump = search->below[i] > above ? search->below[i] - above : 0;
            const bool is_next =
                jump > done || (jump == done && last != contest->count && i > last);
            if (jump > 0 && is_next && jump < width) {
                width = jump;
                chosen = i;
            }
        }
        if (chosen == contest->count || left < width) {
            *cut = chosen < contest->count ? search->above[chosen] + (uint32_t)left : 0;
            return chosen;
        }
        left -= width;
        done = width;
        last = chosen;
    }
}

static void push(struct any_search *search, uint32_t part, uint32_t i, const uint32_t range[2])
{
    const size_t size = 2 * (size_t)search->contest->count;
    if (search->depth != part) {
        memmove(&search->ranges[search->depth * size], &search->ranges[part * size],
                size * sizeof *search->ranges);
    }
    uint32_t *cut = range_of(search, search->depth, i);
    cut[0] = range[0];
    cut[1] = range[1];
    search->depth++;
}

static void look_into(struct any_search *search)
{
    const uint32_t part = --search->depth;
    double bound = 0.0;
    if (!bound_part(search, part, &bound)) {
        return;
    }
    if (bound <= search->best_value + GAP_LEAST) {
        search->bound = bound > search->bound ? bound : search->bound;
        return;
    }
    uint32_t cut = 0;
    const uint32_t i = choose(search, &cut);
    if (i == search->contest->count || search->depth + 2 > DEPTH_MOST) {
        search->bound = bound > search->bound ? bound : search->bound;
        return;
    }
    const uint32_t whole[2] = {range_of(search, part, i)[0], range_of(search, part, i)[1]};
    /* the copy for the second part is made before the first is overwritten */
    const size_t size = 2 * (size_t)search->contest->count;
    memmove(&search->ranges[(part + 1) * size], &search->ranges[part * size],
            size * sizeof *search->ranges);
    const struct allocation_vm *vm =
        levels_vm(search->optimizer, search->contest->all[i].service);
    const uint32_t below = vm == NULL ? cut : levels_snap(vm, cut, false);
    const uint32_t above = vm == NULL ? cut + 1 : levels_snap(vm, cut + 1, true);
    push(search, part, i, (uint32_t[2]){whole[0], below});
    push(search, part + 1, i, (uint32_t[2]){above, whole[1]});
}

int branch_any_solve(const struct optimizer *optimizer, struct contest *contest,
                     struct arena *arena)
{
    struct any_search search = {.optimizer = optimizer,
                                .contest = contest,
                                .best_value = -HUGE_VAL,
                                .bound = -HUGE_VAL};
    const size_t count = contest->count + 1u;
    search.ranges = arena_take(arena, 2 * count * (DEPTH_MOST + 2), sizeof(uint32_t));
    search.above = arena_take(arena, 4 * count, sizeof(uint32_t));
    if (search.ranges == NULL || search.above == NULL) {
        return -ENOMEM;
    }
    search.below = search.above + count;
    search.trial = search.below + count;
    search.best = search.trial + count;
    for (uint32_t i = 0; i < contest->count; i++) {
        range_of(&search, 0, i)[0] = contest->all[i].least;
        range_of(&search, 0, i)[1] = contest->all[i].most;
        search.best[i] = contest->all[i].least;
    }
    search.depth = 1;
    search.best_value = value_of(&search, search.best);
    for (uint32_t parts = 0; search.depth > 0 && parts < PARTS_MOST; parts++) {
        look_into(&search);
    }
    while (search.depth >
           0) { /* the limit was reached: what is left is bounded, not searched */
        double bound = 0.0;
        if (bound_part(&search, --search.depth, &bound) && bound > search.bound) {
            search.bound = bound;
        }
    }
    for (uint32_t i = 0; i < contest->count; i++) {
        contest->all[i].n = search.best[i];
    }
    contest->value = search.best_value;
    contest->bound = search.bound > search.best_value ? search.bound : search.best_value;
    return 0;
}
