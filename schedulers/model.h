// SPDX-License-Identifier: Apache-2.0
/*
 * What a proposal predicts: the parameter x at an allocation r (percent of a CPU of speed 1,
 * summed over the service's VMs), and back. x never rises with r.
 */
#ifndef SCHEDULERS_MODEL_H
#define SCHEDULERS_MODEL_H

#include <stdbool.h>

#include "common/message/scheduler_message.h"
#include "common/model/reason.h"

/* x at r; INFINITY where the service cannot keep up; NAN for MODEL_KIND_FIXED, which predicts
 * nothing. */
double model_predict(const struct proposal *proposal, double r_pct);

/* The least r with model_predict(r) <= x; INFINITY: there is none; NAN for MODEL_KIND_FIXED. */
double model_need(const struct proposal *proposal, double x);

/* Numbers are in range: finite, not negative, table sorted by cap with x falling. */
bool model_is_valid(const struct proposal *proposal);

/* Fills a proposal that asks to keep everything as it is. */
void model_hold(const struct service_view *view, enum reason reason, struct proposal *out);

/* A want between the service's limits, rounded up to whole percents. */
uint32_t model_clamp_want(const struct service_view *view, double want_pct);

#endif
