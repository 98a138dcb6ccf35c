// SPDX-License-Identifier: Apache-2.0
#include "schedulers/optimizer/marginal.h"

#include <math.h>

#include "common/service_level.h"

#define BISECTIONS  60
#define NEWTON_MOST 100

double marginal_slope(double ab, double t)
{
    const struct level_curve curve = {.a = ab, .b = 1.0, .w = 0.5};
    return -service_level_log_slope(&curve, 1.0 / t) / (t * t);
}

double marginal_log_slope(double ab, double t)
{
    return log(marginal_slope(ab, t));
}

/* d log G' / d log t; G is concave where it is negative. */
static double elasticity(double ab, double t)
{
    const double u = ab * (1.0 - 1.0 / t);
    const double s2 = 1.0 + u * u;
    return -(1.0 / sqrt(s2) + 2.0 * u / s2) * ab / t - 2.0;
}

/* Where the elasticity changes its sign between two t. */
static double find_inflection(double ab, double below, double above)
{
    const bool concave_below = elasticity(ab, below) < 0.0;
    for (int i = 0; i < BISECTIONS; i++) {
        const double middle = 0.5 * (below + above);
        if ((elasticity(ab, middle) < 0.0) == concave_below) {
            below = middle;
        } else {
            above = middle;
        }
    }
    return concave_below ? below : above;
}

static void find_convex_part(struct marginal *out)
{
    out->t_low = MARGINAL_T_LEAST;
    out->t_high = MARGINAL_T_LEAST;
    bool concave = true;
    double before = MARGINAL_T_LEAST;
    // NOLINTNEXTLINE(cert-flp30-c,clang-analyzer-security.FloatLoopCounter): geometric steps
    for (double t = MARGINAL_T_LEAST; t < 1.0; t *= 1.01) {
        const bool now = elasticity(out->ab, t) < 0.0;
        if (concave && !now) {
            out->t_low = t > MARGINAL_T_LEAST ? find_inflection(out->ab, before, t) : t;
        } else if (!concave && now) {
            out->t_high = find_inflection(out->ab, before, t);
        }
        concave = now;
        before = t;
    }
    if (!concave) {
        out->t_high = 1.0; /* always concave from u = 0 up */
    }
}

/* Newton in logarithms, from a start at or above t_high, kept within bounds. */
static double solve_above(double ab, double log_slope, double least, double start)
{
    double below = least;
    double above = HUGE_VAL;
    double t = start;
    for (int i = 0; i < NEWTON_MOST; i++) {
        const double error = marginal_log_slope(ab, t) - log_slope;
        if (fabs(error) < 1e-12) {
            break;
        }
        if (error > 0.0) {
            below = t;
        } else {
            above = t;
        }
        /* where G' hardly bends a step would go anywhere */
        const double next = t * exp(-error / elasticity(ab, t));
        if (next > below && next < above && next < 1.1 * t) {
            t = next;
        } else {
            t = isfinite(above) ? 0.5 * (below + above) : 1.1 * t;
        }
    }
    return t;
}

void marginal_init(struct marginal *out, double ab)
{
    out->ab = ab;
    find_convex_part(out);
    out->log_top = marginal_log_slope(ab, out->t_high);
    out->t[0] = out->t_high;
    double t = out->t_high * (1.0 + 1e-6);
    for (int k = 1; k <= MARGINAL_STEPS; k++) {
        t = solve_above(ab, out->log_top - k * MARGINAL_STEP, out->t_high, t);
        out->t[k] = t;
    }
}

double marginal_t_high(const struct marginal *marginal, double log_slope)
{
    const double at = (marginal->log_top - log_slope) / MARGINAL_STEP;
    if (!(at > 0.0)) {
        return marginal->t_high;
    }
    if (at >= MARGINAL_STEPS) {
        return marginal->t[MARGINAL_STEPS];
    }
    const int k = (int)at;
    return marginal->t[k] + (at - k) * (marginal->t[k + 1] - marginal->t[k]);
}

double marginal_t_low(const struct marginal *marginal, double log_slope)
{
    double below = MARGINAL_T_LEAST;
    double above = marginal->t_low;
    for (int i = 0; i < BISECTIONS && above - below > 1e-9; i++) {
        const double middle = 0.5 * (below + above);
        if (marginal_log_slope(marginal->ab, middle) > log_slope) {
            below = middle;
        } else {
            above = middle;
        }
    }
    return 0.5 * (below + above);
}
