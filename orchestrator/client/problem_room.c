// SPDX-License-Identifier: Apache-2.0
/*
 * How many more of a service fit with every floor kept. Copies are placed one VM at a time into
 * what the floors of all services leave; the optimizer then says whether all floors hold. VMs
 * whose CPU adds up let it rearrange, so what is left is looked at again until no copy goes in.
 * The bound counts what no arrangement can avoid: exact where no VMs are coupled.
 */
#include "orchestrator/client/problem_room.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/service_level.h"
#include "schedulers/model.h"

#define MEMORY_NO_LIMIT ((uint64_t)1 << 40) /* KiB: the node's memory is not in the file */
#define ROUNDS_MAX      16
#define SUM_VMS_MAX     1024

/* ---- floors ---- */

/* The r at which a service reaches its floor; HUGE_VAL: none. */
double problem_floor_r(const struct allocation_problem *problem,
                       const struct allocation_service *service)
{
    const double x =
        service_level_inverse(&service->curve, SERVICE_LEVEL_FLOOR + problem->guard);
    const double r = x > 0.0 ? model_need(service->model, x) : HUGE_VAL;
    return isnan(r) ? HUGE_VAL : r;
}

uint32_t problem_least_cap(const struct allocation_vm *vm, double r, double speed)
{
    const double wanted = ceil(r / speed - PROBLEM_TOLERANCE);
    if (!(wanted <= vm->max_cap_pct)) {
        return 0;
    }
    uint32_t cap = wanted > vm->min_cap_pct ? (uint32_t)wanted : vm->min_cap_pct;
    uint32_t k = 0;
    while (k < vm->levels_count && vm->levels[k].cap_pct < cap) {
        k++;
    }
    return vm->levels_count > 0 ? vm->levels[k].cap_pct : cap;
}

/* Memory at a cap; with levels that of the least level with this cap. */
static uint64_t memory_at(const struct allocation_vm *vm, uint32_t cap_pct)
{
    for (uint32_t k = 0; k < vm->levels_count; k++) {
        if (vm->levels[k].cap_pct >= cap_pct) {
            return vm->levels[k].memory_kib;
        }
    }
    return vm->memory_kib;
}

static void fill_caps(struct problem_search *search)
{
    const uint32_t nodes = search->problem->nodes_count;
    for (uint32_t k = 0; k < search->like->vms_count; k++) {
        const struct allocation_vm *vm = &search->problem->vms[search->like->first_vm + k];
        for (uint32_t j = 0; j < nodes; j++) {
            const struct allocation_node *node = &search->problem->nodes[j];
            /* VMs whose CPU adds up get their shares when all have their nodes. */
            const double share = search->like->coupling == COUPLING_SUM
                                     ? 0.0
                                     : search->need_r / search->like->vms_count;
            const uint32_t cap = problem_least_cap(vm, share, node->speed);
            search->caps[(size_t)k * nodes + j] = cap;
        }
    }
}

/* ---- what is left ---- */

/* Cap of a VM when its service is just at its floor, shared as the optimizer did. *over: what
 * the VMs before it got beyond their shares by rounding. */
static uint32_t floor_cap(const struct problem_search *search, uint32_t index, uint32_t v,
                          double total, double *over)
{
    const struct allocation_service *service = &search->grown.services[index];
    const struct allocation_vm *vm = &search->grown.vms[v];
    const double speed = search->grown.nodes[vm->node].speed;
    const uint32_t cap = search->answer.caps_pct[v];
    /* The whole r comes down to the need, and each VM's share of it alike. */
    const double share = cap * speed * problem_floor_r(&search->grown, service) / total;
    const uint32_t least = problem_least_cap(vm, fmax(share - *over, 0.0), speed);
    const uint32_t chosen = least > 0 && least < cap ? least : cap;
    if (service->coupling == COUPLING_SUM) {
        *over += chosen * speed - share;
    }
    return chosen;
}

static double given_r(const struct problem_search *search, uint32_t index)
{
    const struct allocation_service *service = &search->grown.services[index];
    if (service->coupling == COUPLING_GANG) {
        return search->answer.services[index].r_pct;
    }
    double total = 0.0;
    for (uint32_t k = 0; k < service->vms_count; k++) {
        const struct allocation_vm *vm = &search->grown.vms[service->first_vm + k];
        total += search->answer.caps_pct[service->first_vm + k] *
                 search->grown.nodes[vm->node].speed;
    }
    return total;
}

void problem_take(struct placement_node *node, uint64_t cpu_pct, uint64_t memory_kib)
{
    node->cpu_pct_free -= cpu_pct < node->cpu_pct_free ? (uint32_t)cpu_pct : node->cpu_pct_free;
    node->memory_kib_free -=
        memory_kib < node->memory_kib_free ? memory_kib : node->memory_kib_free;
}

void problem_look_at_nodes(struct problem_search *search)
{
    for (uint32_t j = 0; j < search->problem->nodes_count; j++) {
        const struct allocation_node *node = &search->problem->nodes[j];
        const uint64_t memory = node->memory_kib > 0 ? node->memory_kib : MEMORY_NO_LIMIT;
        search->nodes[j] = (struct placement_node){.cpu_pct_free = node->cpu_pct,
                                                   .cpu_pct = node->cpu_pct,
                                                   .memory_kib_free = memory,
                                                   .memory_kib = memory,
                                                   .closed = REASON_NONE};
    }
    for (uint32_t i = 0; i < search->grown.services_count; i++) {
        const struct allocation_service *service = &search->grown.services[i];
        const double total = given_r(search, i);
        double over = 0.0;
        for (uint32_t v = service->first_vm; v < service->first_vm + service->vms_count; v++) {
            const struct allocation_vm *vm = &search->grown.vms[v];
            const uint32_t cap = floor_cap(search, i, v, total, &over);
            problem_take(&search->nodes[vm->node], cap, memory_at(vm, cap));
        }
    }
}

/* ---- placing ---- */

static int make_room(struct problem_search *search, uint32_t copies)
{
    const struct allocation_problem *problem = search->problem;
    if (copies <= search->copies_capacity) {
        return 0;
    }
    const uint32_t wanted = copies > 2 * search->copies_capacity ? copies : 2 * copies;
    const size_t services = problem->services_count + (size_t)wanted;
    const size_t vms = problem->vms_count + (size_t)wanted * search->like->vms_count;
    void *grown_services = realloc(search->services, services * sizeof *search->services);
    search->services = grown_services != NULL ? grown_services : search->services;
    void *grown_vms = realloc(search->vms, vms * sizeof *search->vms);
    search->vms = grown_vms != NULL ? grown_vms : search->vms;
    struct allocation_answer *answer = &search->answer;
    void *answers = realloc(answer->services, services * sizeof *answer->services);
    answer->services = answers != NULL ? answers : answer->services;
    void *caps = realloc(answer->caps_pct, vms * sizeof *answer->caps_pct);
    answer->caps_pct = caps != NULL ? caps : answer->caps_pct;
    if (grown_services == NULL || grown_vms == NULL || answers == NULL || caps == NULL) {
        return -ENOMEM;
    }
    search->copies_capacity = wanted;
    search->grown.services = search->services;
    search->grown.vms = search->vms;
    // cppcheck-suppress memleak // the search holds them, whichever were grown
    return 0;
}

/* Puts VM k of a copy on a node; false: on none. */
static bool place_vm(struct problem_search *search, uint32_t k, struct allocation_vm *out)
{
    const uint32_t count = search->problem->nodes_count;
    const struct allocation_vm *vm = &search->problem->vms[search->like->first_vm + k];
    const uint32_t *caps = &search->caps[(size_t)k * count];
    struct placement_need need = {
        .cpu_pct = UINT32_MAX, .memory_kib = UINT64_MAX, .closed = search->closed};
    for (uint32_t j = 0; j < count; j++) {
        /* Where it costs more than elsewhere, the rest is taken behind the choice. */
        const uint64_t memory = memory_at(vm, caps[j]);
        const struct placement_node *node = &search->nodes[j];
        search->closed[j] = search->closed[j] == REASON_SPREAD             ? REASON_SPREAD
                            : caps[j] == 0 || caps[j] > node->cpu_pct_free ? REASON_NO_CPU
                            : memory > node->memory_kib_free               ? REASON_NO_MEMORY
                                                                           : REASON_NONE;
        if (search->closed[j] == REASON_NONE) {
            need.cpu_pct = caps[j] < need.cpu_pct ? caps[j] : need.cpu_pct;
            need.memory_kib = memory < need.memory_kib ? memory : need.memory_kib;
        }
    }
    uint32_t chosen = PLACEMENT_NONE;
    if (need.cpu_pct == UINT32_MAX ||
        placement_choose(search->nodes, count, &need, 1, NULL, &chosen) > 0) {
        return false;
    }
    problem_take(&search->nodes[chosen], caps[chosen] - need.cpu_pct,
                 memory_at(vm, caps[chosen]) - need.memory_kib);
    if (search->spread) {
        search->closed[chosen] = REASON_SPREAD;
    }
    *out = *vm;
    out->node = chosen;
    out->previous_cap_pct = 0;
    return true;
}

/* CPU of a node for a VM that has given_pct already: up to limit in all. Returns the r of it.
 */
static double hand_out(struct problem_search *search, const struct allocation_vm *vm,
                       double limit, double *given_pct)
{
    struct placement_node *node = &search->nodes[vm->node];
    double more = fmin(fmin(limit, vm->max_cap_pct) - *given_pct, node->cpu_pct_free);
    more = fmax(floor(more), 0.0);
    problem_take(node, (uint64_t)more, 0);
    *given_pct += more;
    return more * search->problem->nodes[vm->node].speed;
}

/* VMs whose CPU adds up: equal shares, then whatever their nodes still have. False: not enough.
 */
static bool share_out(struct problem_search *search, const struct allocation_vm *vms)
{
    double given_pct[SUM_VMS_MAX];
    const uint32_t count = search->like->vms_count;
    double left_r = search->need_r;
    for (uint32_t k = 0; k < count; k++) {
        given_pct[k] = vms[k].min_cap_pct;
        left_r -= given_pct[k] * search->problem->nodes[vms[k].node].speed;
    }
    for (int round = 0; round < 2; round++) {
        for (uint32_t k = 0; k < count && left_r > PROBLEM_TOLERANCE; k++) {
            const double speed = search->problem->nodes[vms[k].node].speed;
            const double rest = given_pct[k] + ceil(left_r / speed - PROBLEM_TOLERANCE);
            const double equal = ceil(search->need_r / count / speed - PROBLEM_TOLERANCE);
            left_r -=
                hand_out(search, &vms[k], round == 0 ? fmin(equal, rest) : rest, &given_pct[k]);
        }
    }
    return left_r <= PROBLEM_TOLERANCE;
}

/* Adds a copy behind the others; false: it does not fit into what is left. */
static bool place_copy(struct problem_search *search)
{
    struct allocation_problem *grown = &search->grown;
    const uint32_t first = grown->vms_count;
    memset(search->closed, REASON_NONE, search->problem->nodes_count);
    for (uint32_t k = 0; k < search->like->vms_count; k++) {
        if (!place_vm(search, k, &search->vms[first + k])) {
            return false;
        }
    }
    if (search->like->coupling == COUPLING_SUM && !share_out(search, &search->vms[first])) {
        return false;
    }
    struct allocation_service *copy = &search->services[grown->services_count];
    *copy = *search->like;
    copy->first_vm = first;
    (void)snprintf(copy->name, sizeof copy->name, "%.40s+%u", search->like->name,
                   grown->services_count - search->problem->services_count + 1);
    grown->services_count++;
    grown->vms_count += search->like->vms_count;
    return true;
}

static void set_copies(struct problem_search *search, uint32_t copies)
{
    search->grown.services_count = search->problem->services_count + copies;
    search->grown.vms_count = search->problem->vms_count + copies * search->like->vms_count;
}

static uint32_t copies_of(const struct problem_search *search)
{
    return search->grown.services_count - search->problem->services_count;
}

/* Solves with so many copies. 1: every floor is kept, 0: not, or a negative errno; -ENOSPC: not
 * even the minimums fit without a copy. *below: a service under its floor. */
static int floors_hold(struct problem_search *search, uint32_t copies, uint32_t *below,
                       struct err *err)
{
    set_copies(search, copies);
    const int rc = allocation_solve(&search->grown, &search->answer, err);
    if (rc != 0) {
        return rc == -ENOSPC && copies > 0 ? 0 : rc;
    }
    for (uint32_t i = 0; i < search->grown.services_count; i++) {
        if (!(search->answer.services[i].level >=
              SERVICE_LEVEL_FLOOR + search->grown.guard - PROBLEM_TOLERANCE)) {
            *below = i;
            return 0;
        }
    }
    return 1;
}

/* ---- the search ---- */

static int begin(struct problem_search *search, const struct allocation_problem *problem,
                 uint32_t service)
{
    const struct allocation_service *like = &problem->services[service];
    *search = (struct problem_search){.problem = problem, .like = like};
    search->need_r = problem_floor_r(problem, like);
    search->spread = like->vms_count > 1;
    for (uint32_t k = 1; k < like->vms_count && search->spread; k++) {
        for (uint32_t m = 0; m < k && search->spread; m++) {
            search->spread =
                problem->vms[like->first_vm + k].node != problem->vms[like->first_vm + m].node;
        }
    }
    search->caps =
        calloc((size_t)like->vms_count * problem->nodes_count + 1, sizeof *search->caps);
    search->nodes = calloc(problem->nodes_count + 1u, sizeof *search->nodes);
    search->closed = calloc(problem->nodes_count + 1u, 1);
    if (search->caps == NULL || search->nodes == NULL || search->closed == NULL ||
        make_room(search, 1) != 0) {
        return -ENOMEM;
    }
    search->grown = *problem;
    search->grown.objective = ALLOCATION_FLOORS;
    search->grown.switching_cost = 0.0; /* what would be, not how to get there */
    search->grown.dead_band = 0.0;
    search->grown.sticky_weight = 0.0;
    search->grown.return_margin = 0.0;
    search->grown.services = search->services;
    search->grown.vms = search->vms;
    memcpy(search->services, problem->services,
           problem->services_count * sizeof *search->services);
    memcpy(search->vms, problem->vms, problem->vms_count * sizeof *search->vms);
    for (uint32_t v = 0; v < problem->vms_count; v++) {
        search->vms[v].previous_cap_pct = 0;
    }
    fill_caps(search);
    return 0;
}

static void finish(struct problem_search *search)
{
    free(search->caps);
    free(search->nodes);
    free(search->closed);
    free(search->services);
    free(search->vms);
    free(search->answer.services);
    free(search->answer.caps_pct);
}

/* Copies until no more goes into what is left now. 0 or -ENOMEM. */
static int fill_up(struct problem_search *search, uint32_t most)
{
    for (uint32_t copies = copies_of(search); copies < most; copies++) {
        if (make_room(search, copies + 1) != 0) {
            return -ENOMEM;
        }
        if (!place_copy(search)) {
            break;
        }
    }
    return 0;
}

/* The greatest number of the placed copies with which every floor holds, by bisection from
 * known, with which they do. */
static int bisect(struct problem_search *search, uint32_t known, uint32_t *out, struct err *err)
{
    uint32_t below = 0;
    uint32_t low = known;
    uint32_t high = copies_of(search) + 1; /* assumed not to hold */
    uint32_t middle = high - 1;            /* all at once, most often right */
    while (high - low > 1) {
        const int holds = floors_hold(search, middle, &below, err);
        if (holds < 0) {
            return holds;
        }
        *(holds != 0 ? &low : &high) = middle;
        middle = low + (high - low) / 2;
    }
    *out = low;
    const int rc = floors_hold(search, low, &below, err);
    return rc < 0 ? rc : 0;
}

static int search_room(struct problem_search *search, struct problem_room *out, struct err *err)
{
    uint32_t below = 0;
    int rc = floors_hold(search, 0, &below, err);
    if (rc < 0) {
        return rc;
    }
    if (rc == 0) {
        (void)snprintf(out->why, sizeof out->why, "%.64s is below its floor already",
                       search->services[below].name);
        return 0;
    }
    out->more_bound =
        (uint32_t)fmin(fmin(problem_pooled_bound(search), problem_node_bound(search)), 1e9);
    /* Numbers of VMs are uint32_t. */
    const uint32_t copies_max =
        (UINT32_MAX - search->problem->vms_count) / search->like->vms_count;
    uint32_t most = out->more_bound < PROBLEM_COPIES_MAX ? out->more_bound : PROBLEM_COPIES_MAX;
    most = most < copies_max ? most : copies_max;
    set_copies(search, 0);
    for (int round = 0; round < ROUNDS_MAX && out->more < most; round++) {
        problem_look_at_nodes(search);
        rc = fill_up(search, most);
        const bool grew = copies_of(search) > out->more;
        if (rc != 0 || !grew) {
            return rc;
        }
        rc = bisect(search, out->more, &out->more, err);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

int problem_how_many(const struct allocation_problem *problem, uint32_t service,
                     struct problem_room *out, struct err *err)
{
    struct problem_search search;
    const struct allocation_service *like = &problem->services[service];
    if (like->coupling == COUPLING_SUM && like->vms_count > SUM_VMS_MAX) {
        return err_set(err, -E2BIG,
                       "service %s has %u VMs whose CPU adds up, more than SUM_VMS_MAX (%d)",
                       like->name, like->vms_count, SUM_VMS_MAX);
    }
    out->more = 0;
    out->more_bound = 0;
    out->why[0] = '\0';
    memset(out->placed, 0, problem->nodes_count * sizeof *out->placed);
    int rc = begin(&search, problem, service);
    rc = rc == 0 ? search_room(&search, out, err) : rc;
    for (uint32_t i = 0; rc == 0 && i < out->more * search.like->vms_count; i++) {
        out->placed[search.vms[problem->vms_count + i].node]++;
    }
    finish(&search);
    return rc == -ENOMEM ? err_set(err, rc, "no memory") : rc;
}
