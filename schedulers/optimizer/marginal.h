// SPDX-License-Identifier: Apache-2.0
/*
 * What a little more speed is worth. With t = b / x (speed over the speed that just meets the
 * objective) and u = ab (1 - 1/t), every service has
 *     log S = log w + G(t),  G'(t) = ab / t^2 * dG/du,
 * whatever its model: t is linear in the allocation between the points of a model. G is concave
 * below t_low, convex up to t_high, concave above; a curve that is flat enough has no convex
 * part. The inverse of G' above t_high is tabulated, since the optimizer asks for it most.
 */
#ifndef SCHEDULERS_OPTIMIZER_MARGINAL_H
#define SCHEDULERS_OPTIMIZER_MARGINAL_H

#include <stdbool.h>
#include <stdint.h>

#define MARGINAL_STEPS   768                 /* of the table */
#define MARGINAL_STEP    0.04332169878499658 /* log 2 / 16, between its points */
#define MARGINAL_T_LEAST 0.01                /* x is clamped to 100 b */

struct marginal {
    double ab;
    double t_low;   /* end of the lower concave part; MARGINAL_T_LEAST when nothing is convex */
    double t_high;  /* start of the upper one */
    double log_top; /* log G'(t_high), the steepest above t_high */
    double t[MARGINAL_STEPS + 1]; /* t[k]: log G' = log_top - k MARGINAL_STEP */
};

void marginal_init(struct marginal *out, double ab);

/* log G'(t). */
double marginal_log_slope(double ab, double t);
double marginal_slope(double ab, double t);

/* t >= t_high with log G'(t) = log_slope; t_high where that is steeper than log_top. From the
 * table: to about 3e-5 of t. */
double marginal_t_high(const struct marginal *marginal, double log_slope);
/* The same below t_low, by bisection; t_low where nothing there is as steep as that... */
double marginal_t_low(const struct marginal *marginal, double log_slope);

#endif
