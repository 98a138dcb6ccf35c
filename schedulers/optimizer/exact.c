// SPDX-License-Identifier: Apache-2.0
/*
 * Small components exactly: for each node a dynamic program over its services of one VM gives
 * the best score for every amount of CPU; the caps of services with several VMs are enumerated.
 * Services come in falling order of their names and take the most of equals, so that the lower
 * name keeps more.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "schedulers/optimizer/optimizer.h"

#define NODES_MOST   4
#define COUPLED_MOST 8  /* variables that are enumerated */
#define SINGLES_MOST 24 /* of a node */
#define CPU_MOST     400
#define WORK_MOST    1000000u
#define EQUAL_WEIGHT 1e-9
#define EQUAL_VALUE  1e-12

/* One variable that is enumerated: a VM of a sum, or the common cap of a gang. */
struct digit {
    uint32_t service;
    uint32_t vm; /* the first one of a gang */
    uint32_t least;
    uint32_t most;
    uint32_t now;
};

struct table {
    uint32_t node;
    uint32_t singles[SINGLES_MOST]; /* by falling rank */
    uint32_t singles_count;
    uint32_t cpu_pct;
    struct score *best; /* by CPU */
    uint32_t *choice;   /* single x CPU */
};

struct exact {
    struct optimizer *optimizer;
    struct table tables[NODES_MOST];
    uint32_t tables_count;
    struct digit digits[COUPLED_MOST];
    uint32_t digits_count;
    uint32_t coupled[COUPLED_MOST]; /* services */
    uint32_t coupled_count;
    uint32_t best[COUPLED_MOST]; /* digits */
    double uneven;               /* of them: VMs of a sum share evenly where that is equal */
    struct score score;
};

static bool is_better(const struct score *a, const struct score *b)
{
    if (fabs(a->kept - b->kept) > EQUAL_WEIGHT) {
        return a->kept > b->kept;
    }
    if (fabs(a->value - b->value) > EQUAL_VALUE) {
        return a->value > b->value;
    }
    return a->value_sacrificed > b->value_sacrificed + EQUAL_VALUE;
}

static struct score sum_of(const struct score *a, const struct score *b)
{
    return (struct score){a->kept + b->kept, a->value + b->value,
                          a->value_sacrificed + b->value_sacrificed};
}

static struct score score_of(const struct optimizer *optimizer, uint32_t service, double r,
                             double net)
{
    const struct optimizer_service *it = &optimizer->services[service];
    if (optimizer->problem->objective == ALLOCATION_PRODUCT) {
        return (struct score){.value = net};
    }
    if (it->reachable && r >= it->need_r - VALUE_TOLERANCE) {
        return (struct score){.kept = it->stake, .value = net};
    }
    return (struct score){.value_sacrificed = net};
}

// NOLINTNEXTLINE(readability-function-size): one loop for each index of the table
static void fill_table(struct exact *exact, struct table *table)
{
    const uint32_t width = table->cpu_pct + 1;
    struct score own[CPU_MOST + 1];
    for (uint32_t k = 0; k < table->singles_count; k++) {
        const uint32_t service = table->singles[k];
        const struct service_value *value = &exact->optimizer->services[service].value;
        const uint32_t most = value->hi < table->cpu_pct ? value->hi : table->cpu_pct;
        for (uint32_t n = value->lo; n <= most; n++) {
            own[n] = score_of(exact->optimizer, service, value_r(value, n),
                              net_value(exact->optimizer, service, n));
        }
        for (uint32_t cpu = width; cpu-- > 0;) {
            struct score best = {.kept = -HUGE_VAL};
            uint32_t choice = 0;
            for (uint32_t n = (most < cpu ? most : cpu) + 1; n-- > value->lo;) {
                const struct score with = sum_of(&table->best[cpu - n], &own[n]);
                if (isfinite(with.kept) && (!isfinite(best.kept) || is_better(&with, &best))) {
                    best = with;
                    choice = n;
                }
            }
            table->best[cpu] = best;
            table->choice[k * width + cpu] = choice;
        }
    }
}

static bool take_single(struct exact *exact, uint32_t service)
{
    const struct optimizer *optimizer = exact->optimizer;
    const struct optimizer_service *it = &optimizer->services[service];
    const uint32_t node = optimizer->problem->vms[it->first_vm].node;
    for (uint32_t k = 0; k < exact->tables_count; k++) {
        struct table *table = &exact->tables[k];
        if (table->node != node) {
            continue;
        }
        if (table->singles_count == SINGLES_MOST) {
            return false;
        }
        uint32_t at = table->singles_count++;
        for (; at > 0 && optimizer->services[table->singles[at - 1]].rank < it->rank; at--) {
            table->singles[at] = table->singles[at - 1];
        }
        table->singles[at] = service;
    }
    return true;
}

static bool take_coupled(struct exact *exact, uint32_t service, double *combinations)
{
    const struct optimizer *optimizer = exact->optimizer;
    const struct optimizer_service *it = &optimizer->services[service];
    if (exact->coupled_count == COUPLED_MOST) {
        return false;
    }
    exact->coupled[exact->coupled_count++] = service;
    for (uint32_t k = 0; k < it->vms_count; k++) {
        const struct allocation_vm *vm = &optimizer->problem->vms[it->first_vm + k];
        if (vm->fixed) {
            continue;
        }
        const bool gang = it->coupling == COUPLING_GANG;
        if (exact->digits_count == COUPLED_MOST) {
            return false;
        }
        struct digit *digit = &exact->digits[exact->digits_count++];
        *digit = (struct digit){.service = service,
                                .vm = it->first_vm + k,
                                .least = gang ? it->value.lo : vm->min_cap_pct,
                                .most = gang ? it->value.hi : vm->max_cap_pct};
        const uint32_t cpu_pct = optimizer->nodes[vm->node].cpu_pct;
        digit->most = digit->most < cpu_pct ? digit->most : cpu_pct;
        if (digit->most < digit->least) {
            return false;
        }
        *combinations *= digit->most - digit->least + 1.0;
        if (gang) {
            break;
        }
    }
    return true;
}

static bool has_levels(const struct optimizer *optimizer, const struct optimizer_service *it)
{
    for (uint32_t k = 0; k < it->vms_count; k++) {
        if (optimizer->problem->vms[it->first_vm + k].levels_count > 0) {
            return true;
        }
    }
    return false;
}

/* Collects what there is; false where that is more than a little. */
static bool collect(struct exact *exact, const struct component *component, double *work)
{
    const struct optimizer *optimizer = exact->optimizer;
    double combinations = 1.0;
    if (component->nodes_count > NODES_MOST) {
        return false;
    }
    for (uint32_t k = 0; k < component->nodes_count; k++) {
        const uint32_t node = component->nodes[k];
        if (optimizer->nodes[node].cpu_pct > CPU_MOST) {
            return false;
        }
        exact->tables[exact->tables_count++] =
            (struct table){.node = node, .cpu_pct = optimizer->nodes[node].cpu_pct};
    }
    for (uint32_t i = 0; i < component->services_count; i++) {
        const uint32_t service = component->services[i];
        const struct optimizer_service *it = &optimizer->services[service];
        if (has_levels(optimizer, it)) {
            return false;
        }
        const bool alone =
            it->coupling == COUPLING_SINGLE && !optimizer->problem->vms[it->first_vm].fixed;
        if (alone ? !take_single(exact, service)
                  : !take_coupled(exact, service, &combinations)) {
            return false;
        }
    }
    *work = combinations * (1.0 + exact->tables_count + 4.0 * exact->coupled_count);
    for (uint32_t k = 0; k < exact->tables_count; k++) {
        const double cpu = exact->tables[k].cpu_pct + 1.0;
        *work += 0.5 * cpu * cpu * exact->tables[k].singles_count;
    }
    return true;
}

static void set_digit(struct exact *exact, struct digit *digit, uint32_t cap_pct)
{
    struct optimizer *optimizer = exact->optimizer;
    const struct optimizer_service *it = &optimizer->services[digit->service];
    digit->now = cap_pct;
    if (it->coupling != COUPLING_GANG) {
        optimizer->caps[digit->vm] = cap_pct;
        return;
    }
    for (uint32_t k = 0; k < it->vms_count; k++) {
        if (!optimizer->problem->vms[it->first_vm + k].fixed) {
            optimizer->caps[it->first_vm + k] = cap_pct;
        }
    }
}

/* CPU that the coupled services leave on each node; false: they take too much. */
// NOLINTNEXTLINE(readability-function-size): one loop for each index of the table
static bool leave(const struct exact *exact, uint32_t left[NODES_MOST])
{
    const struct optimizer *optimizer = exact->optimizer;
    for (uint32_t k = 0; k < exact->tables_count; k++) {
        left[k] = exact->tables[k].cpu_pct;
    }
    for (uint32_t i = 0; i < exact->coupled_count; i++) {
        const struct optimizer_service *it = &optimizer->services[exact->coupled[i]];
        for (uint32_t v = it->first_vm; v < it->first_vm + it->vms_count; v++) {
            const struct allocation_vm *vm = &optimizer->problem->vms[v];
            for (uint32_t k = 0; !vm->fixed && k < exact->tables_count; k++) {
                if (exact->tables[k].node != vm->node) {
                    continue;
                }
                if (optimizer->caps[v] > left[k]) {
                    return false;
                }
                left[k] -= optimizer->caps[v];
            }
        }
    }
    return true;
}

static void try_digits(struct exact *exact)
{
    uint32_t left[NODES_MOST];
    if (!leave(exact, left)) {
        return;
    }
    struct score score = {0};
    for (uint32_t k = 0; k < exact->tables_count; k++) {
        score = sum_of(&score, &exact->tables[k].best[left[k]]);
    }
    if (!isfinite(score.kept)) {
        return;
    }
    for (uint32_t i = 0; i < exact->coupled_count; i++) {
        const uint32_t service = exact->coupled[i];
        const struct optimizer_service *it = &exact->optimizer->services[service];
        double r = optimizer_r(exact->optimizer, service);
        if (it->ceiling_r < r && r > value_r(&it->value, it->value.hi) + VALUE_TOLERANCE) {
            return; /* more than it asks for */
        }
        const struct score own =
            score_of(exact->optimizer, service, r, net_now(exact->optimizer, service));
        score = sum_of(&score, &own);
    }
    double uneven = 0.0;
    for (uint32_t d = 0; d < exact->digits_count; d++) {
        uneven += (double)exact->digits[d].now * exact->digits[d].now;
    }
    if (!isfinite(exact->score.kept) || is_better(&score, &exact->score) ||
        (!is_better(&exact->score, &score) && uneven < exact->uneven)) {
        exact->score = score;
        exact->uneven = uneven;
        for (uint32_t d = 0; d < exact->digits_count; d++) {
            exact->best[d] = exact->digits[d].now;
        }
    }
}

static void enumerate(struct exact *exact)
{
    for (uint32_t d = 0; d < exact->digits_count; d++) {
        set_digit(exact, &exact->digits[d], exact->digits[d].most);
    }
    for (;;) {
        try_digits(exact);
        uint32_t d = exact->digits_count;
        while (d > 0 && exact->digits[d - 1].now == exact->digits[d - 1].least) {
            d--;
            set_digit(exact, &exact->digits[d], exact->digits[d].most);
        }
        if (d == 0) {
            return;
        }
        set_digit(exact, &exact->digits[d - 1], exact->digits[d - 1].now - 1);
    }
}

static void set_best(struct exact *exact)
{
    struct optimizer *optimizer = exact->optimizer;
    for (uint32_t d = 0; d < exact->digits_count; d++) {
        set_digit(exact, &exact->digits[d], exact->best[d]);
    }
    uint32_t left[NODES_MOST];
    (void)leave(exact, left);
    for (uint32_t k = 0; k < exact->tables_count; k++) {
        struct table *table = &exact->tables[k];
        for (uint32_t i = table->singles_count; i-- > 0;) {
            const uint32_t n = table->choice[i * (table->cpu_pct + 1) + left[k]];
            optimizer->caps[optimizer->services[table->singles[i]].first_vm] = n;
            left[k] -= n;
        }
    }
}

static bool take_tables(struct exact *exact)
{
    for (uint32_t k = 0; k < exact->tables_count; k++) {
        struct table *table = &exact->tables[k];
        const size_t width = table->cpu_pct + 1u;
        table->best = calloc(width, sizeof *table->best);
        table->choice = calloc(width * (table->singles_count + 1u), sizeof *table->choice);
        if (table->best == NULL || table->choice == NULL) {
            return false;
        }
    }
    return true;
}

bool exact_solve(struct optimizer *optimizer, const struct component *component,
                 struct score *score)
{
    struct exact exact = {.optimizer = optimizer, .score = {.kept = -HUGE_VAL}};
    double work = 0.0;
    if (!collect(&exact, component, &work) || work > WORK_MOST ||
        work > (double)optimizer->exact_left) {
        return false;
    }
    const bool taken = take_tables(&exact);
    if (taken) {
        for (uint32_t k = 0; k < exact.tables_count; k++) {
            fill_table(&exact, &exact.tables[k]);
        }
        enumerate(&exact);
    }
    const bool solved = taken && isfinite(exact.score.kept);
    if (solved) {
        optimizer->exact_left -= (uint64_t)work;
        set_best(&exact);
        *score = exact.score;
    }
    for (uint32_t k = 0; k < exact.tables_count; k++) {
        free(exact.tables[k].best);
        free(exact.tables[k].choice);
    }
    return solved;
}
