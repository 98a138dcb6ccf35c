// SPDX-License-Identifier: Apache-2.0
/*
 * For any prices p >= 0 of a percent on each node,
 *     q(p) = sum_j p_j C_j + sum_i max over n of (w_i log S_i(n) - cost of n at these prices)
 * is at least what any allocation reaches. The maximum is taken over whole percents, exactly:
 * on a coarse grid the bound would be false. With floors, q bounds the value of the kept; what
 * the sacrificed can have without spoiling that value is bounded by what q leaves open.
 */
#include <math.h>

#include "schedulers/optimizer/optimizer.h"

#define RATE_STEP    1.1 /* of its logarithm, until the bound rises */
#define RATE_STEPS   19u /* at most */
#define RATES_CLOSER 5   /* steps between those */
#define GOLDEN       0.618

/* How a service is looked at. */
struct view {
    double scale; /* of the prices */
    bool counts;  /* its level is part of the sum */
    bool floor;   /* it must hold its floor */
};

/* Whether the value is concave wherever the service may be, so that no n is better than one
 * that is better than both beside it. */
static bool is_concave(const struct optimizer_service *it, const struct view *view)
{
    return view->counts && view->floor && it->value.concave_high &&
           it->need_r < it->ceiling_r - VALUE_TOLERANCE;
}

/* Whether n is the best where a percent more costs price[1] and one less saves price[0]; value
 * out. */
static bool is_peak(const struct optimizer_service *it, uint32_t n, uint32_t least,
                    const double price[2], double *value)
{
    if (n < least || n > it->value.hi || !(it->value.unit > 0.0)) {
        return false;
    }
    *value = value_at(&it->value, n);
    if (n < it->value.hi && value_at(&it->value, n + 1) - *value > price[1]) {
        return false;
    }
    return n == least || *value - value_at(&it->value, n - 1) >= price[0];
}

static double gang_best(const struct optimizer *optimizer, uint32_t service,
                        const struct view *view)
{
    const bool counts = view->counts;
    const struct optimizer_service *it = &optimizer->services[service];
    double price = 0.0;
    for (uint32_t k = 0; k < it->vms_count; k++) {
        const struct allocation_vm *vm = &optimizer->problem->vms[it->first_vm + k];
        price += vm->fixed ? 0.0 : view->scale * optimizer->nodes[vm->node].price;
    }
    const uint32_t least = view->floor ? it->floor_n : it->value.lo;
    if (!counts) {
        return -price * least;
    }
    double value = 0.0;
    if (is_concave(it, view) &&
        is_peak(it, it->n, least, (const double[]){price, price}, &value)) {
        return value - price * it->n;
    }
    const uint32_t n = value_best(&it->value, price, least, it->value.hi);
    return value_at(&it->value, n) - price * n;
}

/* One VM of a sum, as a stretch of r at a price. */
struct stretch {
    double price; /* per r */
    double r;     /* beyond its least */
};

#define STRETCHES_MOST 64

static uint32_t collect_stretches(const struct optimizer *optimizer,
                                  const struct optimizer_service *it, double scale,
                                  struct stretch *out, double start[2])
{
    uint32_t count = 0;
    start[0] = it->value.base_r;
    start[1] = 0.0;
    for (uint32_t k = 0; k < it->vms_count; k++) {
        const struct allocation_vm *vm = &optimizer->problem->vms[it->first_vm + k];
        if (vm->fixed) {
            continue;
        }
        const struct optimizer_node *node = &optimizer->nodes[vm->node];
        const uint32_t least = optimizer_vm_least(vm);
        start[0] += node->speed * least;
        start[1] += scale * node->price * least;
        struct stretch made = {.price = scale * node->price / node->speed,
                               .r = node->speed * (optimizer_vm_most(vm) - least)};
        if (count == STRETCHES_MOST) { /* too many to tell apart: the cheapest price for all */
            struct stretch *last = &out[count - 1];
            last->price = made.price < last->price ? made.price : last->price;
            last->r += made.r;
            continue;
        }
        uint32_t at = count++;
        for (; at > 0 && out[at - 1].price > made.price; at--) {
            out[at] = out[at - 1];
        }
        out[at] = made;
    }
    return count;
}

/* Where r is met by whole n exactly; otherwise any r, which is only more. */
static double best_on(const struct optimizer_service *it, double price, double from, double to)
{
    const struct service_value *value = &it->value;
    if (it->equal_speed) {
        const double unit = value->unit;
        const uint32_t lo = (uint32_t)ceil((from - value->base_r) / unit - 1e-9);
        const uint32_t hi = (uint32_t)floor((to - value->base_r) / unit + 1e-9);
        if (lo > hi) {
            return -HUGE_VAL;
        }
        const uint32_t n = value_best(value, price * unit, lo, hi);
        return value_at(value, n) - price * value_r(value, n);
    }
    /* whole steps of 1/64 of a percent, and what a step can add at most beyond */
    struct service_value fine = *value;
    fine.unit = value->unit / 64.0;
    fine.base_r = from;
    fine.lo = 0;
    fine.hi = (uint32_t)ceil((to - from) / fine.unit);
    const uint32_t n = value_best(&fine, price * fine.unit, 0, fine.hi);
    return value_at(&fine, n) - price * value_r(&fine, n) + price * fine.unit;
}

struct row {
    const struct stretch *stretches;
    uint32_t count;
    const double *start; /* r and cost of the least */
};

/* The net value of a sum with the n that it has, if no other n is better. */
static bool is_sum_peak(const struct optimizer_service *it, const struct view *view,
                        const struct row *row, double *net)
{
    const struct stretch *stretches = row->stretches;
    const uint32_t count = row->count;
    const double *start = row->start;
    if (!it->equal_speed || !is_concave(it, view)) {
        return false;
    }
    const double unit = it->value.unit;
    const uint32_t least = it->floor_n;
    double left = it->n * unit - (start[0] - it->value.base_r); /* of r beyond the least */
    double cost = start[1];
    double price[2] = {0.0, HUGE_VAL};
    uint32_t k = 0;
    for (; k < count && left > stretches[k].r + VALUE_TOLERANCE; k++) {
        cost += stretches[k].price * stretches[k].r;
        left -= stretches[k].r;
    }
    if (k == count || left < 0.0) {
        return false;
    }
    cost += stretches[k].price * left;
    const bool whole = left >= stretches[k].r - VALUE_TOLERANCE;
    const bool none = left <= VALUE_TOLERANCE;
    price[1] = !whole ? stretches[k].price : k + 1 < count ? stretches[k + 1].price : HUGE_VAL;
    price[0] = !none ? stretches[k].price : k > 0 ? stretches[k - 1].price : -HUGE_VAL;
    double value = 0.0;
    const bool peak =
        is_peak(it, it->n, least, (const double[]){unit * price[0], unit * price[1]}, &value);
    *net = value - cost;
    return peak;
}

static double sum_best(const struct optimizer *optimizer, uint32_t service,
                       const struct view *view)
{
    const bool counts = view->counts;
    const struct optimizer_service *it = &optimizer->services[service];
    struct stretch stretches[STRETCHES_MOST];
    double start[2];
    const uint32_t count = collect_stretches(optimizer, it, view->scale, stretches, start);
    double peak = 0.0;
    if (is_sum_peak(it, view, &(struct row){stretches, count, start}, &peak)) {
        return peak;
    }
    double r = start[0];
    double cost = start[1];
    const double need = view->floor && it->need_r > r ? it->need_r - VALUE_TOLERANCE : r;
    double best = -HUGE_VAL;
    if (need <= r) {
        best = (counts ? value_at_r(&it->value, r) : 0.0) - cost;
    }
    const double ceiling = it->ceiling_r + it->value.unit;
    for (uint32_t k = 0; k < count && r < ceiling; k++) {
        const double end = r + stretches[k].r;
        const double from = need > r ? need : r;
        if (from <= end) {
            const double price = stretches[k].price;
            const double to = end < ceiling ? end : ceiling;
            const double offset = cost - price * r;
            const double net = counts ? best_on(it, price, from, to > from ? to : from) - offset
                                      : -price * from - offset;
            best = net > best ? net : best;
        }
        cost += stretches[k].price * stretches[k].r;
        r = end;
    }
    return best;
}

/* A service that is closed costs what it has at least. */
static double service_best(const struct optimizer *optimizer, uint32_t service, bool open,
                           double scale)
{
    const struct optimizer_service *it = &optimizer->services[service];
    const bool floors = optimizer->problem->objective == ALLOCATION_FLOORS && it->kept;
    const struct view view = {
        .scale = scale, .counts = open && it->counts, .floor = open && floors};
    return it->coupling == COUPLING_SUM ? sum_best(optimizer, service, &view)
                                        : gang_best(optimizer, service, &view);
}

/* What all sacrificed are worth beyond their least, at so many times the prices. */
static double rest_at(const struct optimizer *optimizer, const struct component *component,
                      double rate)
{
    double sum = 0.0;
    for (uint32_t i = 0; i < component->services_count; i++) {
        const uint32_t service = component->services[i];
        const struct optimizer_service *it = &optimizer->services[service];
        if (!it->kept && it->counts) {
            sum += service_best(optimizer, service, true, rate) -
                   service_best(optimizer, service, false, rate);
        }
    }
    return sum;
}

/*
 * Of all that count, where the kept have between reached and their dual. Every percent of the
 * sacrificed beyond their least costs the kept its price: with a slack s between the dual and
 * what the kept have, for any rate
 *     dual - s + rate s + sum_i max over n of (w_i log S_i(n) - rate cost of n beyond the
 * least) bounds the sum, and for a rate of 1 or more s = dual - reached is the worst. It is
 * convex in the rate.
 */
static double with_rest(const struct optimizer *optimizer, const struct component *component,
                        double dual, double reached)
{
    const double gap = dual - reached;
    double low = 0.0; /* logs of rates */
    double high = 0.0;
    double best = reached + gap + rest_at(optimizer, component, 1.0);
    for (uint32_t i = 1; i <= RATE_STEPS; i++) {
        const double before = high;
        high = RATE_STEP * i;
        const double bound =
            reached + exp(high) * gap + rest_at(optimizer, component, exp(high));
        if (bound >= best) {
            break;
        }
        best = bound;
        low = before;
    }
    for (uint32_t i = 0; i < RATES_CLOSER && gap > 0.0; i++) { /* golden section */
        const double at[2] = {high - GOLDEN * (high - low), low + GOLDEN * (high - low)};
        double bound[2];
        for (int k = 0; k < 2; k++) {
            bound[k] = reached + exp(at[k]) * gap + rest_at(optimizer, component, exp(at[k]));
            best = bound[k] < best ? bound[k] : best;
        }
        *(bound[0] < bound[1] ? &high : &low) = at[bound[0] < bound[1] ? 1 : 0];
    }
    return best;
}

/* The dual at the present prices, and what the caps reach of it. */
static double dual_of(const struct optimizer *optimizer, const struct component *component,
                      double *reached, bool *rest)
{
    const bool product = optimizer->problem->objective == ALLOCATION_PRODUCT;
    double bound = 0.0;
    *reached = 0.0;
    *rest = false;
    for (uint32_t k = 0; k < component->nodes_count; k++) {
        const struct optimizer_node *node = &optimizer->nodes[component->nodes[k]];
        bound += node->price * node->cpu_pct;
    }
    for (uint32_t i = 0; i < component->services_count; i++) {
        const uint32_t service = component->services[i];
        const struct optimizer_service *it = &optimizer->services[service];
        const bool open = product || it->kept;
        bound += service_best(optimizer, service, open, 1.0);
        *rest = *rest || (!open && it->counts);
        if (open && it->counts) {
            *reached += value_at_r(&it->value, optimizer_r(optimizer, service));
        }
    }
    return bound < *reached ? *reached : bound;
}

double bound_of(const struct optimizer *optimizer, const struct component *component)
{
    double reached = 0.0;
    bool rest = false;
    const double dual = dual_of(optimizer, component, &reached, &rest);
    return rest ? with_rest(optimizer, component, dual, reached) : dual;
}
