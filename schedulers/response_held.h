// SPDX-License-Identifier: Apache-2.0
/*
 * What a web service's scheduler proposes until it finds something better: a model of its x
 * with the demand that it stands for, as a table of caps for the optimizer. For
 * response_time.c, which keeps it in its state.
 */
#ifndef SCHEDULERS_RESPONSE_HELD_H
#define SCHEDULERS_RESPONSE_HELD_H

#include "common/message/scheduler_message.h"
#include "schedulers/response_fit.h"

#define RESPONSE_SAFE 0.92 /* x that is foreseen where there is room for the headroom */

struct response_held {
    struct response_model model;
    enum model_basis basis; /* PROFILE: model.profile is set, for the call only */
    double demand_pct;
    double headroom; /* part of the demand */
    double stretch;  /* of the CPU: what the model needs, times this */
    double need_pct; /* for x = 1 */
    double want_pct;
};

/* CPU that is needed for x; whatever the limits are: so that a need just above them is still a
 * number. */
double response_need(const struct response_model *model, double demand_pct, double x,
                     const struct service_view *view);

/* The need with the headroom; 0: there is none, or it cannot be reached. */
double response_held_safe_pct(const struct response_held *held,
                              const struct service_view *view);

/* Fills the proposal's model. */
void response_held_emit(const struct response_held *held, const struct service_view *view,
                        struct proposal *out);

#endif
