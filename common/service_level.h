// SPDX-License-Identifier: Apache-2.0
/*
 * The service-level function (paper, section 5, formula 1): a measured parameter x becomes a
 * level in 0..1 on a switch-shaped curve, S(x) = w a (b - x) / sqrt(1 + (a (b - x))^2) + w, and
 * several services become one number by weighted multiplication (formula 2, weights as
 * exponents). All logarithms are natural ("nats").
 */
#ifndef COMMON_SERVICE_LEVEL_H
#define COMMON_SERVICE_LEVEL_H

#include <stddef.h>

#include "common/model/service.h"

#define SERVICE_LEVEL_FLOOR 0.5   /* lowest tolerable level */
#define SERVICE_LEVEL_X_MAX 100.0 /* x is clamped to this many times b */

/* a=10, b=1, w=0.5. */
struct level_curve service_level_default_curve(void);

/* S(x), 0 < S <= 2w. x: NAN gives NAN; negative counts as 0; clamped above. */
double service_level(const struct level_curve *curve, double x);

/* log S(x), exact where S itself would lose all its digits. */
double service_level_log(const struct level_curve *curve, double x);

/* d log S / dx. */
double service_level_log_slope(const struct level_curve *curve, double x);

/* The x at which S(x) = level; level in (0, 2w). */
double service_level_inverse(const struct level_curve *curve, double level);

/* Several parameters of one service: the product of their levels. NAN if one is unknown. */
double service_level_combine(const double *levels, size_t count);

/* sum w log S and, from it, sigma = exp(sum) and the weighted geometric mean exp(sum / sum w).
 */
struct sigma {
    double log_sigma;
    double sigma;
    double mean_level;
    size_t known; /* levels that are NAN are left out */
};
struct sigma service_level_sigma(const double *levels, const double *weights, size_t count);

#endif
