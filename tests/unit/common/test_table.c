// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "common/rng.h"
#include "common/table.h"

TestSuite(table, .timeout = 20);

struct thing {
    uint32_t before;
    char name[32];
    uint64_t value;
};

static void init(struct table *table, uint32_t capacity)
{
    cr_assert_eq(
        table_init(table, capacity, sizeof(struct thing), offsetof(struct thing, name)), 0);
}

Test(table, added_record_is_zeroed_named_and_found)
{
    struct table table;
    init(&table, 4);
    struct thing *thing = table_add(&table, "one");
    cr_assert_not_null(thing);
    cr_assert_str_eq(thing->name, "one");
    cr_assert_eq(thing->value, 0);
    cr_assert_eq(table_find(&table, "one"), thing);
    cr_assert_null(table_find(&table, "two"));
    cr_assert_eq(table_at(&table, table_slot(&table, thing)), thing);
    table_finish(&table);
}

Test(table, taken_name_and_full_table_are_refused)
{
    struct table table;
    init(&table, 2);
    cr_assert_not_null(table_add(&table, "one"));
    cr_assert_null(table_add(&table, "one"));
    cr_assert_not_null(table_add(&table, "two"));
    cr_assert_null(table_add(&table, "three"));
    cr_assert_eq(table.count, 2);
    table_remove(&table, table_find(&table, "one"));
    cr_assert_not_null(table_add(&table, "three"));
    table_finish(&table);
}

Test(table, reused_slot_is_zeroed_and_records_do_not_move)
{
    struct table table;
    init(&table, 4);
    struct thing *one = table_add(&table, "one");
    struct thing *two = table_add(&table, "two");
    one->value = 1;
    two->value = 2;
    table_remove(&table, one);
    cr_assert_null(table_at(&table, 0));
    struct thing *three = table_add(&table, "three");
    cr_assert_eq(three, one);
    cr_assert_eq(three->value, 0);
    cr_assert_eq(table_find(&table, "two"), two);
    cr_assert_eq(two->value, 2);
    table_finish(&table);
}

Test(table, next_visits_all_in_slot_order_and_only_them)
{
    struct table table;
    init(&table, 8);
    static const char *const names[] = {"d", "a", "c", "b"};
    for (size_t i = 0; i < 4; i++) {
        cr_assert_not_null(table_add(&table, names[i]));
    }
    table_remove(&table, table_find(&table, "a"));
    const char *expected[] = {"d", "c", "b"};
    uint32_t seen = 0;
    const struct thing *thing = NULL;
    for (uint32_t i = 0; (thing = table_next(&table, &i)) != NULL;) {
        cr_assert_str_eq(thing->name, expected[seen]);
        seen++;
    }
    cr_assert_eq(seen, 3);
    table_finish(&table);
}

Test(table, finish_twice_is_fine)
{
    struct table table;
    init(&table, 2);
    table_finish(&table);
    table_finish(&table);
}

/* Against a plain array: after any history each name is found exactly when it is in. */
Test(table, random_histories_agree_with_a_plain_array)
{
    enum { NAMES = 300, CAPACITY = 200 };
    struct rng rng;
    rng_init(&rng, 11);
    struct table table;
    init(&table, CAPACITY);
    static bool in[NAMES];
    static uint64_t value[NAMES];
    uint32_t count = 0;
    for (int step = 0; step < 50000; step++) {
        uint32_t i = (uint32_t)rng_below(&rng, NAMES);
        char name[32];
        (void)snprintf(name, sizeof name, "name-%u", i);
        struct thing *thing = table_find(&table, name);
        cr_assert_eq(thing != NULL, in[i]);
        if (thing != NULL) {
            cr_assert_eq(thing->value, value[i]);
            table_remove(&table, thing);
            in[i] = false;
            count--;
        } else if (count < CAPACITY) {
            thing = table_add(&table, name);
            cr_assert_not_null(thing);
            value[i] = rng_next(&rng);
            thing->value = value[i];
            in[i] = true;
            count++;
        } else {
            cr_assert_null(table_add(&table, name));
        }
        cr_assert_eq(table.count, count);
    }
    table_finish(&table);
}
