// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <math.h>

#include "schedulers/optimizer/search.h"

#define WORK_MOST 60000u /* of a contest, see dive.c: about 2 ms */

/* Of two services that are alike, the lower name has more. */
static void order_equals(struct search *search)
{
    const struct optimizer *optimizer = search->optimizer;
    struct contest *contest = search->contest;
    for (uint32_t i = 0; i < contest->count; i++) {
        struct contender *a = &contest->all[i];
        for (uint32_t j = i + 1; j < contest->count; j++) {
            struct contender *b = &contest->all[j];
            const struct optimizer_service *of_a = &optimizer->services[a->service];
            const struct optimizer_service *of_b = &optimizer->services[b->service];
            if (of_a->need_r != of_b->need_r || of_a->value.weight != of_b->value.weight ||
                a->least != b->least || a->most != b->most ||
                (of_a->rank < of_b->rank) == (a->n > b->n) || a->n == b->n) {
                continue;
            }
            const double now =
                net_value(optimizer, a->service, a->n) + net_value(optimizer, b->service, b->n);
            const double other =
                net_value(optimizer, a->service, b->n) + net_value(optimizer, b->service, a->n);
            if (other >= now && !search->listed) {
                const uint32_t n = a->n;
                a->n = b->n;
                b->n = n;
            }
        }
    }
}

/* What the search handles: levels alone, or plain values alone. */
static bool is_plain(const struct optimizer *optimizer, const struct contest *contest,
                     bool *listed)
{
    uint32_t lists = 0;
    for (uint32_t i = 0; i < contest->count; i++) {
        const struct contender *it = &contest->all[i];
        if (levels_vm(optimizer, it->service) != NULL) {
            lists++;
        } else if (optimizer->problem->switching_cost > 0.0 ||
                   !(optimizer->services[it->service].value.unit > 0.0)) {
            return false;
        }
    }
    *listed = lists > 0;
    return lists == 0 || lists == contest->count;
}

static int solve_plain(struct search *search)
{
    struct contest *contest = search->contest;
    uint64_t least = 0;
    uint64_t most = 0;
    search->best = arena_take(search->arena, 3u * contest->count + 1u, sizeof(uint32_t));
    if (search->best == NULL) {
        return -ENOMEM;
    }
    uint32_t *limits = search->best + contest->count;
    double value = 0.0;
    for (uint32_t i = 0; i < contest->count; i++) {
        const struct contender *it = &contest->all[i];
        least += it->least;
        most += it->most;
        limits[2 * (size_t)i] = it->least;
        limits[2 * (size_t)i + 1] = it->most;
        search->best[i] = it->least;
        value += net_value(search->optimizer, it->service, it->least);
    }
    search->best_value = value;
    search->dropped = -HUGE_VAL;
    search->work_left = WORK_MOST;
    int rc = 0;
    if (least <= contest->capacity && contest->count > 0) {
        rc = segments_cut(search);
        rc = rc == 0 ? dive_solve(search) : rc;
    }
    for (uint32_t i = 0; i < contest->count; i++) {
        contest->all[i].least = limits[2 * (size_t)i];
        contest->all[i].most = limits[2 * (size_t)i + 1];
        contest->all[i].n = search->best[i];
    }
    contest->value = search->best_value;
    contest->bound =
        search->dropped > search->best_value ? search->dropped : search->best_value;
    return rc;
}

int branch_solve(const struct optimizer *optimizer, struct contest *contest,
                 struct arena *arena)
{
    struct search search = {.optimizer = optimizer, .contest = contest, .arena = arena};
    if (!is_plain(optimizer, contest, &search.listed)) {
        return branch_any_solve(optimizer, contest, arena);
    }
    const int rc = solve_plain(&search);
    if (rc == 0) {
        order_equals(&search);
    }
    return rc;
}
