// SPDX-License-Identifier: Apache-2.0
/*
 * What is learnt of a web service while it runs: x over its CPU, by the law of a queue of
 * several servers (profile_response_factor()), whose demand is what guests report times an
 * unknown scale. A few scales are followed side by side; each has a recursive fit of 1/x
 * (profile_fit) and a score of how well it foresaw what was measured. Together they give the
 * scale, the time of a request, and how noisy x is; an alarm (profile_alarm) says when what
 * was learnt is out of date. For response_time.c, which keeps it in its state.
 *
 * With a profile the law is the profile's table, per VM, in place of the queue's: the scales
 * are then of its load, and the fit starts from its prediction with gain 1. In one fit all is
 * by one law.
 */
#ifndef SCHEDULERS_RESPONSE_FIT_H
#define SCHEDULERS_RESPONSE_FIT_H

#include "schedulers/profile.h"

#define RESPONSE_SCALES 9

/* All zero: nothing was learnt. */
struct response_fit {
    uint32_t count;                 /* measurements */
    double noise;                   /* relative deviation of x */
    double scores[RESPONSE_SCALES]; /* how badly each foresaw x; in nats, 0 is the best */
    struct profile_fit fits[RESPONSE_SCALES];
    struct profile_alarm alarm;
};

/* The model that came out. */
struct response_model {
    double alone; /* x of a request that has a whole CPU for itself */
    double scale; /* of the reported demand */
    uint32_t vms;
    const struct profile_use *profile; /* the law; NULL: that of the queue */
    double cost_pct_s;                 /* with a profile: the demand is the load times this */
};

/* x at r percent with this demand, as reported. INFINITY: it does not keep up. */
double response_model_x(const struct response_model *model, double demand_pct, double r_pct);

/* Up to this r it does not keep up, if r goes to most_pct. */
double response_model_least(const struct response_model *model, double demand_pct,
                            double most_pct);

/* The least r up to most_pct with which x is reached; INFINITY: none. */
double response_model_need(const struct response_model *model, double demand_pct, double x,
                           double most_pct);

/* What was measured at one time. */
struct response_measurement {
    double demand_pct;   /* as reported; above 0 */
    double demand_error; /* its relative deviation; it would else be taken for a wrong scale */
    double r_pct;        /* above 0 */
    uint32_t vms;
    double x;                          /* finite, above 0 */
    const struct profile_use *profile; /* the law; NULL: that of the queue */
    double load;                       /* with a profile; above 0 */
};

#define RESPONSE_BELIEVED 3 /* measurements for which a profile stands at the start */

/* Starts from a profile, before anything is measured. */
void response_fit_begin(struct response_fit *fit);

/* True: what was learnt before is out of date; it starts anew from this measurement. */
bool response_fit_learn(struct response_fit *fit, const struct response_measurement *seen);

/* By the law of the queue, whatever it was learnt by. With nothing learnt, alone is 0. */
struct response_model response_fit_model(const struct response_fit *fit, uint32_t vms);

#endif
