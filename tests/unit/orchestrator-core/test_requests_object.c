// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>

#include "tests/unit/orchestrator-core/desk.h"

TestSuite(requests_object, .timeout = 20);

Test(requests_object, settings_are_one_object_and_their_mode_counts_at_once)
{
    struct desk *desk = desk_with_nodes();
    struct object settings = {.kind = OBJECT_KIND_SETTINGS};
    (void)snprintf(settings.settings.settings, NAME_SIZE, "cluster");
    settings.settings.version = 1;
    settings.settings.mode = MODE_HOLD;
    settings.settings.control_period_ms = 2000;
    cr_assert_eq(desk_put(desk, &ADMIN, &settings), REPLY_DONE);
    cr_assert_eq(cluster_mode(desk->cluster), MODE_HOLD);
    cr_assert_eq(desk_told(desk, EVENT_KIND_MODE, "mode hold"), 1);
    cr_assert_eq(desk_put(desk, &ADMIN, &settings), REPLY_DONE);
    cr_assert_eq(desk->puts, 0);
    (void)snprintf(settings.settings.settings, NAME_SIZE, "another");
    cr_assert_eq(desk_put(desk, &ADMIN, &settings), REPLY_INVALID);
    desk_restart(desk);
    cr_assert_eq(cluster_mode(desk->cluster), MODE_HOLD);
    cr_assert_eq(desk->cluster->settings.control_period_ms, 2000);
    desk_free(desk);
}

Test(requests_object, drained_node_is_closed_and_told)
{
    struct desk *desk = desk_with_shop();
    cr_assert_eq(desk_order(desk, &ADMIN, METHOD_DRAIN, OBJECT_KIND_NODE, "xen1"), REPLY_DONE);
    cr_assert(desk_node(desk, "xen1")->spec.cordoned);
    cr_assert(desk_node(desk, "xen1")->spec.draining);
    cr_assert_eq(desk_told(desk, EVENT_KIND_CHANGED, "root drains node xen1"), 1);
    cr_assert_eq(desk_order(desk, &ADMIN, METHOD_DRAIN, OBJECT_KIND_NODE, "xen1"), REPLY_DONE);
    cr_assert_eq(desk->puts, 0);
    cr_assert_eq(desk_order(desk, &ADMIN, METHOD_UNCORDON, OBJECT_KIND_NODE, "xen1"),
                 REPLY_DONE);
    cr_assert_not(desk_node(desk, "xen1")->spec.draining);
    desk_free(desk);
}

Test(requests_object, move_goes_to_the_named_node_or_to_the_best_and_pins_only_when_asked)
{
    struct desk *desk = desk_with_shop();
    struct request move = {.method = METHOD_MOVE};
    (void)snprintf(move.name, NAME_SIZE, "shop-web-1");
    (void)snprintf(move.node, NAME_SIZE, "nowhere");
    cr_assert_eq(desk_ask(desk, &ADMIN, &move), REPLY_NOT_FOUND);
    struct vm_record *vm = desk_vm(desk, "shop-web-1");
    memcpy(move.node, vm->vm.node, NAME_SIZE);
    cr_assert_eq(desk_ask(desk, &ADMIN, &move), REPLY_DONE);
    cr_assert_not_null(strstr(desk->reply.text, "unchanged"));
    move.node[0] = '\0';
    char from[NAME_SIZE];
    memcpy(from, vm->vm.node, NAME_SIZE);
    cr_assert_eq(desk_ask(desk, &ADMIN, &move), REPLY_DONE, "%s", desk->reply.text);
    cr_assert(vm->vm.phase == VM_PHASE_MOVING || strcmp(vm->vm.node, from) != 0);
    cr_assert_eq(vm->vm.pinned_until_wall_ms, 0);
    desk_free(desk);
}

Test(requests_object, cordoned_node_takes_nothing_new_and_uncordoned_one_again)
{
    struct desk *desk = desk_with_nodes();
    cr_assert_eq(desk_order(desk, &ADMIN, METHOD_CORDON, OBJECT_KIND_NODE, "xen1"), REPLY_DONE);
    cr_assert(desk_node(desk, "xen1")->stored);
    struct service web = desk_web("shop", 3);
    cr_assert_eq(desk_put_service(desk, &ALICE, &web), REPLY_DONE);
    cr_assert_eq(desk_node(desk, "xen1")->vms, 0);
    cr_assert_eq(desk_order(desk, &ADMIN, METHOD_UNCORDON, OBJECT_KIND_NODE, "xen1"),
                 REPLY_DONE);
    struct service more = desk_web("more", 1);
    cr_assert_eq(desk_put_service(desk, &ALICE, &more), REPLY_DONE);
    cr_assert_eq(desk_node(desk, "xen1")->vms, 1);
    desk_free(desk);
}

Test(requests_object, node_with_vms_is_not_deleted_nor_made_too_small)
{
    struct desk *desk = desk_with_shop();
    cr_assert_eq(desk_order(desk, &ADMIN, METHOD_DELETE, OBJECT_KIND_NODE, "xen1"),
                 REPLY_CONFLICT);
    cr_assert_eq(desk->reply.reason, REASON_IN_USE);
    struct object node = {.kind = OBJECT_KIND_NODE};
    (void)snprintf(node.node.node, NAME_SIZE, "xen1");
    node.node.cpu_pct = 10;
    cr_assert_eq(desk_put(desk, &ADMIN, &node), REPLY_INFEASIBLE);
    node.node.cpu_pct = 200;
    cr_assert_eq(desk_put(desk, &ADMIN, &node), REPLY_DONE);
    desk_add_node(desk, &(struct desk_node){"xen3", 400, 8 * GIB, DESK_ALL_CAPABILITIES});
    cr_assert_eq(desk_order(desk, &ADMIN, METHOD_DELETE, OBJECT_KIND_NODE, "xen3"), REPLY_DONE);
    cr_assert_null(desk_node(desk, "xen3"));
    desk_free(desk);
}

Test(requests_object, node_that_is_heard_is_not_confirmed_dead)
{
    struct desk *desk = desk_with_shop();
    cr_assert_eq(desk_order(desk, &ADMIN, METHOD_CONFIRM_DEAD, OBJECT_KIND_NODE, "xen1"),
                 REPLY_CONFLICT);
    cr_assert_not_null(strstr(desk->reply.text, "heard"));
    cr_assert_not(desk_node(desk, "xen1")->life.confirmed_dead);
    cr_assert_eq(desk_order(desk, &ADMIN, METHOD_CONFIRM_DEAD, OBJECT_KIND_NODE, "nowhere"),
                 REPLY_NOT_FOUND);
    desk_free(desk);
}

Test(requests_object, vms_of_a_node_that_is_confirmed_dead_start_elsewhere)
{
    struct desk *desk = desk_with_shop();
    const char *name = desk_vm(desk, "shop-web-1")->vm.node;
    char dead[NAME_SIZE];
    memcpy(dead, name, sizeof dead);
    (void)membership_move(desk->cluster, desk_node(desk, dead), NODE_STATE_SUSPECT);
    cr_assert_eq(desk_order(desk, &ADMIN, METHOD_CONFIRM_DEAD, OBJECT_KIND_NODE, dead),
                 REPLY_DONE, "%s", desk->reply.text);
    cr_assert_str_neq(desk_vm(desk, "shop-web-1")->vm.node, dead);
    cr_assert_eq(desk_vm(desk, "shop-web-1")->vm.generation, 2);
    cr_assert_eq(desk_node(desk, dead)->vms, 0);
    desk_free(desk);
}

Test(requests_object, what_services_use_is_neither_deleted_nor_changed)
{
    struct desk *desk = desk_with_shop();
    cr_assert_eq(desk_order(desk, &ADMIN, METHOD_DELETE, OBJECT_KIND_IMAGE, "debian"),
                 REPLY_CONFLICT);
    cr_assert_eq(desk->reply.reason, REASON_IN_USE);
    cr_assert(desk_has_fact(desk, "service shop"));
    struct object image = {.kind = OBJECT_KIND_IMAGE};
    image.image.format = IMAGE_FORMAT_RAW;
    (void)snprintf(image.image.image, NAME_SIZE, "debian");
    cr_assert_eq(desk_put(desk, &ADMIN, &image), REPLY_CONFLICT);
    desk_add_image(desk, "spare");
    cr_assert_eq(desk_order(desk, &ADMIN, METHOD_DELETE, OBJECT_KIND_IMAGE, "spare"),
                 REPLY_DONE);
    cr_assert_eq(desk_order(desk, &ADMIN, METHOD_DELETE, OBJECT_KIND_IMAGE, "spare"),
                 REPLY_NOT_FOUND);
    desk_free(desk);
}

Test(requests_object, delete_at_another_revision_is_a_conflict)
{
    struct desk *desk = desk_with_shop();
    uint64_t revision = desk_service(desk, "shop")->meta.revision;
    struct request request = {
        .method = METHOD_DELETE, .kind = OBJECT_KIND_SERVICE, .at_revision = revision - 1};
    (void)snprintf(request.name, NAME_SIZE, "shop");
    cr_assert_eq(desk_ask(desk, &ALICE, &request), REPLY_CONFLICT);
    request.at_revision = revision;
    cr_assert_eq(desk_ask(desk, &ALICE, &request), REPLY_DONE);
    desk_free(desk);
}

Test(requests_object, full_tables_refuse_with_their_limits)
{
    struct desk *desk = desk_with_nodes();
    for (int i = 0; i < 15; i++) {
        char name[NAME_SIZE];
        (void)snprintf(name, sizeof name, "image%d", i);
        desk_add_image(desk, name);
    }
    struct object image = {.kind = OBJECT_KIND_IMAGE};
    image.image.format = IMAGE_FORMAT_MODEL;
    (void)snprintf(image.image.image, NAME_SIZE, "onemore");
    cr_assert_eq(desk_put(desk, &ADMIN, &image), REPLY_FAILED);
    cr_assert_eq(desk->reply.reason, REASON_LIMIT);
    cr_assert_not_null(strstr(desk->reply.text, "16 of 16"));
    desk_free(desk);
}

Test(requests_object, mode_for_a_time_goes_back_and_a_restart_keeps_the_careful_one)
{
    struct desk *desk = desk_with_nodes();
    struct request mode = {.method = METHOD_MODE, .mode = MODE_ADVISE};
    cr_assert_eq(desk_ask(desk, &ADMIN, &mode), REPLY_DONE);
    mode.mode = MODE_ACT;
    mode.for_ms = 60000;
    cr_assert_eq(desk_ask(desk, &ADMIN, &mode), REPLY_DONE);
    cr_assert_eq(cluster_mode(desk->cluster), MODE_ACT);
    cr_assert_leq(cluster_deadline_ms(desk->cluster), desk->now_ms + 60000);
    desk->now_ms += 60000;
    struct cluster_event tick = {.type = CLUSTER_EVENT_TICK};
    desk_step(desk, &tick);
    cr_assert_eq(cluster_mode(desk->cluster), MODE_ADVISE);
    cr_assert_eq(desk_told(desk, EVENT_KIND_MODE, "mode is advise again"), 1);
    cr_assert_eq(desk_ask(desk, &ADMIN, &mode), REPLY_DONE);
    desk_restart(desk);
    cr_assert_eq(cluster_mode(desk->cluster), MODE_ADVISE);
    mode = (struct request){.method = METHOD_MODE, .mode = MODE_HOLD, .for_ms = 60000};
    cr_assert_eq(desk_ask(desk, &ADMIN, &mode), REPLY_DONE);
    desk_restart(desk);
    cr_assert_eq(cluster_mode(desk->cluster), MODE_HOLD);
    desk_free(desk);
}
