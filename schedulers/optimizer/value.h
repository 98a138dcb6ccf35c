// SPDX-License-Identifier: Apache-2.0
/*
 * The value w log S of one service over its own variable n in whole percents: the cap of its
 * VM, the common cap of a gang, the sum of the caps of VMs that add up. r = base_r + unit n.
 * The axis of r is cut into pieces on each of which the value is concave or has its best point
 * at an end, so that the best n at any price is found exactly in a few steps.
 */
#ifndef SCHEDULERS_OPTIMIZER_VALUE_H
#define SCHEDULERS_OPTIMIZER_VALUE_H

#include "schedulers/allocation.h"
#include "schedulers/optimizer/marginal.h"

#define VALUE_TOLERANCE 1e-9 /* of r */

enum piece_kind {
    PIECE_ENDS = 1, /* convex or flat: nothing inside is better than both ends */
    PIECE_LOW = 2,  /* concave, t below t_low */
    PIECE_HIGH = 3, /* concave, t above t_high */
};

struct piece {
    enum piece_kind kind;
    double from; /* r; the piece ends where the next one starts */
    double to;
    double alpha; /* t = alpha + beta r */
    double beta;
    double log_scale;  /* log(weight beta): of slopes over r against G' */
    double slope_from; /* d value / d r at its ends */
    double slope_to;
};

struct service_value {
    const struct proposal *model;
    struct level_curve curve;
    double weight;
    bool fixed; /* its model predicts nothing: t = r / want */
    struct marginal *marginal;
    double log_weight;
    double log_w; /* of the curve's w */
    double base_r;
    double unit;
    double log_unit;
    uint32_t lo; /* of n */
    uint32_t hi;
    const struct piece *pieces;
    uint32_t pieces_count;
    bool concave_high; /* over every r with t >= 1 */
};

/* Cuts the axis of r; out has room for what pieces_of() in setup.c counts. Returns how many. */
uint32_t value_cut(const struct service_value *value, struct piece *out);
/* concave_high, once the pieces are there. */
bool value_is_concave_high(const struct service_value *value);

double value_r(const struct service_value *value, uint32_t n);
/* w log S at r; at n. */
double value_at_r(const struct service_value *value, double r);
double value_at(const struct service_value *value, uint32_t n);

/* The real n in [lo, hi] at which one more costs what it gains; for a value that is concave
 * there. To about 3e-5 of n. */
double value_demand(const struct service_value *value, double log_price, double lo, double hi);

/* The n in [lo, hi] with the largest value(n) - price n, exactly; the least of equals. */
uint32_t value_best(const struct service_value *value, double price, uint32_t lo, uint32_t hi);

#endif
