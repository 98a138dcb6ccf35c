// SPDX-License-Identifier: Apache-2.0
#include "schedulers/response_held.h"

#include <math.h>

#include "common/service_level.h"

#define POINTS 20 /* of the model, besides its two floors */

double response_need(const struct response_model *model, double demand_pct, double x,
                     const struct service_view *view)
{
    const double most = 4.0 * view->cap_max_pct;
    return fmin(response_model_need(model, fmax(demand_pct, 0.0), x, most), most);
}

double response_held_safe_pct(const struct response_held *held, const struct service_view *view)
{
    const double most = 4.0 * view->cap_max_pct;
    const double need = response_need(&held->model, held->demand_pct * (1.0 + held->headroom),
                                      RESPONSE_SAFE, view);
    return held->headroom > 0.0 && need < most ? held->stretch * need : 0.0;
}

/*
 * x at a cap. Up to the need it is that of the load as it is, so that this much is not given up
 * before somebody must go without; from the safe need on that of the load with its headroom.
 */
static double foresee(const struct response_held *held, const double needs_pct[2],
                      double cap_pct)
{
    const double r_pct = cap_pct / held->stretch;
    const double x = response_model_x(&held->model, held->demand_pct, r_pct);
    if (!(needs_pct[1] > needs_pct[0]) || !(cap_pct > needs_pct[0])) {
        return x;
    }
    if (cap_pct >= needs_pct[1]) {
        return response_model_x(&held->model, held->demand_pct * (1.0 + held->headroom), r_pct);
    }
    const double part = (cap_pct - needs_pct[0]) / (needs_pct[1] - needs_pct[0]);
    return 1.0 / (1.0 + part * (1.0 / RESPONSE_SAFE - 1.0));
}

/* Up to this cap it does not keep up. */
static double least_pct(const struct response_held *held, const struct service_view *view)
{
    return held->stretch *
           response_model_least(&held->model, held->demand_pct, 4.0 * view->cap_max_pct);
}

/* Caps at which the model is told: spaced evenly in their ratio, and the two needs. */
static uint32_t list_caps(const struct response_held *held, const struct service_view *view,
                          const double needs_pct[2], uint32_t caps_pct[POINTS + 2])
{
    const double b_pct = least_pct(held, view);
    const double first = fmax(b_pct * 1.005, 2.0);
    const double factor = pow(fmax(view->cap_max_pct / first, 1.01), 1.0 / (POINTS - 1));
    double spaced = first;
    uint32_t count = 0;
    for (uint32_t i = 0; i < POINTS + 2; i++) {
        const double cap = i < POINTS ? spaced : needs_pct[i - POINTS];
        spaced *= factor;
        if (!(cap >= 2.0) || cap > UINT32_MAX / 2) {
            continue;
        }
        uint32_t at = count++;
        for (; at > 0 && caps_pct[at - 1] > (uint32_t)ceil(cap); at--) {
            caps_pct[at] = caps_pct[at - 1];
        }
        caps_pct[at] = (uint32_t)ceil(cap);
    }
    return count;
}

/* A profile is told from beyond its measurements by the load as it is and by the need. */
static enum model_basis basis_of(const struct response_held *held,
                                 const struct service_view *view)
{
    const struct profile_use *profile = held->model.profile;
    if (profile == NULL) {
        return held->basis;
    }
    const double vms = held->model.vms;
    return profile_predict(profile->table, view->load / vms,
                           held->need_pct / held->stretch / vms, &profile->with)
                   .extrapolated
               ? MODEL_BASIS_EXTRAPOLATED
               : MODEL_BASIS_PROFILE;
}

void response_held_emit(const struct response_held *held, const struct service_view *view,
                        struct proposal *out)
{
    const double needs_pct[] = {held->need_pct, response_held_safe_pct(held, view)};
    uint32_t caps_pct[POINTS + 2];
    const uint32_t count = list_caps(held, view, needs_pct, caps_pct);
    out->model = MODEL_KIND_TABLE;
    out->basis = basis_of(held, view);
    const double b_pct = least_pct(held, view);
    out->points[0] = (struct curve_point){.cap_pct = (uint32_t)fmax(floor(b_pct), 1.0),
                                          .x = SERVICE_LEVEL_X_MAX};
    out->points_count = 1;
    for (uint32_t i = 0; i < count; i++) {
        const struct curve_point *last = &out->points[out->points_count - 1];
        const double x = foresee(held, needs_pct, caps_pct[i]);
        if (caps_pct[i] > last->cap_pct && x < last->x) {
            out->points[out->points_count++] =
                (struct curve_point){.cap_pct = caps_pct[i], .x = x};
        }
    }
}
