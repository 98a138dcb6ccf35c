// SPDX-License-Identifier: Apache-2.0
#include "schedulers/profile.h"

#include <errno.h>
#include <math.h>
#include <string.h>

/* ---- from points to curves ---- */

static int compare_resources(const struct profile_resources *one,
                             const struct profile_resources *other)
{
    /* No limit of I/O is the most. */
    const uint64_t one_io = one->io_kib_s - 1;
    const uint64_t other_io = other->io_kib_s - 1;
    if (one->vcpus != other->vcpus) {
        return one->vcpus < other->vcpus ? -1 : 1;
    }
    if (one->memory_kib != other->memory_kib) {
        return one->memory_kib < other->memory_kib ? -1 : 1;
    }
    return one_io == other_io ? 0 : one_io < other_io ? -1 : 1;
}

static struct profile_resources resources_of(const struct profile_point *point)
{
    return (struct profile_resources){
        .vcpus = point->vcpus, .memory_kib = point->memory_kib, .io_kib_s = point->io_kib_s};
}

static bool is_before(const struct profile_point *one, const struct profile_point *other)
{
    const struct profile_resources one_has = resources_of(one);
    const struct profile_resources other_has = resources_of(other);
    const int by_resources = compare_resources(&one_has, &other_has);
    if (by_resources != 0) {
        return by_resources < 0;
    }
    if (one->load < other->load || one->load > other->load) {
        return one->load < other->load;
    }
    return one->cap_pct != other->cap_pct ? one->cap_pct < other->cap_pct : one->x < other->x;
}

/* Insertion: there are few, and qsort() takes memory from the heap. */
static void sort_points(struct profile_point *points, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        const struct profile_point moved = points[i];
        uint32_t at = i;
        for (; at > 0 && is_before(&moved, &points[at - 1]); at--) {
            points[at] = points[at - 1];
        }
        points[at] = moved;
    }
}

static bool same_curve(const struct profile_curve *curve, const struct profile_point *point)
{
    const struct profile_resources with = resources_of(point);
    return compare_resources(&curve->with, &with) == 0 && !(curve->load < point->load) &&
           !(curve->load > point->load);
}

/* Of sorted points, the later first. */
static bool is_same_setting(const struct profile_point *later,
                            const struct profile_point *earlier)
{
    const struct profile_resources later_has = resources_of(later);
    const struct profile_resources earlier_has = resources_of(earlier);
    return later->cap_pct == earlier->cap_pct && !(later->load > earlier->load) &&
           compare_resources(&later_has, &earlier_has) == 0;
}

static bool is_right(const struct profile_point *point)
{
    return isfinite(point->load) && point->load >= 0.0 && point->cap_pct > 0 &&
           point->x > 0.0; /* INFINITY is right, NAN is not */
}

/* Appends points [i, end) of one setting; a new curve where it is the first of its load. */
static void add_setting(struct profile_table *profile, const struct profile_point *points,
                        uint32_t i, uint32_t end)
{
    double speeds = 0.0;
    for (uint32_t k = i; k < end; k++) {
        speeds += 1.0 / points[k].x;
    }
    if (profile->curves_count == 0 ||
        !same_curve(&profile->curves[profile->curves_count - 1], &points[i])) {
        profile->curves[profile->curves_count++] =
            (struct profile_curve){.load = points[i].load,
                                   .with = resources_of(&points[i]),
                                   .first = profile->points_count};
    }
    struct profile_curve *last = &profile->curves[profile->curves_count - 1];
    last->count++;
    profile->caps_pct[profile->points_count] = points[i].cap_pct;
    profile->speeds[profile->points_count] = speeds / (end - i);
    profile->points_count++;
}

/* ---- PCHIP ---- */

/* Slope at an end from its two intervals, the outer first, so that the curve keeps its
 * direction. */
static double end_slope(const double widths[2], const double rises[2])
{
    const double slope = ((2.0 * widths[0] + widths[1]) * rises[0] - widths[0] * rises[1]) /
                         (widths[0] + widths[1]);
    if (slope * rises[0] <= 0.0) {
        return 0.0;
    }
    return rises[0] * rises[1] < 0.0 && fabs(slope) > 3.0 * fabs(rises[0]) ? 3.0 * rises[0]
                                                                           : slope;
}

static void fill_slopes(const double *caps, const double *speeds, double *slopes,
                        uint32_t count)
{
    if (count < 3) {
        for (uint32_t i = 0; i < count; i++) {
            slopes[i] = count < 2 ? 0.0 : (speeds[1] - speeds[0]) / (caps[1] - caps[0]);
        }
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t left = i == 0 ? 0 : i == count - 1 ? count - 3 : i - 1;
        const double width = caps[left + 1] - caps[left];
        const double next_width = caps[left + 2] - caps[left + 1];
        const double rise = (speeds[left + 1] - speeds[left]) / width;
        const double next_rise = (speeds[left + 2] - speeds[left + 1]) / next_width;
        if (i == 0) {
            slopes[i] = end_slope((const double[2]){width, next_width},
                                  (const double[2]){rise, next_rise});
        } else if (i == count - 1) {
            slopes[i] = end_slope((const double[2]){next_width, width},
                                  (const double[2]){next_rise, rise});
        } else if (rise * next_rise <= 0.0) {
            slopes[i] = 0.0;
        } else {
            const double before = 2.0 * next_width + width;
            const double behind = next_width + 2.0 * width;
            slopes[i] = (before + behind) / (before / rise + behind / next_rise);
        }
    }
}

static void finish_curve(struct profile_table *profile, const struct profile_curve *curve)
{
    double *speeds = &profile->speeds[curve->first];
    for (uint32_t i = 1; i < curve->count; i++) {
        speeds[i] = fmax(speeds[i], speeds[i - 1]); /* more CPU never slows it down */
    }
    fill_slopes(&profile->caps_pct[curve->first], speeds, &profile->slopes[curve->first],
                curve->count);
}

int profile_init(struct profile_table *out, const struct profile_point *points, uint32_t count,
                 struct err *err)
{
    struct profile_point sorted[PROFILE_POINTS_MAX];
    struct profile_table profile = {0};
    if (count == 0 || count > PROFILE_POINTS_MAX) {
        return err_set(err, count == 0 ? -EINVAL : -ENOSPC, "%u points: expected 1 to %d",
                       count, PROFILE_POINTS_MAX);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!is_right(&points[i])) {
            return err_set(err, -EINVAL,
                           "point %u: expected a load of at least 0, a cap and x above 0", i);
        }
    }
    memcpy(sorted, points, count * sizeof *sorted);
    sort_points(sorted, count);
    for (uint32_t i = 0; i < count;) {
        uint32_t end = i + 1;
        while (end < count && is_same_setting(&sorted[end], &sorted[i])) {
            end++;
        }
        add_setting(&profile, sorted, i, end);
        i = end;
    }
    for (uint32_t i = 0; i < profile.curves_count; i++) {
        finish_curve(&profile, &profile.curves[i]);
    }
    *out = profile;
    return 0;
}

/* ---- reading ---- */

/* 1/x below the first cap of a curve. */
static double speed_below(const double *caps, const double *speeds, const double *slopes,
                          double cap_pct)
{
    const double along = speeds[0] - slopes[0] * (caps[0] - cap_pct);
    return fmax(fmin(along, speeds[0] * cap_pct / caps[0]), 0.0);
}

/* 1/x on one curve. */
static double curve_speed(const struct profile_table *profile,
                          const struct profile_curve *curve, double cap_pct, bool *outside)
{
    const double *caps = &profile->caps_pct[curve->first];
    const double *speeds = &profile->speeds[curve->first];
    const double *slopes = &profile->slopes[curve->first];
    const uint32_t last = curve->count - 1;
    if (!(cap_pct > caps[0]) || cap_pct >= caps[last]) {
        *outside = *outside || cap_pct < caps[0] || cap_pct > caps[last];
        return cap_pct > caps[0] ? speeds[last] : speed_below(caps, speeds, slopes, cap_pct);
    }
    uint32_t i = 0;
    while (cap_pct > caps[i + 1]) {
        i++;
    }
    const double width = caps[i + 1] - caps[i];
    const double t = (cap_pct - caps[i]) / width;
    const double s = 1.0 - t;
    return s * s * (1.0 + 2.0 * t) * speeds[i] + t * t * (1.0 + 2.0 * s) * speeds[i + 1] +
           width * t * s * (s * slopes[i] - t * slopes[i + 1]);
}

static bool has_enough(const struct profile_resources *given,
                       const struct profile_resources *measured)
{
    return measured->vcpus <= given->vcpus && measured->memory_kib <= given->memory_kib &&
           (given->io_kib_s == 0 ||
            (measured->io_kib_s != 0 && measured->io_kib_s <= given->io_kib_s));
}

/* 1/x of all curves [first, end) at a cap, falling with the load. A curve that ends below the
 * cap is at least as fast as one of more load; beyond[i]: that is all that is known of it. */
static void curve_speeds(const struct profile_table *profile, const uint32_t range[2],
                         double cap_pct, double speeds[PROFILE_CURVES_MAX],
                         bool beyond[PROFILE_CURVES_MAX])
{
    const uint32_t count = range[1] - range[0];
    for (uint32_t i = count; i-- > 0;) {
        const struct profile_curve *curve = &profile->curves[range[0] + i];
        const double last_cap = profile->caps_pct[curve->first + curve->count - 1];
        beyond[i] = false;
        speeds[i] = curve_speed(profile, curve, cap_pct, &beyond[i]);
        if (cap_pct > last_cap && i + 1 < count && speeds[i + 1] > speeds[i]) {
            speeds[i] = speeds[i + 1];
            beyond[i] = beyond[i + 1];
        }
    }
    for (uint32_t i = 1; i < count; i++) {
        speeds[i] = fmin(speeds[i], speeds[i - 1]); /* more load never speeds it up */
    }
}

/* 1/x at a load among the curves [first, end) of one set of resources. */
static double loads_speed(const struct profile_table *profile, const uint32_t range[2],
                          double load, double cap_pct, bool *outside)
{
    const struct profile_curve *curves = &profile->curves[range[0]];
    const uint32_t count = range[1] - range[0];
    const double highest = curves[count - 1].load;
    double speeds[PROFILE_CURVES_MAX];
    bool beyond[PROFILE_CURVES_MAX];
    cap_pct *= load > highest ? highest / load : 1.0;
    curve_speeds(profile, range, cap_pct, speeds, beyond);
    *outside = *outside || load < curves[0].load || load > highest;
    uint32_t i = 0;
    while (i + 1 < count && load > curves[i].load) {
        i++;
    }
    *outside = *outside || beyond[i];
    if (i == 0 || !(load < curves[i].load)) {
        return speeds[i];
    }
    *outside = *outside || beyond[i - 1];
    const double part = (load - curves[i - 1].load) / (curves[i].load - curves[i - 1].load);
    return speeds[i - 1] + part * (speeds[i] - speeds[i - 1]);
}

/* The end of the curves that have the resources of curve i. */
static uint32_t end_of_set(const struct profile_table *profile, uint32_t i)
{
    uint32_t end = i + 1;
    while (end < profile->curves_count &&
           compare_resources(&profile->curves[end].with, &profile->curves[i].with) == 0) {
        end++;
    }
    return end;
}

/* Which sets count depends on the load and the resources only, never on the cap, and with more
 * load there are fewer of them: so x stays monotone in both. */
struct profile_value profile_predict(const struct profile_table *profile, double load,
                                     double cap_pct, const struct profile_resources *with)
{
    struct profile_value best = {.x = HUGE_VAL, .extrapolated = true};
    double most_load = -1.0;
    for (uint32_t i = 0; i < profile->curves_count; i++) {
        if (has_enough(with, &profile->curves[i].with)) {
            most_load = fmax(most_load, profile->curves[i].load);
        }
    }
    const bool has_set = most_load >= 0.0;
    for (uint32_t i = 0; i < profile->curves_count; i = end_of_set(profile, i)) {
        const uint32_t range[2] = {i, end_of_set(profile, i)};
        const double highest = profile->curves[range[1] - 1].load;
        /* Without a set that is small enough the smallest stands, flagged. */
        const bool counts = has_set ? has_enough(with, &profile->curves[i].with) &&
                                          highest >= fmin(load, most_load)
                                    : i == 0;
        bool outside = !has_set;
        const double speed =
            counts ? loads_speed(profile, range, load, cap_pct, &outside) : -1.0;
        const double x = speed > 0.0 ? 1.0 / speed : HUGE_VAL;
        if (counts && (x < best.x || (best.extrapolated && !outside && !(x > best.x)))) {
            best = (struct profile_value){.x = x, .extrapolated = outside};
        }
    }
    return best;
}

double profile_need(const struct profile_table *profile, double load, double x,
                    const struct profile_resources *with, double most_pct)
{
    double low = 0.0;
    double high = most_pct;
    if (!(profile_predict(profile, load, high, with).x <= x)) {
        return HUGE_VAL;
    }
    /* 1/x does not fall with the cap; 60 halvings leave less than a double can tell. */
    for (int i = 0; i < 60; i++) {
        const double middle = 0.5 * (low + high);
        *(profile_predict(profile, load, middle, with).x <= x ? &high : &low) = middle;
    }
    return high;
}

/* Which percentile the target is of; 0: the mean. */
static int statistic_of(const struct response_time *time)
{
    return time->p95_ms > 0 ? 95 : time->p50_ms > 0 ? 50 : 0;
}

double profile_factor(const struct profile *profile, const struct response_time *target)
{
    const uint32_t measured_ms = response_time_target_ms(&profile->response_time);
    const uint32_t wanted_ms = response_time_target_ms(target);
    if (statistic_of(&profile->response_time) != statistic_of(target) || measured_ms == 0 ||
        wanted_ms == 0) {
        return (double)NAN;
    }
    return (double)measured_ms / wanted_ms;
}

double profile_most_pct(const struct profile_table *profile)
{
    double most_pct = 0.0;
    for (uint32_t i = 0; i < profile->points_count; i++) {
        most_pct = fmax(most_pct, profile->caps_pct[i]);
    }
    return most_pct;
}
