// SPDX-License-Identifier: Apache-2.0
/*
 * Where G changes its curvature: with u = -v and s = sqrt(1 + v^2), d log G' / d log t is zero
 * where
 *     phi(v) = 2 ab v - s (v + ab) - 2
 * is. s (v + ab) is convex, so phi is concave: it has two roots or none, and Newton's method
 * from outside runs to them without passing them.
 */
#include "schedulers/optimizer/marginal.h"

#include <math.h>

#define NEWTON_MOST   60
#define NODE_STEP     0.05 /* of y, between points where G' is computed */
#define LOG_STEP_MOST 0.1  /* of log t, between the same */
#define HALVINGS_MOST 5
#define NUDGE         1e-4 /* of log t, for the slope where the elasticity is zero */

double marginal_slope(double ab, double t)
{
    const double u = ab * (1.0 - 1.0 / t);
    const double s = sqrt(1.0 + u * u);
    const double by_u = u > 0.0 ? 1.0 / (s * s * (s + u)) : (s - u) / (s * s);
    return ab * by_u / (t * t);
}

/* d log G' / d log t; G is concave where it is negative. */
static double elasticity(double ab, double t)
{
    const double u = ab * (1.0 - 1.0 / t);
    const double s2 = 1.0 + u * u;
    return -(1.0 / sqrt(s2) + 2.0 * u / s2) * ab / t - 2.0;
}

/* The root of phi next to a start outside of both; 0: there is none. */
static double find_root(double ab, double start)
{
    const bool rises = start < 1.0;
    double v = start;
    for (int i = 0; i < NEWTON_MOST; i++) {
        const double s = sqrt(1.0 + v * v);
        const double phi = 2.0 * ab * v - s * (v + ab) - 2.0;
        const double slope = 2.0 * ab - v * (v + ab) / s - s;
        if (phi >= 0.0) {
            return v; /* rounding alone leads past the root */
        }
        if (rises ? slope <= 0.0 : slope >= 0.0) {
            return 0.0;
        }
        const double next = v - phi / slope;
        if (fabs(next - v) <= 1e-15 * v) {
            return next;
        }
        v = next;
    }
    return v;
}

void marginal_init(struct marginal *out, double ab)
{
    out->ab = ab;
    out->tabulated = false;
    const double near = find_root(ab, sqrt(1.0 / 3.0));
    const double far = near > 0.0 ? find_root(ab, 2.0 * ab + 2.0) : 0.0;
    out->t_low = MARGINAL_T_LEAST;
    out->t_high = MARGINAL_T_LEAST;
    if (near > 0.0 && far > 0.0) {
        /* a hair outside of the convex part */
        const double t_high = ab / (ab + near) * (1.0 + 1e-12);
        const double t_low = ab / (ab + far) * (1.0 - 1e-12);
        out->t_high = t_high > MARGINAL_T_LEAST ? t_high : MARGINAL_T_LEAST;
        out->t_low = t_low > MARGINAL_T_LEAST ? t_low : MARGINAL_T_LEAST;
    }
    out->log_top = log(marginal_slope(ab, out->t_high));
    out->log_bottom = log(marginal_slope(ab, out->t_low));
}

/* ---- the tables ---- */

/*
 * Over y = sqrt(|log G' - its start|) t is smooth, also at an inflection, where over log G' it
 * starts like a root. G' is computed at points about NODE_STEP apart; between them t is the
 * cubic with the right values and slopes at both.
 */
struct node {
    double y;
    double t;
    double slope; /* dt / dy */
};

static struct node first_node(double ab, double t, double side)
{
    const double bend = elasticity(ab, t * exp(side * NUDGE)) / (side * NUDGE);
    const bool inflection = fabs(elasticity(ab, t)) < 1e-6;
    return (struct node){
        .t = t, .slope = inflection && bend != 0.0 ? side * t * sqrt(2.0 / fabs(bend)) : 0.0};
}

static struct node next_node(double ab, const struct node *last, double start, double side)
{
    const double by_log = last->slope / last->t;
    double step = NODE_STEP * by_log;
    if (last->y <= 0.0 && last->slope == 0.0) {
        step = side * NODE_STEP * NODE_STEP / fabs(elasticity(ab, last->t));
    }
    step = fabs(step) > LOG_STEP_MOST ? side * LOG_STEP_MOST : step;
    struct node out = {0};
    for (int i = 0; i < HALVINGS_MOST; i++) {
        const double t = last->t * exp(step);
        const double y = sqrt(fabs(log(marginal_slope(ab, t)) - start));
        out = (struct node){.y = y, .t = t, .slope = -side * 2.0 * y * t / elasticity(ab, t)};
        if (last->y <= 0.0 || fabs(out.slope / t - by_log) < 0.15 * fabs(by_log)) {
            break;
        }
        step *= 0.5; /* where there is hardly an inflection, t turns quickly */
    }
    return out;
}

/* t where log G' is k steps from its start; side: 1 for rising t, -1 for falling. */
static void tabulate(double ab, double side, double start, uint32_t steps, double *out)
{
    struct node from = {0};
    struct node to = first_node(ab, out[0], side);
    for (uint32_t k = 1; k <= steps; k++) {
        const double y = sqrt(k * MARGINAL_STEP);
        while (to.y < y && to.t >= MARGINAL_T_LEAST) {
            from = to;
            to = next_node(ab, &from, start, side);
            if (!(to.y > from.y)) {
                to.t = 0.0; /* rounding is all that is left */
            }
        }
        if (to.t < MARGINAL_T_LEAST && to.y < y) {
            out[k] = side > 0.0 ? out[k - 1] : MARGINAL_T_LEAST;
            continue;
        }
        const double width = to.y - from.y;
        const double part = (y - from.y) / width;
        const double rest = 1.0 - part;
        const double t =
            rest * rest * ((1.0 + 2.0 * part) * from.t + part * width * from.slope) +
            part * part * ((1.0 + 2.0 * rest) * to.t - rest * width * to.slope);
        out[k] = t > MARGINAL_T_LEAST ? t : MARGINAL_T_LEAST;
    }
}

void marginal_tabulate(struct marginal *marginal)
{
    if (marginal->tabulated) {
        return;
    }
    marginal->tabulated = true;
    marginal->t[0] = marginal->t_high;
    marginal->below[0] = marginal->t_low;
    tabulate(marginal->ab, 1.0, marginal->log_top, MARGINAL_STEPS, marginal->t);
    tabulate(marginal->ab, -1.0, marginal->log_bottom, MARGINAL_LOW_STEPS, marginal->below);
}

static double look_up(const double *table, uint32_t steps, double at)
{
    if (!(at > 0.0)) {
        return table[0];
    }
    if (at >= steps) {
        return table[steps];
    }
    const uint32_t k = (uint32_t)at;
    return table[k] + (at - k) * (table[k + 1] - table[k]);
}

double marginal_t_high(struct marginal *marginal, double log_slope)
{
    marginal_tabulate(marginal);
    const double at = (marginal->log_top - log_slope) / MARGINAL_STEP;
    if (at > MARGINAL_STEPS) { /* far up, G' falls with the square of t */
        return marginal->t[MARGINAL_STEPS] * exp(0.5 * MARGINAL_STEP * (at - MARGINAL_STEPS));
    }
    return look_up(marginal->t, MARGINAL_STEPS, at);
}

double marginal_t_low(struct marginal *marginal, double log_slope)
{
    marginal_tabulate(marginal);
    return look_up(marginal->below, MARGINAL_LOW_STEPS,
                   (log_slope - marginal->log_bottom) / MARGINAL_STEP);
}
