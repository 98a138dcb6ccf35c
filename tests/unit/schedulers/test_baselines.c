// SPDX-License-Identifier: Apache-2.0
/* The rules of others that ours are compared with, and their constants. */
#include <criterion/criterion.h>

#include "common/model/reason.h"
#include "schedulers/scheduler.h"
#include "tests/unit/schedulers/service_view.h"

Test(threshold, acts_up_at_once_and_down_after_five_minutes)
{
    const struct scheduler *threshold = scheduler_find("threshold");
    struct scheduler_state state = {0};
    struct service_view view = web_view();
    struct proposal out;
    view.cap_pct = 100;
    view.cpu_used_pct = 100; /* 100 / 80 %: a quarter more */
    threshold->propose(&state, &view, NULL, &out);
    cr_expect_eq(out.want_pct, 125);
    view.cap_pct = 125;
    view.cpu_used_pct = 108; /* 8 % over: within the tolerance */
    view.now_ms += 5000;
    threshold->propose(&state, &view, NULL, &out);
    cr_expect_eq(out.want_pct, 125);
    view.cpu_used_pct = 40;
    for (int i = 0; i < 59; i++) {
        view.now_ms += 5000;
        threshold->propose(&state, &view, NULL, &out);
        cr_expect_eq(out.want_pct, 125, "after %d s", 5 * (i + 1));
    }
    view.now_ms += 10000;
    threshold->propose(&state, &view, NULL, &out);
    cr_expect_eq(out.want_pct, 50);
}

Test(vpa, recommends_the_ninetieth_percentile_plus_fifteen_percent)
{
    const struct scheduler *vpa = scheduler_find("vpa");
    struct scheduler_state state = {0};
    struct service_view view = web_view();
    struct proposal out;
    view.cap_max_pct = 10000;
    view.cap_pct = 50;
    for (int i = 0; i < 100; i++) {
        view.now_ms += 60000;
        view.cpu_used_pct = i % 10 == 0 ? 190 : 100;
        vpa->propose(&state, &view, NULL, &out);
    }
    /* p90 lies in the bucket of 100 %, which ends within 5 % of it. */
    cr_expect(out.want_pct >= 115 && out.want_pct <= 122, "%u", out.want_pct);
    cr_expect_eq(out.reason, REASON_LEVEL_LOW);
    view.cap_pct = out.want_pct;
    vpa->propose(&state, &view, NULL, &out);
    cr_expect_eq(out.want_pct, view.cap_pct);
    cr_expect_eq(out.reason, REASON_NONE);
}

Test(pid, reaches_its_aim_without_a_lasting_error)
{
    struct scheduler_state state = {0};
    struct service_view view = web_view();
    struct proposal out;
    for (int i = 0; i < 60; i++) {
        view.measured = 120.0 / view.cap_pct;
        scheduler_find("pid")->propose(&state, &view, NULL, &out);
        view.cap_pct = out.want_pct;
    }
    cr_expect(view.cap_pct >= 148 && view.cap_pct <= 153, "%u", view.cap_pct);
}
