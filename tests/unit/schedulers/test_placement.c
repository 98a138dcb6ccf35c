// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <string.h>

#include "common/rng.h"
#include "schedulers/placement.h"

TestSuite(placement, .timeout = 20);

static struct placement_node node_of(uint32_t cpu_pct, uint64_t memory_kib)
{
    return (struct placement_node){.cpu_pct_free = cpu_pct,
                                   .memory_kib_free = memory_kib,
                                   .closed = REASON_NONE,
                                   .cpu_pct = cpu_pct,
                                   .memory_kib = memory_kib};
}

Test(placement, equal_nodes_are_taken_by_the_lower_index)
{
    struct placement_node nodes[] = {node_of(400, 1000), node_of(400, 1000)};
    struct placement_need need = {.cpu_pct = 100, .memory_kib = 100};
    uint32_t chosen = 0;
    cr_assert_eq(placement_choose(nodes, 2, &need, 1, NULL, &chosen), 0);
    cr_assert_eq(chosen, 0);
    cr_assert_eq(nodes[0].cpu_pct_free, 300);
    cr_assert_eq(nodes[0].memory_kib_free, 900);
    cr_assert_eq(nodes[1].cpu_pct_free, 400);
}

Test(placement, need_goes_where_what_it_wants_is_most_plentiful)
{
    struct placement_node nodes[] = {node_of(400, 1000), node_of(400, 1000)};
    nodes[0].cpu_pct_free = 150; /* much memory, little CPU */
    nodes[1].memory_kib_free = 300;
    struct placement_need hungry[] = {{.cpu_pct = 120, .memory_kib = 50},
                                      {.cpu_pct = 10, .memory_kib = 250}};
    uint32_t chosen[2] = {0};
    cr_assert_eq(placement_choose(nodes, 2, hungry, 2, NULL, chosen), 0);
    cr_assert_eq(chosen[0], 1);
    cr_assert_eq(chosen[1], 0);
}

Test(placement, largest_need_is_placed_first_whatever_its_order)
{
    struct placement_node nodes[] = {node_of(400, 1000)};
    struct placement_need needs[] = {{.cpu_pct = 100, .memory_kib = 10},
                                     {.cpu_pct = 400, .memory_kib = 10}};
    uint32_t chosen[2] = {0};
    cr_assert_eq(placement_choose(nodes, 1, needs, 2, NULL, chosen), 1);
    cr_assert_eq(chosen[0], PLACEMENT_NONE);
    cr_assert_eq(chosen[1], 0);
}

Test(placement, spread_group_never_shares_a_node)
{
    struct placement_node nodes[] = {node_of(800, 1000), node_of(100, 1000),
                                     node_of(100, 1000)};
    struct placement_need needs[4];
    for (int i = 0; i < 4; i++) {
        needs[i] = (struct placement_need){.cpu_pct = 10, .memory_kib = 10, .spread_group = 2};
    }
    uint8_t occupied[2 * 3] = {0};
    uint32_t chosen[4] = {0};
    cr_assert_eq(placement_choose(nodes, 3, needs, 4, occupied, chosen), 1);
    cr_assert_neq(chosen[0], chosen[1]);
    cr_assert_neq(chosen[1], chosen[2]);
    cr_assert_neq(chosen[0], chosen[2]);
    cr_assert_eq(chosen[3], PLACEMENT_NONE);
    uint8_t expected[2 * 3] = {0, 0, 0, 1, 1, 1};
    cr_assert_eq(memcmp(occupied, expected, sizeof expected), 0);
}

Test(placement, closed_nodes_and_closed_pairs_are_left_out)
{
    struct placement_node nodes[] = {node_of(800, 1000), node_of(800, 1000), node_of(100, 500)};
    nodes[0].closed = REASON_CORDONED;
    uint8_t closed[] = {REASON_NONE, REASON_NO_STORAGE, REASON_NONE};
    struct placement_need need = {.cpu_pct = 10, .memory_kib = 10, .closed = closed};
    uint32_t chosen = 0;
    cr_assert_eq(placement_choose(nodes, 3, &need, 1, NULL, &chosen), 0);
    cr_assert_eq(chosen, 2);
}

Test(placement, why_not_says_the_reason_and_the_numbers)
{
    struct placement_node node = node_of(100, 1000);
    uint8_t closed[] = {REASON_NO_SELF_FENCE};
    uint8_t occupied[] = {1};
    uint64_t needed = 0;
    uint64_t available = 0;
    struct placement_need need = {.cpu_pct = 150, .memory_kib = 2000};
    cr_assert_eq(placement_why_not(&node, 0, &need, NULL, &needed, &available), REASON_NO_CPU);
    cr_assert_eq(needed, 150);
    cr_assert_eq(available, 100);
    need.cpu_pct = 50;
    cr_assert_eq(placement_why_not(&node, 0, &need, NULL, &needed, &available),
                 REASON_NO_MEMORY);
    cr_assert_eq(needed, 2000);
    cr_assert_eq(available, 1000);
    need.memory_kib = 10;
    cr_assert_eq(placement_why_not(&node, 0, &need, occupied, &needed, &available),
                 REASON_NONE);
    need.spread_group = 1;
    cr_assert_eq(placement_why_not(&node, 0, &need, occupied, &needed, &available),
                 REASON_SPREAD);
    need.closed = closed;
    cr_assert_eq(placement_why_not(&node, 0, &need, occupied, &needed, &available),
                 REASON_NO_SELF_FENCE);
    node.closed = REASON_NODE_DOWN;
    cr_assert_eq(placement_why_not(&node, 0, &need, occupied, &needed, &available),
                 REASON_NODE_DOWN);
}

Test(placement, no_nodes_and_no_needs_are_fine)
{
    struct placement_need need = {.cpu_pct = 1, .memory_kib = 1};
    uint32_t chosen = 0;
    struct placement_node none = node_of(0, 0);
    cr_assert_eq(placement_choose(&none, 0, &need, 1, NULL, &chosen), 1);
    cr_assert_eq(chosen, PLACEMENT_NONE);
    cr_assert_eq(placement_choose(&none, 1, &need, 0, NULL, &chosen), 0);
    cr_assert_eq(placement_choose(&none, 1, &need, 1, NULL, &chosen), 1);
}

/* Random clusters: nothing overcommitted, nothing on a closed node, nothing refused that still
 * fits, and the same answer twice. */
Test(placement, never_exceeds_a_node_and_never_gives_up_too_early)
{
    struct rng rng;
    rng_init(&rng, 7);
    for (int round = 0; round < 500; round++) {
        struct placement_node nodes[12];
        struct placement_node again[12];
        struct placement_need needs[40];
        uint32_t chosen[40];
        uint32_t second[40];
        uint32_t nodes_count = (uint32_t)rng_below(&rng, 12) + 1;
        uint32_t needs_count = (uint32_t)rng_below(&rng, 40) + 1;
        for (uint32_t i = 0; i < nodes_count; i++) {
            nodes[i] = node_of((uint32_t)rng_below(&rng, 1600), rng_below(&rng, 64u << 20));
            nodes[i].closed = rng_below(&rng, 8) == 0 ? REASON_CORDONED : REASON_NONE;
        }
        memcpy(again, nodes, sizeof nodes);
        for (uint32_t i = 0; i < needs_count; i++) {
            needs[i] = (struct placement_need){.cpu_pct = (uint32_t)rng_below(&rng, 400),
                                               .memory_kib = rng_below(&rng, 16u << 20)};
        }
        uint32_t without =
            placement_choose(nodes, nodes_count, needs, needs_count, NULL, chosen);
        cr_assert_eq(placement_choose(again, nodes_count, needs, needs_count, NULL, second),
                     without);
        cr_assert_eq(memcmp(chosen, second, needs_count * sizeof *chosen), 0);
        uint64_t cpu[12] = {0};
        uint64_t memory[12] = {0};
        uint32_t unplaced = 0;
        for (uint32_t i = 0; i < needs_count; i++) {
            if (chosen[i] == PLACEMENT_NONE) {
                unplaced++;
                for (uint32_t k = 0; k < nodes_count; k++) {
                    uint64_t needed = 0;
                    uint64_t available = 0;
                    cr_assert_neq(
                        placement_why_not(&nodes[k], k, &needs[i], NULL, &needed, &available),
                        REASON_NONE);
                }
                continue;
            }
            cr_assert_lt(chosen[i], nodes_count);
            cr_assert_eq(nodes[chosen[i]].closed, REASON_NONE);
            cpu[chosen[i]] += needs[i].cpu_pct;
            memory[chosen[i]] += needs[i].memory_kib;
        }
        cr_assert_eq(unplaced, without);
        for (uint32_t k = 0; k < nodes_count; k++) {
            cr_assert_leq(cpu[k], nodes[k].cpu_pct);
            cr_assert_leq(memory[k], nodes[k].memory_kib);
            cr_assert_eq(nodes[k].cpu_pct_free, nodes[k].cpu_pct - cpu[k]);
        }
    }
}

Test(placement, a_vm_whose_floor_is_known_goes_where_floors_leave_room_for_it)
{
    struct placement_node nodes[] = {node_of(400, 1000), node_of(400, 1000),
                                     node_of(400, 1000)};
    nodes[0].slack_pct = 60; /* most is free of minimums, but not of floors */
    nodes[1].cpu_pct_free = 100;
    nodes[1].slack_pct = 90;
    nodes[2].slack_pct = -20;
    struct placement_need need = {.cpu_pct = 10, .floor_pct = 80, .memory_kib = 100};
    uint32_t chosen = 0;
    cr_assert_eq(placement_choose(nodes, 3, &need, 1, NULL, &chosen), 0);
    cr_expect_eq(chosen, 1);
    cr_expect_eq(nodes[1].slack_pct, 10);
    cr_expect_eq(nodes[1].cpu_pct_free, 90);
    /* None can hold it now: the one that lacks least. */
    cr_assert_eq(placement_choose(nodes, 3, &need, 1, NULL, &chosen), 0);
    cr_expect_eq(chosen, 0);
    /* An unknown floor changes nothing about the order. */
    need.floor_pct = 0;
    cr_assert_eq(placement_choose(nodes, 3, &need, 1, NULL, &chosen), 0);
    cr_expect_eq(chosen, 2);
}

Test(placement, the_vm_with_the_highest_floor_is_placed_first)
{
    struct placement_node nodes[] = {node_of(200, 1000), node_of(200, 1000)};
    nodes[0].slack_pct = 100;
    nodes[1].slack_pct = 60;
    struct placement_need needs[] = {{.cpu_pct = 10, .floor_pct = 55, .memory_kib = 10},
                                     {.cpu_pct = 10, .floor_pct = 95, .memory_kib = 10}};
    uint32_t chosen[2] = {0};
    cr_assert_eq(placement_choose(nodes, 2, needs, 2, NULL, chosen), 0);
    cr_expect_eq(chosen[1], 0);
    cr_expect_eq(chosen[0], 1);
}
