// SPDX-License-Identifier: Apache-2.0
#include "schedulers/response_watch.h"

#include <math.h>
#include <stddef.h>

#define TOLERANCE      0.18232155679395463 /* ln 1.2, of log CPU: so much is no deviation */
#define DEVIATION_MOST 4.0                 /* one measurement alone says no more than this */
#define ALARM_K        0.5
#define ALARM_H        10.0
#define KEPT_UP        10.0   /* of x: from here on it is only a sign for overload */
#define NEARLY         1.0001 /* of the best x of a table: reached in spite of rounding */

bool response_watch_is_far(double deviation)
{
    return fabs(log(deviation)) > TOLERANCE;
}

bool response_watch_begin(struct response_watch *watch, const struct profile_use *profile)
{
    const uint64_t revision = profile == NULL ? 0 : profile->revision;
    if (revision == watch->revision) {
        return false;
    }
    *watch = (struct response_watch){.revision = revision};
    profile_alarm_start(&watch->alarm, ALARM_K, ALARM_H);
    return true;
}

bool response_watch_covers(const struct response_measurement *seen)
{
    const struct profile_value said =
        profile_predict(seen->profile->table, seen->load / seen->vms, seen->r_pct / seen->vms,
                        &seen->profile->with);
    return !said.extrapolated && said.x * seen->profile->factor < KEPT_UP;
}

bool response_watch_learn(struct response_watch *watch, const struct response_measurement *seen,
                          double noise)
{
    const struct profile_use *profile = seen->profile;
    const double load = seen->load / seen->vms;
    const double cap_pct = seen->r_pct / seen->vms;
    const struct profile_value said =
        profile_predict(profile->table, load, cap_pct, &profile->with);
    if (said.extrapolated || watch->outdated) {
        return false;
    }
    /* Better than it ever was: as if it were the best. */
    const double most_pct = profile_most_pct(profile->table);
    const double best =
        NEARLY * profile_predict(profile->table, load, most_pct, &profile->with).x;
    const double need_pct = profile_need(
        profile->table, load, fmax(seen->x / profile->factor, best), &profile->with, most_pct);
    const double more = log(cap_pct / need_pct);
    const double far = fmin(fmax(fabs(more) - TOLERANCE, 0.0) / noise, DEVIATION_MOST);
    if (!profile_alarm_update(&watch->alarm, more < 0.0 ? -far : far)) {
        return false;
    }
    watch->outdated = true;
    watch->deviation = exp(more);
    return true;
}
