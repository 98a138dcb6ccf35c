// SPDX-License-Identifier: Apache-2.0
#include "schedulers/profile_points.h"

#include <math.h>
#include <stdbool.h>

#define SAME_LOAD 0.1  /* of the load: nearly the same */
#define SAME_CAP  0.02 /* of the cap */
#define COUNT_MAX 20

static bool is_near(double one, double other, double part)
{
    return fabs(one - other) <= part * fmax(one, other);
}

static bool is_same(const struct profile_point *one, const struct profile_point *other)
{
    return one->vcpus == other->vcpus && one->memory_kib == other->memory_kib &&
           one->io_kib_s == other->io_kib_s && is_near(one->load, other->load, SAME_LOAD) &&
           is_near(one->cap_pct, other->cap_pct, SAME_CAP);
}

void profile_points_add(struct profile_points *points, const struct profile_point *seen,
                        int64_t now_ms)
{
    uint32_t oldest = 0;
    for (uint32_t i = 0; i < points->count; i++) {
        struct profile_learnt *item = &points->items[i];
        if (is_same(&item->point, seen)) {
            item->count += item->count < COUNT_MAX;
            const double part = 1.0 / item->count;
            const double speed = 1.0 / item->point.x;
            item->point.x = 1.0 / (speed + part * (1.0 / seen->x - speed));
            item->point.load += part * (seen->load - item->point.load);
            item->at_ms = now_ms;
            return;
        }
        oldest = item->at_ms < points->items[oldest].at_ms ? i : oldest;
    }
    const uint32_t at = points->count < PROFILE_LEARNT_MAX ? points->count++ : oldest;
    points->items[at] = (struct profile_learnt){.point = *seen, .count = 1, .at_ms = now_ms};
}
