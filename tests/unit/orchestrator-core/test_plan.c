// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>

#include "orchestrator/core/plan_scratch.h"
#include "tests/unit/orchestrator-core/desk.h"

TestSuite(plan, .timeout = 30);

static const struct placement *row_about(const struct service_plan *plan, const char *vm,
                                         const char *node)
{
    for (uint32_t i = 0; i < plan->count; i++) {
        if ((vm == NULL || strcmp(plan->rows[i].vm, vm) == 0) &&
            (node == NULL || strcmp(plan->rows[i].node, node) == 0)) {
            return &plan->rows[i];
        }
    }
    return NULL;
}

static struct service_plan *plan_of(struct desk *desk, const struct service *given)
{
    static struct service_plan plan;
    struct service spec = *given;
    service_set_defaults(&spec);
    plan_service(desk->cluster, &spec, &plan);
    return &plan;
}

Test(plan, answer_does_not_depend_on_the_order_in_which_nodes_came)
{
    static const char *const orders[][3] = {
        {"a1", "b2", "c3"}, {"c3", "a1", "b2"}, {"b2", "c3", "a1"}};
    char first[3][NAME_SIZE];
    for (int order = 0; order < 3; order++) {
        struct desk *desk = desk_new();
        desk_add_image(desk, "debian");
        for (int i = 0; i < 3; i++) {
            desk_add_node(desk, &(struct desk_node){orders[order][i], 400, 8 * GIB,
                                                    DESK_ALL_CAPABILITIES});
        }
        struct service web = desk_web("shop", 3);
        cr_assert_eq(desk_put_service(desk, &ALICE, &web), REPLY_DONE);
        for (int i = 0; i < 3; i++) {
            char name[NAME_SIZE];
            (void)snprintf(name, sizeof name, "shop-web-%d", i + 1);
            if (order == 0) {
                memcpy(first[i], desk_vm(desk, name)->vm.node, NAME_SIZE);
            } else {
                cr_assert_str_eq(desk_vm(desk, name)->vm.node, first[i]);
            }
        }
        desk_free(desk);
    }
}

Test(plan, vms_go_where_there_is_most_room)
{
    struct desk *desk = desk_with_nodes();
    struct service web = desk_web("one", 1);
    cr_assert_eq(desk_put_service(desk, &ALICE, &web), REPLY_DONE);
    cr_assert_str_eq(desk_vm(desk, "one-web-1")->vm.node, "xen1");
    web = desk_web("two", 1);
    cr_assert_eq(desk_put_service(desk, &ALICE, &web), REPLY_DONE);
    cr_assert_str_eq(desk_vm(desk, "two-web-1")->vm.node, "xen2");
    desk_free(desk);
}

Test(plan, nodes_that_cannot_take_it_each_say_why)
{
    struct desk *desk = desk_new();
    desk_add_image(desk, "debian");
    struct object raw = {.kind = OBJECT_KIND_IMAGE};
    raw.image.format = IMAGE_FORMAT_RAW;
    (void)snprintf(raw.image.image, NAME_SIZE, "raw");
    cr_assert_eq(desk_put(desk, &ADMIN, &raw), REPLY_DONE);
    desk_add_node(desk, &(struct desk_node){"gate", 400, 8 * GIB, CAPABILITY_GATEWAY});
    desk_add_node(desk, &(struct desk_node){"down", 400, 8 * GIB, DESK_ALL_CAPABILITIES});
    desk_add_node(desk, &(struct desk_node){"closed", 400, 8 * GIB, DESK_ALL_CAPABILITIES});
    desk_add_node(desk, &(struct desk_node){"weak", 20, 8 * GIB, DESK_ALL_CAPABILITIES});
    desk_add_node(desk, &(struct desk_node){"small", 400, GIB / 2, DESK_ALL_CAPABILITIES});
    (void)membership_move(desk->cluster, desk_node(desk, "down"), NODE_STATE_SUSPECT);
    cr_assert_eq(desk_order(desk, &ADMIN, METHOD_CORDON, OBJECT_KIND_NODE, "closed"),
                 REPLY_DONE);
    struct service web = desk_web("shop", 1);
    const struct service_plan *plan = plan_of(desk, &web);
    cr_assert_not(plan->feasible);
    cr_assert_eq(row_about(plan, "shop-web-1", NULL)->reason, REASON_NO_NODE);
    cr_assert_eq(row_about(plan, "", "gate")->reason, REASON_NO_CAPABILITY);
    cr_assert_eq(row_about(plan, "", "down")->reason, REASON_NODE_DOWN);
    cr_assert_eq(row_about(plan, "", "closed")->reason, REASON_CORDONED);
    cr_assert_eq(row_about(plan, "", "weak")->reason, REASON_NO_CPU);
    cr_assert_eq(row_about(plan, "", "weak")->needed, 50);
    cr_assert_eq(row_about(plan, "", "weak")->available, 20);
    cr_assert_eq(row_about(plan, "", "small")->reason, REASON_NO_MEMORY);
    (void)snprintf(web.vms[0].image, NAME_SIZE, "raw");
    plan = plan_of(desk, &web);
    cr_assert_eq(row_about(plan, "", "weak")->reason, REASON_NO_IMAGE);
    web.vms[0].vcpus = 17;
    (void)snprintf(web.vms[0].image, NAME_SIZE, "debian");
    plan = plan_of(desk, &web);
    cr_assert_eq(row_about(plan, "", "small")->reason, REASON_NO_CAPABILITY);
    desk_free(desk);
}

Test(plan, declared_capacity_replaces_the_reported_one)
{
    struct desk *desk = desk_with_nodes();
    for (int i = 1; i <= 2; i++) {
        struct object node = {.kind = OBJECT_KIND_NODE};
        (void)snprintf(node.node.node, NAME_SIZE, "xen%d", i);
        node.node.cpu_pct = 60;
        cr_assert_eq(desk_put(desk, &ADMIN, &node), REPLY_DONE);
    }
    struct service web = desk_web("shop", 3); /* 50 each */
    const struct service_plan *plan = plan_of(desk, &web);
    cr_assert_not(plan->feasible);
    cr_assert_eq(row_about(plan, "", "xen1")->available, 10);
    web = desk_web("shop", 2);
    cr_assert(plan_of(desk, &web)->feasible);
    desk_free(desk);
}

Test(plan, running_vms_stay_and_their_rows_say_what_changes)
{
    struct desk *desk = desk_with_nodes();
    struct service web = desk_web("shop", 3);
    cr_assert_eq(desk_put_service(desk, &ALICE, &web), REPLY_DONE);
    cr_assert_eq(plan_of(desk, &web)->count, 0, "nothing to do");
    web.vms[0].count = (struct count_range){2, 2};
    web.vms[0].cpu.min_pct = 60;
    const struct service_plan *plan = plan_of(desk, &web);
    cr_assert(plan->feasible);
    cr_assert_eq(plan->count, 3);
    cr_assert(row_about(plan, "shop-web-1", NULL)->change);
    cr_assert_eq(row_about(plan, "shop-web-1", NULL)->cap_pct, 60);
    cr_assert(row_about(plan, "shop-web-3", NULL)->remove);
    cr_assert_str_eq(row_about(plan, "shop-web-1", NULL)->node,
                     desk_vm(desk, "shop-web-1")->vm.node);
    desk_free(desk);
}

Test(plan, what_goes_makes_room_for_what_comes)
{
    struct desk *desk = desk_new();
    desk_add_image(desk, "debian");
    desk_add_node(desk, &(struct desk_node){"xen1", 100, 8 * GIB, DESK_ALL_CAPABILITIES});
    struct service web = desk_web("shop", 2); /* all of its CPU */
    cr_assert_eq(desk_put_service(desk, &ALICE, &web), REPLY_DONE);
    desk_vm(desk, "shop-web-1")->ordered_generation = 1;
    desk_vm(desk, "shop-web-2")->ordered_generation = 1;
    (void)snprintf(web.vms[0].name, NAME_SIZE, "blue");
    cr_assert_eq(desk_put_service(desk, &ALICE, &web), REPLY_DONE, "%s", desk->reply.text);
    struct vm_record *blue = desk_vm(desk, "shop-blue-1");
    cr_assert_eq(blue->vm.phase, VM_PHASE_WAITING);
    cr_assert_eq(blue->vm.waiting_reason, REASON_NO_CPU);
    cr_assert_eq(desk->cluster->vms_waiting, 2);
    effects_clear(desk->effects);
    cluster_vm_gone(desk->cluster, desk_vm(desk, "shop-web-1"), desk->effects);
    plan_waiting(desk->cluster, desk->effects);
    cr_assert_eq(desk->cluster->vms_waiting, 1);
    cluster_vm_gone(desk->cluster, desk_vm(desk, "shop-web-2"), desk->effects);
    plan_waiting(desk->cluster, desk->effects);
    cr_assert_eq(desk->cluster->vms_waiting, 0);
    cr_assert_str_eq(blue->vm.node, "xen1");
    cr_assert_eq(blue->vm.phase, VM_PHASE_ASSIGNED);
    desk_free(desk);
}

Test(plan, waiting_vm_is_told_once_per_reason)
{
    struct desk *desk = desk_with_nodes();
    struct service web = desk_web("shop", 1);
    cr_assert_eq(desk_put_service(desk, &ALICE, &web), REPLY_DONE);
    struct vm_record *vm = desk_vm(desk, "shop-web-1");
    vm->vm.phase = VM_PHASE_WAITING;
    vm->vm.node[0] = '\0';
    vm->vm.waiting_reason = REASON_NO_NODE;
    effects_clear(desk->effects);
    emit_vm(desk->cluster, vm, desk->effects);
    desk_node(desk, "xen1")->spec.cordoned = true;
    desk_node(desk, "xen2")->spec.cpu_pct = 30;
    for (int i = 0; i < 3; i++) {
        effects_clear(desk->effects);
        plan_waiting(desk->cluster, desk->effects);
        desk_perform(desk);
    }
    cr_assert_eq(desk_told(desk, EVENT_KIND_VM_WAITING, "shop-web-1"), 1);
    cr_assert_eq(desk_told(desk, EVENT_KIND_VM_WAITING,
                           "closest is xen2: 0.30 CPU free, 0.50 needed (0.20 short)"),
                 1);
    cr_assert_eq(vm->vm.waiting_reason, REASON_NO_CPU);
    desk_node(desk, "xen2")->spec.cpu_pct = 0;
    effects_clear(desk->effects);
    plan_waiting(desk->cluster, desk->effects);
    desk_perform(desk);
    cr_assert_str_eq(vm->vm.node, "xen2");
    cr_assert_eq(vm->vm.generation, 2);
    desk_free(desk);
}

Test(plan, tick_tries_again_for_vms_that_wait)
{
    struct desk *desk = desk_with_nodes();
    struct service web = desk_web("shop", 1);
    cr_assert_eq(desk_put_service(desk, &ALICE, &web), REPLY_DONE);
    struct vm_record *vm = desk_vm(desk, "shop-web-1");
    vm->vm.phase = VM_PHASE_WAITING;
    vm->vm.node[0] = '\0';
    effects_clear(desk->effects);
    emit_vm(desk->cluster, vm, desk->effects);
    cr_assert_leq(cluster_deadline_ms(desk->cluster), desk->now_ms + 1000);
    desk->now_ms += 1000;
    struct cluster_event tick = {.type = CLUSTER_EVENT_TICK};
    desk_node(desk, "xen1")->spec.cordoned = true;
    desk_node(desk, "xen2")->spec.cordoned = true;
    desk_step(desk, &tick);
    cr_assert_eq(vm->vm.phase, VM_PHASE_WAITING);
    cr_assert_gt(cluster_deadline_ms(desk->cluster), desk->now_ms, "no spinning");
    desk_node(desk, "xen1")->spec.cordoned = false;
    desk->now_ms += 1000;
    desk_step(desk, &tick);
    cr_assert_eq(vm->vm.phase, VM_PHASE_ASSIGNED);
    desk_free(desk);
}

Test(plan, another_node_is_never_the_present_one_nor_one_of_its_group)
{
    struct desk *desk = desk_with_nodes();
    struct service web = desk_web("shop", 2);
    web.vms[0].spread = true;
    cr_assert_eq(desk_put_service(desk, &ALICE, &web), REPLY_DONE);
    enum reason why = REASON_NONE;
    cr_assert_null(plan_node_for(desk->cluster, desk_vm(desk, "shop-web-1"), &why));
    cr_assert_eq(why, REASON_SPREAD);
    desk_add_node(desk, &(struct desk_node){"xen3", 400, 8 * GIB, DESK_ALL_CAPABILITIES});
    const struct node_record *node =
        plan_node_for(desk->cluster, desk_vm(desk, "shop-web-1"), &why);
    cr_assert_not_null(node);
    cr_assert_str_eq(node->spec.node, "xen3");
    desk_free(desk);
}

Test(plan, local_disk_pins_a_vm_that_was_somewhere)
{
    struct desk *desk = desk_with_nodes();
    struct object disks = {.kind = OBJECT_KIND_STORAGE};
    (void)snprintf(disks.storage.storage, NAME_SIZE, "disks");
    (void)snprintf(disks.storage.path, PATH_SIZE, "/srv/disks");
    disks.storage.nodes_count = 2;
    (void)snprintf(disks.storage.nodes[0], NAME_SIZE, "xen1");
    (void)snprintf(disks.storage.nodes[1], NAME_SIZE, "xen2");
    cr_assert_eq(desk_put(desk, &ADMIN, &disks), REPLY_DONE);
    struct service web = desk_web("shop", 1);
    web.vms[0].has_disk = true;
    web.vms[0].disk.kind = DISK_KIND_LOCAL;
    (void)snprintf(web.vms[0].disk.storage, NAME_SIZE, "disks");
    cr_assert_eq(desk_put_service(desk, &ALICE, &web), REPLY_DONE);
    enum reason why = REASON_NONE;
    cr_assert_null(plan_node_for(desk->cluster, desk_vm(desk, "shop-web-1"), &why));
    cr_assert_eq(why, REASON_DISK_PINNED);
    desk_free(desk);
}

Test(plan, two_services_whose_names_run_together_get_different_vms)
{
    struct desk *desk = desk_with_nodes();
    struct service one = desk_web("a-b", 1);
    struct service two = desk_web("a", 1);
    (void)snprintf(one.vms[0].name, NAME_SIZE, "c");
    (void)snprintf(two.vms[0].name, NAME_SIZE, "b-c");
    cr_assert_eq(desk_put_service(desk, &ALICE, &one), REPLY_DONE);
    cr_assert_eq(desk_put_service(desk, &ALICE, &two), REPLY_DONE, "%s", desk->reply.text);
    cr_assert_str_eq(desk_vm(desk, "a-b-c-1")->vm.service, "a-b");
    cr_assert_str_eq(desk_vm(desk, "a-b-c-2")->vm.service, "a");
    desk_free(desk);
}

Test(plan, removed_vm_that_nothing_ever_ordered_is_forgotten_at_once)
{
    struct desk *desk = desk_with_nodes();
    struct service web = desk_web("shop", 2);
    cr_assert_eq(desk_put_service(desk, &ALICE, &web), REPLY_DONE);
    desk_vm(desk, "shop-web-1")->ordered_generation = 1;
    web.vms[0].count = (struct count_range){1, 1};
    cr_assert_eq(desk_put_service(desk, &ALICE, &web), REPLY_DONE);
    cr_assert_null(desk_vm(desk, "shop-web-2"));
    cr_assert_eq(desk->deletes, 1);
    cr_assert_eq(desk_vm(desk, "shop-web-1")->vm.load_share_permille, 1000);
    desk_free(desk);
}

Test(plan, node_never_holds_more_vms_than_a_snapshot_can_show)
{
    struct desk *desk = desk_new();
    desk_add_image(desk, "debian");
    desk_add_node(desk, &(struct desk_node){"xen1", 6400, 1024 * GIB, DESK_ALL_CAPABILITIES});
    for (int i = 0; i < 3; i++) {
        char name[NAME_SIZE];
        (void)snprintf(name, sizeof name, "s%d", i);
        struct service web = desk_web(name, VMS_PER_GROUP_MAX);
        web.vms[0].cpu.min_pct = 1;
        enum reply_code code = desk_put_service(desk, &ALICE, &web);
        cr_assert_eq(code, i < 2 ? REPLY_DONE : REPLY_INFEASIBLE, "%s", desk->reply.text);
    }
    cr_assert_eq(desk->reply.reason, REASON_LIMIT);
    cr_assert_eq(desk_node(desk, "xen1")->vms, VMS_PER_NODE_MAX);
    desk_free(desk);
}

Test(plan, row_texts_name_what_is_short)
{
    char text[TEXT_SIZE];
    struct placement row = {
        .reason = REASON_NO_MEMORY, .needed = 1024 * 1024, .available = 389120};
    plan_row_text(&row, text, sizeof text);
    cr_assert_str_eq(text, "380 MiB free memory, 1024 needed (644 short)");
    row = (struct placement){.reason = REASON_NO_MEMORY, .needed = 1025, .available = 1024};
    plan_row_text(&row, text, sizeof text);
    cr_assert_str_eq(text, "1 MiB free memory, 2 needed (1 short)");
    row = (struct placement){.reason = REASON_NODE_DOWN};
    plan_row_text(&row, text, sizeof text);
    cr_assert_str_eq(text, "not up");
    for (int reason = 0; reason < REASON_COUNT; reason++) {
        row = (struct placement){.reason = (enum reason)reason};
        plan_row_text(&row, text, sizeof text);
        cr_assert_neq(text[0], '\0');
    }
}

Test(plan, memory_starts_as_the_least_and_stays_where_it_is_within_its_range)
{
    struct desk *desk = desk_with_nodes();
    struct service web = desk_web("shop", 1);
    web.vms[0].memory_kib = GIB;
    web.vms[0].memory_min_kib = GIB / 4;
    cr_assert_eq(desk_put_service(desk, &ALICE, &web), REPLY_DONE);
    struct vm_record *vm = desk_vm(desk, "shop-web-1");
    cr_expect_eq(vm->vm.memory_kib, GIB / 4);
    vm->vm.memory_kib = GIB / 2; /* as the manager gives it */
    cluster_count_vm(desk->cluster, vm);
    cr_expect_eq(plan_of(desk, &web)->count, 0, "nothing to do");
    web.vms[0].memory_kib = GIB / 2 - 1024;
    cr_assert_eq(desk_put_service(desk, &ALICE, &web), REPLY_DONE);
    cr_expect_eq(vm->vm.memory_kib, GIB / 2 - 1024, "the file is the ceiling");
    web.vms[0].memory_min_kib = 2 * GIB;
    cr_expect_neq(desk_put_service(desk, &ALICE, &web), REPLY_DONE);
    desk_free(desk);
}
