// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>

#include "desk.h"

static struct object shop_profile(uint32_t p95_ms)
{
    struct object object = {.kind = OBJECT_KIND_PROFILE};
    struct profile *profile = &object.profile;
    profile->version = 1;
    (void)snprintf(profile->profile, sizeof profile->profile, "shop");
    profile->response_time.p95_ms = p95_ms;
    profile->points_count = 2;
    profile->points[0] = (struct profile_point){.load = 10, .cap_pct = 50, .x = 2};
    profile->points[1] = (struct profile_point){.load = 10, .cap_pct = 100, .x = 0.5};
    return object;
}

static const struct profile_record *profile_of(const struct desk *desk, const char *name)
{
    return table_find(&desk->cluster->profiles, name);
}

Test(requests_profile, belongs_to_who_wrote_it)
{
    struct desk *desk = desk_with_nodes();
    struct object profile = shop_profile(200);
    cr_assert_eq(desk_put(desk, &ALICE, &profile), REPLY_DONE, "%s", desk->reply.text);
    cr_assert_str_eq(profile_of(desk, "shop")->meta.owner, "alice");
    cr_assert_eq(profile_of(desk, "shop")->table.points_count, 2);
    profile.profile.points[0].x = 3;
    cr_assert_eq(desk_put(desk, &BOB, &profile), REPLY_DENIED);
    cr_assert_eq(profile_of(desk, "shop")->spec.points[0].x, 2);
    cr_assert_eq(desk_order(desk, &BOB, METHOD_DELETE, OBJECT_KIND_PROFILE, "shop"),
                 REPLY_NOT_FOUND);
    cr_assert_eq(desk_put(desk, &ALICE, &profile), REPLY_DONE);
    cr_assert_eq(profile_of(desk, "shop")->table.speeds[0], 1.0 / 3.0, "the table follows");
    cr_assert_eq(desk_order(desk, &ALICE, METHOD_DELETE, OBJECT_KIND_PROFILE, "shop"),
                 REPLY_DONE);
    cr_assert_null(profile_of(desk, "shop"));
    desk_free(desk);
}

Test(requests_profile, what_is_no_measurement_is_refused)
{
    struct desk *desk = desk_with_nodes();
    struct object profile = shop_profile(200);
    profile.profile.points[1].x = 0;
    cr_assert_eq(desk_put(desk, &ALICE, &profile), REPLY_INVALID);
    profile = shop_profile(200);
    profile.profile.points_count = 0;
    cr_assert_eq(desk_put(desk, &ALICE, &profile), REPLY_INVALID);
    profile = shop_profile(0);
    cr_assert_eq(desk_put(desk, &ALICE, &profile), REPLY_INVALID);
    cr_assert_null(profile_of(desk, "shop"));
    desk_free(desk);
}

Test(requests_profile, a_service_names_one_that_is_there_its_own_and_of_its_statistic)
{
    struct desk *desk = desk_with_shop();
    struct object shop = {.kind = OBJECT_KIND_SERVICE};
    shop.service = desk_service(desk, "shop")->spec;
    shop.service.objective.response_time = (struct response_time){.p95_ms = 100};
    (void)snprintf(shop.service.profile, NAME_SIZE, "shop");
    cr_assert_eq(desk_put(desk, &ALICE, &shop), REPLY_INFEASIBLE);
    cr_assert_eq(desk->reply.reason, REASON_NO_PROFILE);

    struct object profile = shop_profile(200);
    cr_assert_eq(desk_put(desk, &BOB, &profile), REPLY_DONE);
    cr_assert_eq(desk_put(desk, &ALICE, &shop), REPLY_INFEASIBLE, "it is bob's");
    cr_assert_eq(desk_order(desk, &BOB, METHOD_DELETE, OBJECT_KIND_PROFILE, "shop"),
                 REPLY_DONE);

    cr_assert_eq(desk_put(desk, &ALICE, &profile), REPLY_DONE);
    cr_assert_eq(desk_put(desk, &ALICE, &shop), REPLY_DONE, "%s", desk->reply.text);
    cr_assert_eq(desk_order(desk, &ALICE, METHOD_DELETE, OBJECT_KIND_PROFILE, "shop"),
                 REPLY_CONFLICT);
    cr_assert(desk_has_fact(desk, "service shop"));
    profile.profile.response_time = (struct response_time){.mean_ms = 200};
    cr_assert_eq(desk_put(desk, &ALICE, &profile), REPLY_CONFLICT);
    profile = shop_profile(400);
    cr_assert_eq(desk_put(desk, &ALICE, &profile), REPLY_DONE, "another target is the same");
    shop.service.objective.response_time = (struct response_time){.mean_ms = 100};
    cr_assert_eq(desk_put(desk, &ALICE, &shop), REPLY_INFEASIBLE);
    desk_free(desk);
}

Test(requests_profile, a_restart_finds_it_with_its_table)
{
    struct desk *desk = desk_with_nodes();
    struct object profile = shop_profile(200);
    cr_assert_eq(desk_put(desk, &ALICE, &profile), REPLY_DONE);
    desk_restart(desk);
    cr_assert_not_null(profile_of(desk, "shop"));
    cr_assert_eq(profile_of(desk, "shop")->table.points_count, 2);
    cr_assert_str_eq(profile_of(desk, "shop")->meta.owner, "alice");
    desk_free(desk);
}
