// SPDX-License-Identifier: Apache-2.0
/*
 * Without floors a service is worth having either with little or with about its floor, and
 * nothing in between: the demand at a price jumps where the chord of its value, the straight
 * part of the concave envelope, is as steep as that. Prices from such demands bound the
 * product.
 */
#include <math.h>

#include "schedulers/optimizer/prices.h"

#define SAMPLES 33 /* of the value below where its upper concave part begins */

struct hull {
    double r[SAMPLES];
    double value[SAMPLES];
    uint32_t count;
};

static double slope_of(const struct hull *hull, uint32_t from, uint32_t to)
{
    return (hull->value[to] - hull->value[from]) / (hull->r[to] - hull->r[from]);
}

/* The upper hull of the value between two r. */
static void sample(const struct service_value *value, double from, double to, struct hull *out)
{
    out->count = 0;
    for (uint32_t i = 0; i < SAMPLES; i++) {
        const double share = (double)i / (SAMPLES - 1);
        const double r = from > 0.0 ? from * pow(to / from, share) : from + share * (to - from);
        while (out->count > 0 && r <= out->r[out->count - 1]) {
            out->count--;
        }
        out->r[out->count] = r;
        out->value[out->count++] = value_at_r(value, r);
        while (out->count > 2 && slope_of(out, out->count - 3, out->count - 2) <=
                                     slope_of(out, out->count - 2, out->count - 1)) {
            out->r[out->count - 2] = out->r[out->count - 1];
            out->value[out->count - 2] = out->value[out->count - 1];
            out->count--;
        }
    }
}

static uint32_t best_of(const struct hull *hull, double price)
{
    uint32_t at = 0;
    while (at + 1 < hull->count && slope_of(hull, at, at + 1) > price) {
        at++;
    }
    return at;
}

void prices_envelope(const struct prices *prices, const struct service_value *value,
                     double least_r, double *table)
{
    const double upper = table[PRICES_POINTS - 1];
    if (!(upper > least_r) || !(value_at_r(value, least_r) > -HUGE_VAL)) {
        return; /* it is concave as it is */
    }
    struct hull hull;
    sample(value, least_r, upper, &hull);
    uint32_t below = 0; /* points where the upper part is the better one */
    for (uint32_t above = PRICES_POINTS; below < above;) {
        const uint32_t middle = (below + above) / 2;
        const double price = exp(prices->log_least + middle * PRICES_STEP);
        const uint32_t at = best_of(&hull, price);
        const double little = hull.value[at] - price * hull.r[at];
        const double much = value_at_r(value, table[middle]) - price * table[middle];
        below = much >= little ? middle + 1 : below;
        above = much >= little ? above : middle;
    }
    for (uint32_t k = below; k < PRICES_POINTS; k++) {
        table[k] = hull.r[best_of(&hull, exp(prices->log_least + k * PRICES_STEP))];
    }
}
