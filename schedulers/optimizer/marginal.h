// SPDX-License-Identifier: Apache-2.0
/*
 * What a little more speed is worth. With t = b / x (speed over the speed that just meets the
 * objective) and u = ab (1 - 1/t), every service has
 *     log S = log w + G(t),  G'(t) = ab / t^2 * dG/du,
 * whatever its model: t is linear in the allocation between the points of a model. G is concave
 * below t_low, convex up to t_high, concave above; a curve that is flat enough has no convex
 * part. The inverse of G' is tabulated on both concave parts, since the optimizer asks for it
 * most; who needs no inverse does not pay for the tables.
 */
#ifndef SCHEDULERS_OPTIMIZER_MARGINAL_H
#define SCHEDULERS_OPTIMIZER_MARGINAL_H

#include <stdbool.h>
#include <stdint.h>

#define MARGINAL_STEPS     512                 /* of the table above t_high */
#define MARGINAL_LOW_STEPS 112                 /* of the table below t_low */
#define MARGINAL_STEP      0.04332169878499658 /* log 2 / 16, between points of both */
#define MARGINAL_T_LEAST   0.01                /* x is clamped to 100 b */

struct marginal {
    double ab;
    double t_low;      /* end of the lower concave part; MARGINAL_T_LEAST: nothing is convex */
    double t_high;     /* start of the upper one */
    double log_top;    /* log G'(t_high), the steepest above t_high */
    double log_bottom; /* log G'(t_low), the flattest below t_low */
    bool tabulated;
    double t[MARGINAL_STEPS + 1];         /* log G'(t[k]) = log_top - k MARGINAL_STEP */
    double below[MARGINAL_LOW_STEPS + 1]; /* log G'(below[k]) = log_bottom + k MARGINAL_STEP */
};

/* All but the tables. */
void marginal_init(struct marginal *out, double ab);
/* The tables, unless they are there; marginal_t_high() and marginal_t_low() do it by
 * themselves. */
void marginal_tabulate(struct marginal *marginal);

double marginal_slope(double ab, double t); /* G'(t) */

/* t >= t_high with log G'(t) = log_slope; t_high where that is steeper than log_top. From the
 * table: to about 3e-5 of t; where G' is nearly flat, to about 1e-4 of G'. */
double marginal_t_high(struct marginal *marginal, double log_slope);
/* The same below t_low; t_low where that is flatter than log_bottom. */
double marginal_t_low(struct marginal *marginal, double log_slope);

#endif
