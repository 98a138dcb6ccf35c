// SPDX-License-Identifier: Apache-2.0
/* What a scheduler sees of a web service of which nothing is measured yet; for test_baselines.c
 * and test_schedulers.c, which set what they need. */
#ifndef TESTS_UNIT_SCHEDULERS_SERVICE_VIEW_H
#define TESTS_UNIT_SCHEDULERS_SERVICE_VIEW_H

#include <math.h>

#include "schedulers/scheduler.h"

static inline struct service_view web_view(void)
{
    return (struct service_view){
        .service = "shop",
        .kind = SERVICE_KIND_WEB,
        .objective = {.has_response_time = true,
                      .response_time = {.p95_ms = 200, .window_ms = 5000}},
        .period_ms = 5000,
        .measured = NAN,
        .load = NAN,
        .cpu_used_pct = NAN,
        .tasks_done = NAN,
        .measurement_age_ms = UINT32_MAX,
        .cap_pct = 50,
        .cap_min_pct = 20,
        .cap_max_pct = 400,
    };
}

#endif
