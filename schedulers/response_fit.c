// SPDX-License-Identifier: Apache-2.0
#include "schedulers/response_fit.h"

#include <math.h>

#include "common/service_level.h"

#define SCALE_STEP     1.065 /* between two scales: from 0.78 to 1.29 */
#define SCALE_PRIOR    0.12  /* deviation of log scale before anything is known */
#define FORGETTING     0.98  /* of the time of a request */
#define SCORE_KEPT     0.99  /* of the scores: a scale changes less than the load */
#define NOISE_FIRST    0.15
#define NOISE_LEAST    0.05
#define NOISE_GAIN     0.05
#define DEVIATION_MOST 4.0 /* one measurement alone says no more than this */
#define ALARM_K        0.5
#define ALARM_H        10.0
#define SHIFT_MOST     1.0
#define HALVINGS       40
#define BELIEF         0.1 /* variance of a profile's gain, beside that of one measurement */

static double scale_of(int index)
{
    const int middle = RESPONSE_SCALES / 2;
    return pow(SCALE_STEP, index - middle);
}

/* Score of a scale before anything is known. */
static double prior_of(int index)
{
    const double away = log(scale_of(index)) / SCALE_PRIOR;
    return 0.5 * away * away;
}

static double table_x(const struct profile_use *profile, double load, double r_pct,
                      uint32_t vms)
{
    return profile->factor *
           profile_predict(profile->table, load / vms, r_pct / vms, &profile->with).x;
}

double response_model_x(const struct response_model *model, double demand_pct, double r_pct)
{
    const double demand = model->scale * demand_pct;
    return model->alone *
           (model->profile == NULL
                ? profile_response_factor(demand, r_pct, model->vms)
                : table_x(model->profile, demand / model->cost_pct_s, r_pct, model->vms));
}

double response_model_least(const struct response_model *model, double demand_pct,
                            double most_pct)
{
    if (model->profile == NULL) {
        return model->scale * demand_pct;
    }
    return fmin(response_model_need(model, demand_pct, SERVICE_LEVEL_X_MAX, most_pct),
                most_pct);
}

/* What the law says where the demand or the load is so many times what was measured. */
static double law_x(const struct response_measurement *seen, double factor)
{
    return seen->profile == NULL
               ? profile_response_factor(factor * seen->demand_pct, seen->r_pct, seen->vms)
               : table_x(seen->profile, factor * seen->load, seen->r_pct, seen->vms);
}

double response_model_need(const struct response_model *model, double demand_pct, double x,
                           double most_pct)
{
    double low = model->profile == NULL ? model->scale * demand_pct : 0.0;
    double high = most_pct;
    if (!(low < high) || response_model_x(model, demand_pct, high) > x) {
        return HUGE_VAL;
    }
    for (int i = 0; i < HALVINGS && high - low > 1e-3; i++) {
        const double middle = 0.5 * (low + high);
        if (response_model_x(model, demand_pct, middle) > x) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return high;
}

/* A scale with which it could not keep up at all is out of the question, but stays in the race.
 */
static void start(struct response_fit *fit, const double speeds[RESPONSE_SCALES], double x)
{
    if (!(speeds[0] > 0.0)) {
        return; /* of no scale: what was measured does not belong together */
    }
    double z = speeds[0];
    for (int i = 0; i < RESPONSE_SCALES; i++) {
        fit->scores[i] =
            prior_of(i) + (speeds[i] > 0.0 ? 0.0 : DEVIATION_MOST * DEVIATION_MOST);
        z = speeds[i] > 0.0 ? speeds[i] : z;
        /* The offset has no variance and stays 0: the law goes through the origin. */
        profile_fit_start(&fit->fits[i], 0.0, 1.0 / (x * z), (double[]){0.0, 1.0 / (z * z)},
                          FORGETTING);
    }
    profile_alarm_start(&fit->alarm, ALARM_K, ALARM_H);
    fit->count = 1;
}

void response_fit_begin(struct response_fit *fit)
{
    fit->noise = NOISE_FIRST;
    for (int i = 0; i < RESPONSE_SCALES; i++) {
        fit->scores[i] = prior_of(i);
        profile_fit_start(&fit->fits[i], 0.0, 1.0, (double[]){0.0, BELIEF}, FORGETTING);
    }
    profile_alarm_start(&fit->alarm, ALARM_K, ALARM_H);
    fit->count = RESPONSE_BELIEVED;
}

static int best_of(const struct response_fit *fit)
{
    int best = 0;
    for (int i = 1; i < RESPONSE_SCALES; i++) {
        best = fit->scores[i] < fit->scores[best] ? i : best;
    }
    return best;
}

/* By how much log x is off where the demand is off by its deviation, at its reported scale. */
static double shift_of(const struct response_measurement *seen)
{
    const double shift = log(law_x(seen, 1.0 + seen->demand_error) / law_x(seen, 1.0));
    return seen->demand_error > 0.0 ? fmin(isnan(shift) ? SHIFT_MOST : shift, SHIFT_MOST) : 0.0;
}

bool response_fit_learn(struct response_fit *fit, const struct response_measurement *seen)
{
    const double x = seen->x;
    double speeds[RESPONSE_SCALES];
    for (int i = 0; i < RESPONSE_SCALES; i++) {
        speeds[i] = 1.0 / law_x(seen, scale_of(i));
    }
    if (fit->count == 0) {
        fit->noise = NOISE_FIRST;
        start(fit, speeds, x);
        return false;
    }
    double errors[RESPONSE_SCALES];
    const double deviation = hypot(fit->noise, shift_of(seen));
    for (int i = 0; i < RESPONSE_SCALES; i++) {
        const double error = log(x / profile_fit_predict(&fit->fits[i], speeds[i])) / deviation;
        errors[i] = fmin(fmax(error, -DEVIATION_MOST), DEVIATION_MOST);
    }
    const int best = best_of(fit);
    const double error = errors[best] * fit->noise; /* without what the demand explains */
    fit->noise = fmax(
        sqrt(fit->noise * fit->noise + NOISE_GAIN * (error * error - fit->noise * fit->noise)),
        NOISE_LEAST);
    if (profile_alarm_update(&fit->alarm, errors[best])) {
        start(fit, speeds, x);
        return true;
    }
    double least = HUGE_VAL;
    for (int i = 0; i < RESPONSE_SCALES; i++) {
        const double prior = prior_of(i);
        fit->scores[i] =
            prior + SCORE_KEPT * (fit->scores[i] - prior) + 0.5 * errors[i] * errors[i];
        least = fmin(least, fit->scores[i]);
        profile_fit_update(&fit->fits[i], speeds[i], x);
    }
    for (int i = 0; i < RESPONSE_SCALES; i++) {
        fit->scores[i] -= least;
    }
    fit->count++;
    return false;
}

struct response_model response_fit_model(const struct response_fit *fit, uint32_t vms)
{
    struct response_model out = {.scale = 1.0, .vms = vms};
    if (fit->count == 0) {
        return out;
    }
    double weights = 0.0;
    double scales = 0.0;
    double gains = 0.0;
    for (int i = 0; i < RESPONSE_SCALES; i++) {
        const double weight = exp(-fit->scores[i]);
        weights += weight;
        scales += weight * log(scale_of(i));
        gains += weight * log(fmax(fit->fits[i].gain, 1e-6));
    }
    out.scale = exp(scales / weights);
    out.alone = exp(-gains / weights);
    return out;
}
