// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <math.h>

#include "orchestrator/core/metrics_view.h"
#include "tests/unit/orchestrator-core/desk.h"

TestSuite(metrics_view, .timeout = 60);

static struct metrics_service services[4];
static struct metrics_node nodes[4];
static struct metrics_vm vms[8];
static struct metrics_view view = {.services = services, .nodes = nodes, .vms = vms};

static void look(struct desk *desk, struct metrics_rows room)
{
    cluster_metrics_view(desk->cluster, &room, desk->now_ms, &view);
}

Test(metrics_view, has_a_row_for_each_node_service_and_vm)
{
    struct desk *desk = desk_with_shop();
    struct metrics_rows rows;
    cluster_metrics_rows(desk->cluster, &rows);
    cr_assert_eq(rows.nodes, 2);
    cr_assert_eq(rows.services, 1);
    cr_assert_gt(rows.vms, 0);
    look(desk, rows);
    cr_assert_eq(view.rows.services, 1);
    cr_assert_eq(view.rows.nodes, 2);
    cr_assert_eq(view.rows.vms, rows.vms);
    cr_assert_str_eq(services[0].service, "shop");
    cr_assert_str_eq(nodes[0].node, "xen1");
    const struct vm_record *vm = desk_vm(desk, vms[0].vm);
    cr_assert_not_null(vm);
    cr_assert_str_eq(vms[0].service, "shop");
    cr_assert_str_eq(vms[0].node, vm->vm.node);
    cr_assert_float_eq(vms[0].cap, vm->vm.cap_pct / 100.0, 1e-9);
    cr_assert_float_eq(vms[0].memory_bytes, (double)vm->vm.memory_kib * 1024.0, 0.5);
    cr_assert_eq(view.cluster.nodes, 2);
    desk_free(desk);
}

Test(metrics_view, what_is_not_known_is_nan_and_never_zero)
{
    struct desk *desk = desk_with_shop();
    look(desk, (struct metrics_rows){.services = 4, .nodes = 4, .vms = 8});
    cr_assert(isnan(services[0].level));
    cr_assert(isnan(services[0].level_predicted));
    cr_assert(isnan(services[0].met));
    cr_assert(isnan(services[0].response_s));
    cr_assert(isnan(services[0].request_rate));
    cr_assert(isnan(services[0].age_s));
    cr_assert(isnan(services[0].tasks_left), "it is no queue");
    cr_assert(isnan(services[0].speed));
    cr_assert(isnan(nodes[0].cpu_used));
    cr_assert(isnan(nodes[0].memory_free_bytes));
    cr_assert(isnan(vms[0].cpu_used));
    cr_assert(isnan(vms[0].running), "no snapshot showed it");
    cr_assert_not(isnan(services[0].target_s));
    desk_free(desk);
}

Test(metrics_view, numbers_are_in_base_units)
{
    struct desk *desk = desk_with_shop();
    struct service_record *shop = desk_service(desk, "shop");
    shop->level = 0.25;
    shop->met_known = true;
    shop->met = false;
    shop->missed_ms = 90500;
    shop->measured_value = 400;
    shop->measured_at_ms = desk->now_ms - 2000;
    struct node_record *node = desk_node(desk, "xen1");
    node->lease_acknowledged = true;
    node->lease_expires_ms = desk->now_ms + 12500;
    look(desk, (struct metrics_rows){.services = 4, .nodes = 4, .vms = 8});
    cr_assert_float_eq(services[0].level, 0.25, 1e-12);
    cr_assert_float_eq(services[0].met, 0.0, 1e-12);
    cr_assert_float_eq(services[0].missed_s, 90.5, 1e-9);
    cr_assert_float_eq(services[0].response_s, 0.4, 1e-9);
    cr_assert_float_eq(services[0].age_s, 2.0, 1e-9);
    cr_assert_float_eq(nodes[0].lease_s, 12.5, 1e-9);
    cr_assert_float_eq(nodes[0].cpu_cores, node->status.cpu_pct / 100.0, 1e-9);
    cr_assert_float_eq(nodes[0].memory_bytes, (double)node->status.memory_kib * 1024.0, 0.5);
    cr_assert(isnan(nodes[1].lease_s), "its lease was never acknowledged");
    desk_free(desk);
}

Test(metrics_view, never_writes_more_rows_than_there_is_room_for)
{
    struct desk *desk = desk_with_shop();
    memset(nodes, 0x5a, sizeof nodes);
    look(desk, (struct metrics_rows){.services = 0, .nodes = 1, .vms = 0});
    cr_assert_eq(view.rows.services, 0);
    cr_assert_eq(view.rows.nodes, 1);
    cr_assert_eq(view.rows.vms, 0);
    cr_assert_eq(((const unsigned char *)&nodes[1])[0], 0x5a);
    desk_free(desk);
}
