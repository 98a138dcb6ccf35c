// SPDX-License-Identifier: Apache-2.0
/* Limits of the services over their own variables, and the index of VMs by node. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/service_level.h"
#include "schedulers/model.h"
#include "schedulers/optimizer/optimizer.h"

uint32_t optimizer_vm_least(const struct allocation_vm *vm)
{
    if (vm->fixed) {
        return vm->previous_cap_pct;
    }
    return vm->levels_count > 0 ? vm->levels[0].cap_pct : vm->min_cap_pct;
}

uint32_t optimizer_vm_most(const struct allocation_vm *vm)
{
    if (vm->fixed) {
        return vm->previous_cap_pct;
    }
    return vm->levels_count > 0 ? vm->levels[vm->levels_count - 1].cap_pct : vm->max_cap_pct;
}

static int by_name(const void *left, const void *right)
{
    const struct allocation_service *const *a = left;
    const struct allocation_service *const *b = right;
    const int order = strcmp((*a)->name, (*b)->name);
    return order != 0 ? order : *a < *b ? -1 : *a > *b;
}

static int rank_by_name(struct optimizer *optimizer)
{
    const struct allocation_problem *problem = optimizer->problem;
    const uint32_t count = problem->services_count;
    bool sorted = true;
    for (uint32_t i = 0; i < count; i++) {
        optimizer->services[i].rank = i;
        sorted = sorted && (i == 0 || strcmp(problem->services[i - 1].name,
                                             problem->services[i].name) <= 0);
    }
    if (sorted) {
        return 0;
    }
    const struct allocation_service **order =
        malloc(count *
               sizeof(const struct allocation_service *)); // NOLINT(bugprone-sizeof-expression)
    if (order == NULL) {
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < count; i++) {
        order[i] = &problem->services[i];
    }
    qsort(order, count,
          sizeof(const struct allocation_service *), // NOLINT(bugprone-sizeof-expression)
          by_name);
    for (uint32_t i = 0; i < count; i++) {
        optimizer->services[order[i] - problem->services].rank = i;
    }
    free(order);
    return 0;
}

static void index_vms(struct optimizer *optimizer)
{
    const struct allocation_problem *problem = optimizer->problem;
    for (uint32_t j = 0; j < problem->nodes_count; j++) {
        optimizer->nodes[j].cpu_pct = problem->nodes[j].cpu_pct;
        optimizer->nodes[j].speed = problem->nodes[j].speed;
    }
    for (uint32_t v = 0; v < problem->vms_count; v++) {
        const struct allocation_vm *vm = &problem->vms[v];
        struct optimizer_node *node = &optimizer->nodes[vm->node];
        if (!vm->fixed && optimizer->owners[v] != OPTIMIZER_NONE) {
            node->count++;
            continue;
        }
        optimizer->caps[v] = optimizer_vm_least(vm);
        node->cpu_pct =
            node->cpu_pct > optimizer->caps[v] ? node->cpu_pct - optimizer->caps[v] : 0;
    }
    uint32_t first = 0;
    for (uint32_t j = 0; j < problem->nodes_count; j++) {
        optimizer->nodes[j].first = first;
        first += optimizer->nodes[j].count;
        optimizer->nodes[j].count = 0;
    }
    for (uint32_t v = 0; v < problem->vms_count; v++) {
        const struct allocation_vm *vm = &problem->vms[v];
        if (!vm->fixed && optimizer->owners[v] != OPTIMIZER_NONE) {
            struct optimizer_node *node = &optimizer->nodes[vm->node];
            optimizer->node_vms[node->first + node->count++] = v;
        }
    }
}

/* ---- one service ---- */

/* What is known of a curve, once for each product a b. */
static struct marginal *marginal_of(struct optimizer *optimizer, double ab)
{
    uint64_t bits = 0;
    memcpy(&bits, &ab, sizeof bits);
    uint32_t at = (uint32_t)((bits * 0x9E3779B97F4A7C15u) >> 32) % optimizer->marginals_size;
    while (optimizer->marginals[at] != NULL) {
        if (optimizer->marginals[at]->ab == ab) {
            return optimizer->marginals[at];
        }
        at = (at + 1) % optimizer->marginals_size;
    }
    struct marginal *made = arena_take(&optimizer->arena, 1, sizeof *made);
    if (made != NULL) {
        marginal_init(made, ab);
        optimizer->marginals[at] = made;
    }
    return made;
}

struct vm_limits {
    uint64_t lo; /* sums over the VMs that can move */
    uint64_t hi;
    uint32_t most_lo; /* the largest minimum, the smallest maximum of these */
    uint32_t least_hi;
    uint32_t least_fixed; /* UINT32_MAX: none is */
    double fixed_r;
    double slowest;
    double fastest;
    uint32_t moving;
};

static struct vm_limits limits_of(const struct allocation_problem *problem,
                                  const struct allocation_service *service)
{
    struct vm_limits out = {
        .most_lo = 1, .least_hi = UINT32_MAX, .least_fixed = UINT32_MAX, .slowest = HUGE_VAL};
    for (uint32_t k = 0; k < service->vms_count; k++) {
        const struct allocation_vm *vm = &problem->vms[service->first_vm + k];
        const double speed = problem->nodes[vm->node].speed;
        const uint32_t lo = optimizer_vm_least(vm);
        const uint32_t hi = optimizer_vm_most(vm);
        out.slowest = speed < out.slowest ? speed : out.slowest;
        out.fastest = speed > out.fastest ? speed : out.fastest;
        if (vm->fixed) {
            out.fixed_r += speed * lo;
            out.least_fixed = lo < out.least_fixed ? lo : out.least_fixed;
            continue;
        }
        out.moving++;
        out.lo += lo;
        out.hi += hi;
        out.most_lo = lo > out.most_lo ? lo : out.most_lo;
        out.least_hi = hi < out.least_hi ? hi : out.least_hi;
    }
    return out;
}

static void limit_gang(struct service_value *value, const struct vm_limits *limits,
                       uint32_t count)
{
    value->unit = (double)count * limits->slowest;
    value->lo = limits->moving > 0 ? limits->most_lo : limits->least_fixed;
    value->hi = limits->least_hi < limits->least_fixed ? limits->least_hi : limits->least_fixed;
    value->hi = value->hi < value->lo ? value->lo : value->hi;
    if (value->lo > limits->least_fixed) { /* the pinned member decides alone */
        value->base_r = value->unit * limits->least_fixed;
        value->unit = 0.0;
    }
}

static void limit(struct optimizer *optimizer, uint32_t index)
{
    const struct allocation_service *given = &optimizer->problem->services[index];
    struct optimizer_service *out = &optimizer->services[index];
    struct service_value *value = &out->value;
    const struct vm_limits limits = limits_of(optimizer->problem, given);
    out->equal_speed = true;
    if (out->coupling == COUPLING_GANG) {
        limit_gang(value, &limits, given->vms_count);
    } else if (limits.moving == 0) {
        value->base_r = limits.fixed_r;
    } else {
        value->base_r = limits.fixed_r;
        value->unit = limits.slowest;
        value->lo = (uint32_t)limits.lo;
        value->hi = (uint32_t)limits.hi;
        out->equal_speed = limits.fastest <= limits.slowest;
    }
    out->most_r = value_r(value, value->hi);
    if (!out->equal_speed) {
        out->most_r = value->base_r;
        for (uint32_t k = 0; k < given->vms_count; k++) {
            const struct allocation_vm *vm = &optimizer->problem->vms[given->first_vm + k];
            out->most_r +=
                vm->fixed ? 0.0
                          : optimizer_vm_most(vm) * optimizer->problem->nodes[vm->node].speed;
        }
    }
    out->ceiling_r = given->model->want_pct > 0 ? given->model->want_pct : out->most_r;
    if (value->unit > 0.0 && out->ceiling_r < out->most_r) {
        const double n = ceil((out->ceiling_r - value->base_r) / value->unit - 1e-9);
        value->hi = n <= value->lo ? value->lo : n < value->hi ? (uint32_t)n : value->hi;
    }
}

static int set_up(struct optimizer *optimizer, uint32_t index, struct piece *pieces)
{
    const struct allocation_service *given = &optimizer->problem->services[index];
    struct optimizer_service *out = &optimizer->services[index];
    out->coupling = given->vms_count == 1 ? COUPLING_SINGLE : given->coupling;
    out->first_vm = given->first_vm;
    out->vms_count = given->vms_count;
    out->value.model = given->model;
    out->value.curve = given->curve;
    out->value.weight = given->weight;
    out->value.log_weight = log(given->weight);
    out->stake = given->weight;
    if (given->past == ALLOCATION_PAST_KEPT) {
        out->stake += optimizer->problem->sticky_weight;
    }
    out->value.log_w = log(given->curve.w);
    out->value.fixed = given->model->model == MODEL_KIND_FIXED;
    out->counts = !out->value.fixed;
    out->value.marginal = marginal_of(optimizer, given->curve.a * given->curve.b);
    if (out->value.marginal == NULL) {
        return -ENOMEM;
    }
    limit(optimizer, index);
    out->value.log_unit = log(out->value.unit);
    out->pieces = pieces;
    return 0;
}

void optimizer_cut(struct optimizer *optimizer, const struct component *component)
{
    for (uint32_t i = 0; i < component->services_count; i++) {
        struct optimizer_service *it = &optimizer->services[component->services[i]];
        it->value.pieces = it->pieces;
        if (component->coupled) {
            marginal_tabulate(it->value.marginal);
        }
        it->value.pieces_count = value_cut(&it->value, it->pieces);
        it->value.concave_high = value_is_concave_high(&it->value) &&
                                 levels_vm(optimizer, component->services[i]) == NULL;
    }
}

static uint32_t pieces_of(const struct proposal *model)
{
    return model->model == MODEL_KIND_TABLE ? 4 * (model->points_count + 1) : 8;
}

static int take_memory(struct optimizer *optimizer)
{
    const struct allocation_problem *problem = optimizer->problem;
    struct arena *arena = &optimizer->arena;
    const size_t services = problem->services_count + 1u;
    const size_t vms = problem->vms_count + 1u;
    const size_t nodes = problem->nodes_count + 1u;
    size_t pieces = 1;
    for (uint32_t i = 0; i < problem->services_count; i++) {
        pieces += pieces_of(problem->services[i].model);
    }
    optimizer->marginals_size = 2u * problem->services_count + 1u;
    optimizer->services = arena_take(arena, services, sizeof *optimizer->services);
    optimizer->nodes = arena_take(arena, nodes, sizeof *optimizer->nodes);
    optimizer->owners = arena_take(arena, vms, sizeof *optimizer->owners);
    optimizer->caps = arena_take(arena, vms, sizeof *optimizer->caps);
    optimizer->best_caps = arena_take(arena, vms, sizeof *optimizer->best_caps);
    optimizer->node_vms = arena_take(arena, vms, sizeof *optimizer->node_vms);
    optimizer->components = arena_take(arena, nodes, sizeof *optimizer->components);
    optimizer->component_nodes = arena_take(arena, nodes, sizeof(uint32_t));
    optimizer->component_services = arena_take(arena, services, sizeof(uint32_t));
    optimizer->pieces = arena_take(arena, pieces, sizeof *optimizer->pieces);
    optimizer->marginals =
        arena_take(arena, optimizer->marginals_size,
                   sizeof(const struct marginal *)); // NOLINT(bugprone-sizeof-expression)
    return arena->failed ? -ENOMEM : 0;
}

int optimizer_init(struct optimizer *optimizer, const struct allocation_problem *problem)
{
    memset(optimizer, 0, sizeof *optimizer);
    optimizer->problem = problem;
    int rc = take_memory(optimizer);
    if (rc == 0) {
        memset(optimizer->owners, 0xff, problem->vms_count * sizeof *optimizer->owners);
        rc = rank_by_name(optimizer);
    }
    struct piece *pieces = optimizer->pieces;
    for (uint32_t i = 0; rc == 0 && i < problem->services_count; i++) {
        const struct allocation_service *service = &problem->services[i];
        for (uint32_t k = 0; k < service->vms_count; k++) {
            optimizer->owners[service->first_vm + k] = i;
        }
        rc = set_up(optimizer, i, pieces);
        pieces += pieces_of(service->model);
    }
    if (rc == 0) {
        index_vms(optimizer);
        rc = optimizer_find_components(optimizer);
    }
    if (rc < 0) {
        optimizer_finish(optimizer);
    }
    return rc;
}

void optimizer_finish(struct optimizer *optimizer)
{
    arena_finish(&optimizer->arena);
    memset(optimizer, 0, sizeof *optimizer);
}

double optimizer_r(const struct optimizer *optimizer, uint32_t service)
{
    const struct allocation_problem *problem = optimizer->problem;
    const struct optimizer_service *it = &optimizer->services[service];
    double r = 0.0;
    double slowest = HUGE_VAL;
    uint32_t least = UINT32_MAX;
    for (uint32_t k = 0; k < it->vms_count; k++) {
        const uint32_t v = it->first_vm + k;
        const double speed = problem->nodes[problem->vms[v].node].speed;
        slowest = speed < slowest ? speed : slowest;
        least = optimizer->caps[v] < least ? optimizer->caps[v] : least;
        r += speed * optimizer->caps[v];
    }
    return it->coupling == COUPLING_GANG ? (double)it->vms_count * slowest * least : r;
}

void optimizer_r_range(const struct optimizer_service *service, double range[2])
{
    range[0] = value_r(&service->value, service->least);
    range[1] = value_r(&service->value, service->most);
    if (service->equal_speed || !service->open) {
        return;
    }
    const double least = value_r(&service->value, service->value.lo);
    range[0] = service->kept && service->need_r > least ? service->need_r : least;
    range[1] = service->ceiling_r < service->most_r ? service->ceiling_r : service->most_r;
}

/* ---- floors ---- */

double optimizer_need(const struct optimizer *optimizer, uint32_t service, double guard)
{
    const struct allocation_service *given = &optimizer->problem->services[service];
    const struct optimizer_service *it = &optimizer->services[service];
    const struct proposal *model = given->model;
    double need = model->want_pct;
    if (!it->value.fixed) {
        const double x = service_level_inverse(&given->curve, SERVICE_LEVEL_FLOOR + guard);
        need = model_need(model, x);
        need = isnan(need) ? HUGE_VAL : need;
    }
    const double most = it->ceiling_r < it->most_r ? it->ceiling_r : it->most_r;
    if (given->past == ALLOCATION_PAST_SACRIFICED && need < most) {
        need *= 1.0 + optimizer->problem->return_margin;
        need = need < most ? need : most; /* or it could never come back */
    }
    /* a job that ends just in time has no more than 50 % */
    return model->want_pct > 0 && need > it->ceiling_r ? it->ceiling_r : need;
}

static void set_floor(struct optimizer *optimizer, uint32_t index, double guard)
{
    struct optimizer_service *out = &optimizer->services[index];
    out->need_r = optimizer_need(optimizer, index, guard);
    out->reachable = out->need_r <= out->most_r + VALUE_TOLERANCE;
    out->floor_n = out->value.hi;
    if (out->reachable && out->value.unit > 0.0) {
        const double n =
            ceil((out->need_r - out->value.base_r) / out->value.unit - VALUE_TOLERANCE);
        out->floor_n = n <= out->value.lo  ? out->value.lo
                       : n < out->value.hi ? (uint32_t)n
                                           : out->value.hi;
    }
    const struct allocation_vm *vm = levels_vm(optimizer, index);
    if (vm != NULL) {
        out->value.hi = levels_snap(vm, out->value.hi, true);
        out->floor_n = levels_snap(vm, out->floor_n, true);
    }
}

void optimizer_set_guard(struct optimizer *optimizer, const struct component *component,
                         double guard)
{
    optimizer->guard = guard;
    for (uint32_t i = 0; i < component->services_count; i++) {
        set_floor(optimizer, component->services[i], guard);
    }
}
