// SPDX-License-Identifier: Apache-2.0
#include "schedulers/model.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* 1/x is close to linear in r for every queue we know, so the table is interpolated there. */
static double table_predict(const struct proposal *proposal, double r_pct)
{
    const struct curve_point *points = proposal->points;
    const uint32_t last = proposal->points_count - 1;
    if (r_pct <= points[0].cap_pct) {
        return points[0].x;
    }
    for (uint32_t i = 1; i <= last; i++) {
        if (r_pct <= points[i].cap_pct) {
            const double width = (double)points[i].cap_pct - points[i - 1].cap_pct;
            const double part = (r_pct - points[i - 1].cap_pct) / width;
            const double before = 1.0 / points[i - 1].x;
            return 1.0 / (before + part * (1.0 / points[i].x - before));
        }
    }
    return points[last].x;
}

static double table_need(const struct proposal *proposal, double x)
{
    const struct curve_point *points = proposal->points;
    if (points[0].x <= x) {
        return 0.0; /* clamped: below its first point too */
    }
    for (uint32_t i = 1; i < proposal->points_count; i++) {
        if (points[i].x <= x) {
            const double width = (double)points[i].cap_pct - points[i - 1].cap_pct;
            const double before = 1.0 / points[i - 1].x;
            const double after = 1.0 / points[i].x;
            return points[i - 1].cap_pct + width * (1.0 / x - before) / (after - before);
        }
    }
    return INFINITY;
}

double model_predict(const struct proposal *proposal, double r_pct)
{
    switch (proposal->model) {
    case MODEL_KIND_RECIPROCAL: return r_pct > 0.0 ? proposal->demand_pct / r_pct : HUGE_VAL;
    case MODEL_KIND_PS:
        return r_pct > proposal->b_pct ? proposal->a_pct / (r_pct - proposal->b_pct) : HUGE_VAL;
    case MODEL_KIND_TABLE: return table_predict(proposal, r_pct);
    case MODEL_KIND_FIXED:
    case MODEL_KIND_UNSPECIFIED: break;
    }
    return NAN;
}

double model_need(const struct proposal *proposal, double x)
{
    if (!(x > 0.0)) {
        return INFINITY;
    }
    switch (proposal->model) {
    case MODEL_KIND_RECIPROCAL: return proposal->demand_pct / x;
    case MODEL_KIND_PS: return proposal->b_pct + proposal->a_pct / x;
    case MODEL_KIND_TABLE: return table_need(proposal, x);
    case MODEL_KIND_FIXED:
    case MODEL_KIND_UNSPECIFIED: break;
    }
    return NAN;
}

static bool is_amount(double value)
{
    return isfinite(value) && value >= 0.0;
}

static bool table_is_valid(const struct proposal *proposal)
{
    if (proposal->points_count == 0 || proposal->points_count > CURVE_POINTS_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < proposal->points_count; i++) {
        const struct curve_point *point = &proposal->points[i];
        if (!isfinite(point->x) || point->x <= 0.0) {
            return false;
        }
        if (i > 0 && (point->cap_pct <= point[-1].cap_pct || point->x > point[-1].x)) {
            return false;
        }
    }
    return true;
}

bool model_is_valid(const struct proposal *proposal)
{
    switch (proposal->model) {
    case MODEL_KIND_RECIPROCAL: return is_amount(proposal->demand_pct);
    case MODEL_KIND_PS: return is_amount(proposal->a_pct) && is_amount(proposal->b_pct);
    case MODEL_KIND_TABLE: return table_is_valid(proposal);
    case MODEL_KIND_FIXED: return true;
    case MODEL_KIND_UNSPECIFIED: break;
    }
    return false;
}

void model_hold(const struct service_view *view, enum reason reason, struct proposal *out)
{
    memset(out, 0, sizeof *out);
    (void)snprintf(out->service, sizeof out->service, "%s", view->service);
    out->model = MODEL_KIND_FIXED;
    out->want_pct = view->cap_pct;
    out->reason = (uint32_t)reason;
}

uint32_t model_clamp_want(const struct service_view *view, double want_pct)
{
    if (!(want_pct > view->cap_min_pct)) {
        return view->cap_min_pct;
    }
    if (want_pct >= view->cap_max_pct) {
        return view->cap_max_pct;
    }
    return (uint32_t)ceil(want_pct - 1e-9);
}
