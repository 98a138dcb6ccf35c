// SPDX-License-Identifier: Apache-2.0
/*
 * What is right, found slowly and without any of the optimizer's own code: all caps of a
 * problem in turn, or for services of one VM on one node every cap of each by dynamic
 * programming. Scores are compared in the order that the objective names.
 */
#ifndef TESTS_SCHEDULERS_ALLOCATION_ORACLE_H
#define TESTS_SCHEDULERS_ALLOCATION_ORACLE_H

#include "allocation_bench.h"

#define ORACLE_CPU_MOST 256

struct oracle_score {
    double kept;   /* weight of services at their floor; product: 0 */
    double value;  /* sum w log S of the kept; product: of all */
    double others; /* of the others */
};

static bool oracle_is_better(const struct oracle_score *a, const struct oracle_score *b)
{
    if (fabs(a->kept - b->kept) > 1e-9) {
        return a->kept > b->kept;
    }
    if (fabs(a->value - b->value) > 1e-12) {
        return a->value > b->value;
    }
    return a->others > b->others + 1e-12;
}

/* What a service must have to be kept; of VMs on nodes of one speed. */
static double oracle_need(uint32_t index)
{
    const struct allocation_service *it = &t.services[index];
    const double need = model_need(it->model, service_level_inverse(&it->curve, 0.5));
    double most = 0;
    double least_max = HUGE_VAL;
    for (uint32_t v = it->first_vm; v < it->first_vm + it->vms_count; v++) {
        const double max = t.vms[v].max_cap_pct * t.nodes[t.vms[v].node].speed;
        most += max;
        least_max = max < least_max ? max : least_max;
    }
    most = it->coupling == COUPLING_GANG ? least_max * it->vms_count : most;
    if (it->past != ALLOCATION_PAST_SACRIFICED || !(need < most)) {
        return need;
    }
    return fmin(need * (1 + t.problem.return_margin), most);
}

static struct oracle_score oracle_of_service(uint32_t index, double r)
{
    const struct allocation_service *it = &t.services[index];
    const double x = model_predict(it->model, r);
    const double value = it->weight * service_level_log(&it->curve, x);
    if (t.problem.objective == ALLOCATION_PRODUCT) {
        return (struct oracle_score){.value = value};
    }
    const double stake =
        it->weight + (it->past == ALLOCATION_PAST_KEPT ? t.problem.sticky_weight : 0);
    return r >= oracle_need(index) - 1e-9 ? (struct oracle_score){.kept = stake, .value = value}
                                          : (struct oracle_score){.others = value};
}

static struct oracle_score oracle_sum(const struct oracle_score *a,
                                      const struct oracle_score *b)
{
    return (struct oracle_score){a->kept + b->kept, a->value + b->value, a->others + b->others};
}

/* One node, services of one VM: the best score for every amount of CPU, service by service. */
static __attribute__((unused)) struct oracle_score oracle_node(void)
{
    static struct oracle_score before[ORACLE_CPU_MOST + 1];
    static struct oracle_score after[ORACLE_CPU_MOST + 1];
    const uint32_t cpu = t.nodes[0].cpu_pct;
    memset(before, 0, sizeof before);
    for (uint32_t i = 0; i < t.problem.services_count; i++) {
        const struct allocation_vm *vm = &t.vms[t.services[i].first_vm];
        for (uint32_t c = 0; c <= cpu; c++) {
            after[c] = (struct oracle_score){.kept = -HUGE_VAL};
            for (uint32_t cap = vm->min_cap_pct; cap <= vm->max_cap_pct && cap <= c; cap++) {
                const struct oracle_score own = oracle_of_service(i, cap * t.nodes[0].speed);
                const struct oracle_score with = oracle_sum(&before[c - cap], &own);
                if (isfinite(with.kept) &&
                    (!isfinite(after[c].kept) || oracle_is_better(&with, &after[c]))) {
                    after[c] = with;
                }
            }
        }
        memcpy(before, after, sizeof before);
    }
    return before[cpu];
}

static double oracle_r(uint32_t service, const uint32_t *caps)
{
    const struct allocation_service *it = &t.services[service];
    double r = 0;
    double slowest = HUGE_VAL;
    uint32_t least = UINT32_MAX;
    for (uint32_t v = it->first_vm; v < it->first_vm + it->vms_count; v++) {
        const double speed = t.nodes[t.vms[v].node].speed;
        r += caps[v] * speed;
        slowest = speed < slowest ? speed : slowest;
        least = caps[v] < least ? caps[v] : least;
    }
    return it->coupling == COUPLING_GANG ? least * slowest * it->vms_count : r;
}

static struct oracle_score oracle_of_caps(const uint32_t *caps)
{
    struct oracle_score score = {0};
    for (uint32_t i = 0; i < t.problem.services_count; i++) {
        const struct oracle_score own = oracle_of_service(i, oracle_r(i, caps));
        score = oracle_sum(&score, &own);
    }
    return score;
}

/* The same services are at their floors. */
static __attribute__((unused)) bool oracle_same_kept(const uint32_t *a, const uint32_t *b)
{
    bool same = true;
    for (uint32_t i = 0; same && i < t.problem.services_count; i++) {
        const struct oracle_score one = oracle_of_service(i, oracle_r(i, a));
        const struct oracle_score other = oracle_of_service(i, oracle_r(i, b));
        same = (one.kept > 0) == (other.kept > 0);
    }
    return same;
}

/* All caps of all VMs in turn. */
static __attribute__((unused)) struct oracle_score oracle_brute(void)
{
    uint32_t caps[16];
    const uint32_t vms = t.problem.vms_count;
    cr_assert_leq(vms, 16u);
    for (uint32_t v = 0; v < vms; v++) {
        caps[v] = t.vms[v].min_cap_pct;
    }
    struct oracle_score best = {.kept = -HUGE_VAL};
    for (;;) {
        uint32_t used[NODES] = {0};
        bool fits = true;
        for (uint32_t v = 0; v < vms; v++) {
            used[t.vms[v].node] += caps[v];
            fits = fits && used[t.vms[v].node] <= t.nodes[t.vms[v].node].cpu_pct;
        }
        if (fits) {
            const struct oracle_score score = oracle_of_caps(caps);
            best = !isfinite(best.kept) || oracle_is_better(&score, &best) ? score : best;
        }
        uint32_t v = 0;
        while (v < vms && caps[v] == t.vms[v].max_cap_pct) {
            caps[v] = t.vms[v].min_cap_pct;
            v++;
        }
        if (v == vms) {
            return best;
        }
        caps[v]++;
    }
}

/* The answer is the best one, and its bounds are no lower. Returns whether it is. */
static __attribute__((unused)) bool oracle_agrees(const struct oracle_score *best,
                                                  const char *what, uint32_t round)
{
    const struct oracle_score got = oracle_of_caps(t.caps);
    const double sum = best->value + best->others;
    const bool same = fabs(got.kept - best->kept) < 1e-9 &&
                      fabs(got.value - best->value) < 1e-9 &&
                      fabs(got.others - best->others) < 1e-9;
    cr_expect(same, "%s %u: kept %g of %g, value %.12g of %.12g, others %.12g of %.12g", what,
              round, got.kept, best->kept, got.value, best->value, got.others, best->others);
    cr_expect(t.answer.upper_bound >= sum - 1e-9, "%s %u: bound %.12g below %.12g", what, round,
              t.answer.upper_bound, sum);
    cr_expect(t.problem.objective == ALLOCATION_PRODUCT ||
                  t.answer.kept_weight_bound >= best->kept - 1e-9,
              "%s %u: weight bound %g below %g", what, round, t.answer.kept_weight_bound,
              best->kept);
    return same;
}

#endif
