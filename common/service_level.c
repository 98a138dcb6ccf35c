// SPDX-License-Identifier: Apache-2.0
/*
 * With u = a (b - x) and s = sqrt(1 + u^2): S = w (1 + u / s). For u < 0 that subtracts two
 * nearly equal numbers, so the equal form S = w / (s (s - u)) is used there, and log S is taken
 * from the factors rather than from S.
 */
#include "common/service_level.h"

#include <math.h>

struct level_curve service_level_default_curve(void)
{
    return (struct level_curve){.a = 10.0, .b = 1.0, .w = 0.5};
}

static double clamp_x(const struct level_curve *curve, double x)
{
    const double x_max = SERVICE_LEVEL_X_MAX * curve->b;
    if (x < 0.0) {
        return 0.0;
    }
    return x > x_max ? x_max : x; /* NAN passes through */
}

double service_level(const struct level_curve *curve, double x)
{
    const double u = curve->a * (curve->b - clamp_x(curve, x));
    const double s = sqrt(1.0 + u * u);
    if (u < 0.0) {
        return curve->w / (s * (s - u));
    }
    return curve->w * (1.0 + u / s);
}

double service_level_log(const struct level_curve *curve, double x)
{
    const double u = curve->a * (curve->b - clamp_x(curve, x));
    const double s = sqrt(1.0 + u * u);
    if (u < 0.0) {
        return log(curve->w) - log(s) - log(s - u);
    }
    return log(curve->w) + log1p(u / s);
}

double service_level_log_slope(const struct level_curve *curve, double x)
{
    const double u = curve->a * (curve->b - clamp_x(curve, x));
    const double s = sqrt(1.0 + u * u);
    const double by_u = u > 0.0 ? 1.0 / (s * s * (s + u)) : (s - u) / (s * s);
    return -curve->a * by_u;
}

double service_level_inverse(const struct level_curve *curve, double level)
{
    const double share = level / curve->w; /* in (0, 2) */
    if (!(share > 0.0) || !(share < 2.0)) {
        return NAN;
    }
    /* share - 1 = u / s, hence u = (share - 1) / sqrt(1 - (share - 1)^2). */
    const double u = (share - 1.0) / sqrt(share * (2.0 - share));
    return curve->b - u / curve->a;
}

double service_level_combine(const double *levels, size_t count)
{
    if (count == 0) {
        return NAN;
    }
    double product = 1.0;
    for (size_t i = 0; i < count; i++) {
        product *= levels[i];
    }
    return product;
}

struct sigma service_level_sigma(const double *levels, const double *weights, size_t count)
{
    struct sigma sigma = {.mean_level = NAN};
    double weight_sum = 0.0;
    for (size_t i = 0; i < count; i++) {
        if (isnan(levels[i])) {
            continue;
        }
        sigma.log_sigma += weights[i] * log(levels[i]);
        weight_sum += weights[i];
        sigma.known++;
    }
    sigma.sigma = exp(sigma.log_sigma);
    if (weight_sum > 0.0) {
        sigma.mean_level = exp(sigma.log_sigma / weight_sum);
    }
    return sigma;
}
