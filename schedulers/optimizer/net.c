// SPDX-License-Identifier: Apache-2.0
/*
 * The cost of moving a cap, kappa |cap - previous|, is concave when subtracted, so it bends the
 * value of a service at its previous cap and changes nothing else: below it a percent is worth
 * kappa more, above it kappa less.
 */
#include <math.h>

#include "schedulers/optimizer/optimizer.h"

double net_moved(const struct optimizer *optimizer, uint32_t vm, uint32_t cap_pct)
{
    const uint32_t previous = optimizer->problem->vms[vm].previous_cap_pct;
    return previous == 0 ? 0.0 : cap_pct < previous ? -1.0 : 1.0;
}

static double cost_of(const struct optimizer *optimizer, uint32_t vm, uint32_t cap_pct)
{
    const struct allocation_vm *it = &optimizer->problem->vms[vm];
    if (it->previous_cap_pct == 0 || it->fixed) {
        return 0.0;
    }
    return optimizer->problem->switching_cost *
           fabs((double)cap_pct - (double)it->previous_cap_pct);
}

double net_value(const struct optimizer *optimizer, uint32_t service, uint32_t n)
{
    const struct optimizer_service *it = &optimizer->services[service];
    double value = value_at(&it->value, n);
    if (optimizer->problem->switching_cost > 0.0) {
        for (uint32_t k = 0; k < it->vms_count; k++) {
            value -= cost_of(optimizer, it->first_vm + k, n);
        }
    }
    return value;
}

double net_now(const struct optimizer *optimizer, uint32_t service)
{
    const struct optimizer_service *it = &optimizer->services[service];
    double value = value_at_r(&it->value, optimizer_r(optimizer, service));
    if (optimizer->problem->switching_cost > 0.0) {
        for (uint32_t k = 0; k < it->vms_count; k++) {
            value -= cost_of(optimizer, it->first_vm + k, optimizer->caps[it->first_vm + k]);
        }
    }
    return value;
}

/* The only bend of a single service; of a gang, where most members have it, so that what is
 * left is an error of the guess and not of the value. 0: none. */
static uint32_t bend_of(const struct optimizer *optimizer, const struct optimizer_service *it)
{
    return optimizer->problem->switching_cost > 0.0
               ? optimizer->problem->vms[it->first_vm].previous_cap_pct
               : 0;
}

static uint32_t best_level(const struct optimizer *optimizer, uint32_t service, double price,
                           const uint32_t range[2])
{
    const struct allocation_vm *vm = levels_vm(optimizer, service);
    uint32_t best = range[0];
    double best_net = net_value(optimizer, service, best) - price * best;
    for (uint32_t i = 0; i < vm->levels_count; i++) {
        const uint32_t cap_pct = vm->levels[i].cap_pct;
        if (cap_pct > range[0] && cap_pct <= range[1]) {
            const double net = net_value(optimizer, service, cap_pct) - price * cap_pct;
            best = net > best_net ? cap_pct : best;
            best_net = net > best_net ? net : best_net;
        }
    }
    return best;
}

uint32_t net_best(const struct optimizer *optimizer, uint32_t service, double price,
                  const uint32_t range[2])
{
    if (levels_vm(optimizer, service) != NULL) {
        return best_level(optimizer, service, price, range);
    }
    const struct optimizer_service *it = &optimizer->services[service];
    const uint32_t bend = bend_of(optimizer, it);
    const double step = optimizer->problem->switching_cost * it->vms_count;
    if (bend <= range[0] || bend >= range[1]) {
        const double extra = bend == 0 ? 0.0 : bend >= range[1] ? -step : step;
        return value_best(&it->value, price + extra, range[0], range[1]);
    }
    const uint32_t below = value_best(&it->value, price - step, range[0], bend);
    const uint32_t above = value_best(&it->value, price + step, bend, range[1]);
    const double net_below = net_value(optimizer, service, below) - price * below;
    const double net_above = net_value(optimizer, service, above) - price * above;
    return net_above > net_below ? above : below;
}

double net_demand(const struct optimizer *optimizer, uint32_t service, double log_price,
                  const uint32_t range[2])
{
    const struct optimizer_service *it = &optimizer->services[service];
    const uint32_t bend = bend_of(optimizer, it);
    if (bend == 0) {
        return value_demand(&it->value, log_price, range[0], range[1]);
    }
    const double price = exp(log_price);
    const double step = optimizer->problem->switching_cost * it->vms_count;
    const double above = value_demand(&it->value, log(price + step), range[0], range[1]);
    if (above >= bend) {
        return above;
    }
    if (price <= step) {
        return bend > range[1] ? range[1] : bend < range[0] ? range[0] : bend;
    }
    const double below = value_demand(&it->value, log(price - step), range[0], range[1]);
    return below <= bend ? below : bend;
}
