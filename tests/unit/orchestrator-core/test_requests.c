// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>

#include "tests/unit/orchestrator-core/desk.h"

TestSuite(requests, .timeout = 20);

/* ---- services ---- */

Test(requests, service_is_placed_spread_stored_and_told)
{
    struct desk *desk = desk_with_nodes();
    struct service web = desk_web("shop", 2);
    web.vms[0].spread = true;
    cr_assert_eq(desk_put_service(desk, &ALICE, &web), REPLY_DONE, "%s", desk->reply.text);
    cr_assert(desk->reply_stored);
    cr_assert_eq(desk->puts, 3);
    const struct vm_record *one = desk_vm(desk, "shop-web-1");
    const struct vm_record *two = desk_vm(desk, "shop-web-2");
    cr_assert_not_null(one);
    cr_assert_not_null(two);
    cr_assert_str_neq(one->vm.node, two->vm.node);
    cr_assert_eq(one->vm.phase, VM_PHASE_ASSIGNED);
    cr_assert_eq(one->vm.generation, 1);
    cr_assert_eq(one->vm.cap_pct, 50);
    cr_assert_eq(one->vm.desired, RUN_STATE_RUNNING);
    cr_assert_str_neq(one->vm.uuid, two->vm.uuid);
    cr_assert_str_eq(one->meta.owner, "alice");
    cr_assert_eq(desk_node(desk, "xen1")->cpu_pct_reserved, 50);
    cr_assert_eq(desk_node(desk, "xen1")->memory_kib_granted, GIB);
    cr_assert(desk_has_fact(desk, "vm shop-web-1 starts on xen"));
    cr_assert_eq(desk_told(desk, EVENT_KIND_CHANGED, "alice creates service shop"), 1);
    cr_assert_eq(desk_told(desk, EVENT_KIND_VM_PLACED, "shop-web-1"), 1);
    desk_free(desk);
}

Test(requests, same_file_again_is_unchanged_and_stores_no_object)
{
    struct desk *desk = desk_with_nodes();
    struct service web = desk_web("shop", 2);
    cr_assert_eq(desk_put_service(desk, &ALICE, &web), REPLY_DONE);
    uint64_t revision = desk->reply.revision;
    cr_assert_eq(desk_put_service(desk, &ALICE, &web), REPLY_DONE);
    cr_assert_not_null(strstr(desk->reply.text, "unchanged"));
    cr_assert_eq(desk->puts, 0);
    cr_assert_eq(desk->reply.revision, revision);
    desk_free(desk);
}

Test(requests, what_fits_nowhere_is_refused_with_what_is_short_on_each_node)
{
    struct desk *desk = desk_with_nodes();
    struct service web = desk_web("shop", 1);
    web.vms[0].memory_kib = 9 * GIB;
    cr_assert_eq(desk_order(desk, &ADMIN, METHOD_CORDON, OBJECT_KIND_NODE, "xen2"), REPLY_DONE);
    uint32_t records = desk->records_count;
    cr_assert_eq(desk_put_service(desk, &ALICE, &web), REPLY_INFEASIBLE);
    cr_assert_eq(desk->reply.reason, REASON_NO_MEMORY);
    cr_assert_str_eq(desk->reply.text,
                     "service shop cannot be placed: no node has 9216 MiB free memory");
    cr_assert(desk_has_fact(desk, "xen1     8192 MiB free memory, 9216 needed (1024 short)"));
    cr_assert(desk_has_fact(desk, "xen2     cordoned"));
    cr_assert(desk_has_hint(desk, "arbiter uncordon xen2"));
    cr_assert_eq(desk->puts, 0);
    cr_assert_eq(desk->records_count, records);
    cr_assert_null(desk_service(desk, "shop"));
    desk_free(desk);
}

Test(requests, cpu_that_is_short_is_told_in_cpus)
{
    struct desk *desk = desk_with_nodes();
    struct service web = desk_web("shop", 2);
    web.vms[0].cpu = (struct cap_range){450, 450};
    web.vms[0].vcpus = 5;
    cr_assert_eq(desk_put_service(desk, &ALICE, &web), REPLY_INFEASIBLE);
    cr_assert_eq(desk->reply.reason, REASON_NO_CPU);
    cr_assert_not_null(strstr(desk->reply.text, "no node has 4.50 CPU free"));
    cr_assert(desk_has_fact(desk, "xen1     4.00 CPU free, 4.50 needed (0.50 short)"));
    cr_assert(desk_has_fact(desk, "2 vms find no node"));
    desk_free(desk);
}

Test(requests, without_a_node_that_is_up_nothing_is_placed)
{
    struct desk *desk = desk_new();
    desk_add_image(desk, "debian");
    struct service web = desk_web("shop", 1);
    cr_assert_eq(desk_put_service(desk, &ALICE, &web), REPLY_INFEASIBLE);
    cr_assert_eq(desk->reply.reason, REASON_NO_NODE);
    desk_free(desk);
}

Test(requests, all_that_is_wrong_with_a_file_is_told_at_once)
{
    struct desk *desk = desk_with_nodes();
    struct service web = desk_web("shop", 1);
    web.objective.has_response_time = false;
    web.vms[0].count = (struct count_range){3, 2};
    web.vms[0].cpu = (struct cap_range){50, 300}; /* of 2 vcpus */
    (void)snprintf(web.scheduler, NAME_SIZE, "astrology");
    cr_assert_eq(desk_put_service(desk, &ALICE, &web), REPLY_INVALID);
    cr_assert_eq(desk->reply.facts_count, 4);
    cr_assert(desk_has_fact(desk, "vms.web.count"));
    cr_assert(desk_has_fact(desk, "vms.web.cpu"));
    cr_assert(desk_has_fact(desk, "objective.response_time"));
    cr_assert(desk_has_fact(desk, "astrology"));
    desk_free(desk);
}

Test(requests, image_network_and_storage_must_exist)
{
    struct desk *desk = desk_with_nodes();
    struct service web = desk_web("shop", 1);
    (void)snprintf(web.vms[0].image, NAME_SIZE, "plan9");
    (void)snprintf(web.vms[0].network, NAME_SIZE, "dmz");
    web.vms[0].has_disk = true;
    web.vms[0].disk.kind = DISK_KIND_SHARED;
    (void)snprintf(web.vms[0].disk.storage, NAME_SIZE, "san");
    cr_assert_eq(desk_put_service(desk, &ALICE, &web), REPLY_INFEASIBLE);
    cr_assert_eq(desk->reply.facts_count, 3);
    cr_assert(desk_has_fact(desk, "image plan9 does not exist"));
    cr_assert(desk_has_fact(desk, "network dmz does not exist"));
    cr_assert(desk_has_fact(desk, "storage san does not exist"));
    desk_free(desk);
}

Test(requests, shared_disk_goes_only_where_its_storage_is)
{
    struct desk *desk = desk_with_nodes();
    struct object san = {.kind = OBJECT_KIND_STORAGE};
    (void)snprintf(san.storage.storage, NAME_SIZE, "san");
    (void)snprintf(san.storage.path, PATH_SIZE, "/srv/san");
    san.storage.nodes_count = 1;
    (void)snprintf(san.storage.nodes[0], NAME_SIZE, "xen2");
    cr_assert_eq(desk_put(desk, &ADMIN, &san), REPLY_DONE);
    struct service web = desk_web("shop", 3);
    web.vms[0].has_disk = true;
    web.vms[0].disk.kind = DISK_KIND_SHARED;
    (void)snprintf(web.vms[0].disk.storage, NAME_SIZE, "san");
    cr_assert_eq(desk_put_service(desk, &ALICE, &web), REPLY_DONE, "%s", desk->reply.text);
    cr_assert_eq(desk_node(desk, "xen2")->vms, 3);
    cr_assert_eq(desk_order(desk, &ADMIN, METHOD_DELETE, OBJECT_KIND_STORAGE, "san"),
                 REPLY_CONFLICT);
    cr_assert_eq(desk->reply.reason, REASON_IN_USE);
    cr_assert(desk_has_fact(desk, "service shop"));
    desk_free(desk);
}

Test(requests, fence_needs_a_node_that_can_fence_itself)
{
    struct desk *desk = desk_new();
    desk_add_image(desk, "debian");
    desk_add_node(desk, &(struct desk_node){"xen1", 400, 8 * GIB,
                                            DESK_ALL_CAPABILITIES & ~CAPABILITY_SELF_FENCE});
    struct service web = desk_web("shop", 1);
    web.isolation = ISOLATION_FENCE;
    cr_assert_eq(desk_put_service(desk, &ALICE, &web), REPLY_INFEASIBLE);
    cr_assert_eq(desk->reply.reason, REASON_NO_SELF_FENCE);
    cr_assert(desk_has_fact(desk, "cannot fence itself"));
    web.isolation = ISOLATION_RUN;
    cr_assert_eq(desk_put_service(desk, &ALICE, &web), REPLY_DONE);
    web.isolation = ISOLATION_FENCE;
    cr_assert_eq(desk_put_service(desk, &ALICE, &web), REPLY_INFEASIBLE);
    cr_assert_eq(desk->reply.reason, REASON_NO_SELF_FENCE);
    desk_free(desk);
}

Test(requests, entry_needs_a_gateway)
{
    struct desk *desk = desk_with_nodes();
    struct service web = desk_web("shop", 1);
    web.has_entry = true;
    (void)snprintf(web.entry.listen, ADDRESS_SIZE, "10.0.8.10:80");
    cr_assert_eq(desk_put_service(desk, &ALICE, &web), REPLY_INFEASIBLE);
    cr_assert_eq(desk->reply.reason, REASON_NO_GATEWAY);
    desk_add_node(desk, &(struct desk_node){"gate", 0, 0, CAPABILITY_GATEWAY});
    cr_assert_eq(desk_put_service(desk, &ALICE, &web), REPLY_DONE, "%s", desk->reply.text);
    cr_assert_eq(desk_node(desk, "gate")->vms, 0);
    struct service same = desk_web("copy", 1);
    same.has_entry = true;
    same.entry = web.entry;
    cr_assert_eq(desk_put_service(desk, &BOB, &same), REPLY_CONFLICT);
    cr_assert_eq(desk->reply.facts_count, 0, "whose it is, is not told");
    cr_assert_eq(desk_put_service(desk, &ALICE, &same), REPLY_CONFLICT);
    cr_assert(desk_has_fact(desk, "service shop"));
    (void)snprintf(same.entry.listen, ADDRESS_SIZE, "10.0.8.11:80");
    cr_assert_eq(desk_put_service(desk, &BOB, &same), REPLY_DONE);
    desk_free(desk);
}

Test(requests, agreement_limits_what_its_provider_may_take)
{
    struct desk *desk = desk_with_nodes();
    struct service web = desk_web("shop", 2); /* 100 % of a CPU at least */
    cr_assert_eq(desk_put_service(desk, &ALICE, &web), REPLY_DONE);
    struct object agreement = {.kind = OBJECT_KIND_AGREEMENT};
    agreement.agreement = (struct agreement){.weight = 3, .cpu_pct = 120};
    (void)snprintf(agreement.agreement.agreement, NAME_SIZE, "alice");
    cr_assert_eq(desk_put(desk, &ADMIN, &agreement), REPLY_DONE);
    cr_assert_eq(cluster_weight_of(desk->cluster, desk_service(desk, "shop")), 3);
    struct service more = desk_web("more", 1);
    cr_assert_eq(desk_put_service(desk, &ALICE, &more), REPLY_INFEASIBLE);
    cr_assert_eq(desk->reply.reason, REASON_QUOTA);
    cr_assert(desk_has_fact(desk, "0.5 needed, 1 of 1.2 in use (0.3 short)"));
    cr_assert_eq(desk_put_service(desk, &BOB, &more), REPLY_DONE);
    web.vms[0].count = (struct count_range){1, 1};
    cr_assert_eq(desk_put_service(desk, &ALICE, &web), REPLY_DONE, "%s", desk->reply.text);
    struct service other = desk_web("other", 1);
    cr_assert_eq(desk_put_service(desk, &ALICE, &other), REPLY_DONE);
    desk_free(desk);
}

Test(requests, changed_range_moves_caps_with_a_decision_and_counts_stay_right)
{
    struct desk *desk = desk_with_nodes();
    struct service web = desk_web("shop", 2);
    cr_assert_eq(desk_put_service(desk, &ALICE, &web), REPLY_DONE);
    web.vms[0].cpu = (struct cap_range){80, 150};
    web.vms[0].memory_kib = 2 * GIB;
    cr_assert_eq(desk_put_service(desk, &ALICE, &web), REPLY_DONE, "%s", desk->reply.text);
    cr_assert_eq(desk_vm(desk, "shop-web-1")->vm.cap_pct, 80);
    cr_assert_eq(desk_vm(desk, "shop-web-1")->vm.memory_kib, 2 * GIB);
    cr_assert_eq(desk_vm(desk, "shop-web-1")->vm.generation, 1);
    cr_assert_eq(desk->decisions, 1);
    cr_assert_eq(desk->decision.caps_count, 2);
    cr_assert_eq(desk->decision.caps[0].from_pct, 50);
    cr_assert_eq(desk->decision.caps[0].to_pct, 80);
    cr_assert_str_eq(desk->decision.principal, "alice");
    uint32_t reserved =
        desk_node(desk, "xen1")->cpu_pct_reserved + desk_node(desk, "xen2")->cpu_pct_reserved;
    cr_assert_eq(reserved, 160);
    desk_free(desk);
}

Test(requests, growth_in_place_needs_room_on_the_same_node)
{
    struct desk *desk = desk_with_nodes();
    struct service web = desk_web("shop", 1);
    cr_assert_eq(desk_put_service(desk, &ALICE, &web), REPLY_DONE);
    web.vms[0].memory_kib = 9 * GIB;
    cr_assert_eq(desk_put_service(desk, &ALICE, &web), REPLY_INFEASIBLE);
    cr_assert_eq(desk->reply.reason, REASON_NO_MEMORY);
    cr_assert(desk_has_fact(desk, "vm shop-web-1 on xen1"), "%s", desk->reply.facts[0]);
    cr_assert_eq(desk_vm(desk, "shop-web-1")->vm.memory_kib, GIB);
    desk_free(desk);
}

Test(requests, group_grows_and_shrinks_and_new_names_are_free_ones)
{
    struct desk *desk = desk_with_nodes();
    struct service web = desk_web("shop", 1);
    cr_assert_eq(desk_put_service(desk, &ALICE, &web), REPLY_DONE);
    web.vms[0].count = (struct count_range){3, 3};
    cr_assert_eq(desk_put_service(desk, &ALICE, &web), REPLY_DONE);
    cr_assert_not_null(desk_vm(desk, "shop-web-3"));
    cr_assert_eq(desk_vm(desk, "shop-web-1")->vm.generation, 1);
    cr_assert_eq(desk_vm(desk, "shop-web-2")->vm.load_share_permille, 333);
    desk_vm(desk, "shop-web-3")->status_known = true; /* it was ordered and seen */
    desk_vm(desk, "shop-web-3")->ordered_generation = 1;
    web.vms[0].count = (struct count_range){2, 2};
    cr_assert_eq(desk_put_service(desk, &ALICE, &web), REPLY_DONE);
    cr_assert_eq(desk_vm(desk, "shop-web-3")->vm.phase, VM_PHASE_REMOVING);
    cr_assert_eq(desk_vm(desk, "shop-web-3")->vm.desired, RUN_STATE_ABSENT);
    web.vms[0].count = (struct count_range){3, 3};
    cr_assert_eq(desk_put_service(desk, &ALICE, &web), REPLY_DONE);
    cr_assert_not_null(desk_vm(desk, "shop-web-4"));
    desk_free(desk);
}

Test(requests, image_of_vms_that_exist_cannot_change_but_a_new_group_can_have_another)
{
    struct desk *desk = desk_with_nodes();
    desk_add_image(desk, "debian13");
    struct service web = desk_web("shop", 1);
    cr_assert_eq(desk_put_service(desk, &ALICE, &web), REPLY_DONE);
    (void)snprintf(web.vms[0].image, NAME_SIZE, "debian13");
    cr_assert_eq(desk_put_service(desk, &ALICE, &web), REPLY_INVALID);
    cr_assert_eq(desk->reply.reason, REASON_UNSUPPORTED);
    (void)snprintf(web.vms[0].name, NAME_SIZE, "blue");
    cr_assert_eq(desk_put_service(desk, &ALICE, &web), REPLY_DONE, "%s", desk->reply.text);
    cr_assert_not_null(desk_vm(desk, "shop-blue-1"));
    web.kind = SERVICE_KIND_CLUSTER;
    cr_assert_eq(desk_put_service(desk, &ALICE, &web), REPLY_INVALID);
    cr_assert(desk_has_fact(desk, "kind"));
    desk_free(desk);
}

Test(requests, plan_shows_where_vms_would_go_and_changes_nothing)
{
    struct desk *desk = desk_with_nodes();
    struct request plan = {.method = METHOD_PLAN, .has_object = true};
    plan.object.kind = OBJECT_KIND_SERVICE;
    plan.object.service = desk_web("shop", 2);
    uint64_t revision = desk->cluster->revision;
    cr_assert_eq(desk_ask(desk, &ALICE, &plan), REPLY_DONE);
    cr_assert_eq(desk->source, ITEMS_PLAN);
    cr_assert_eq(desk->placements_count, 2);
    cr_assert_str_eq(desk->placements[0].vm, "shop-web-1");
    cr_assert_neq(desk->placements[0].node[0], '\0');
    cr_assert_eq(desk->placements[0].reason, REASON_NONE);
    cr_assert_eq(desk->puts, 0);
    cr_assert_eq(desk->cluster->revision, revision);
    cr_assert_not(desk->reply_stored);
    plan.object.service.vms[0].memory_kib = 64 * GIB;
    cr_assert_eq(desk_ask(desk, &ALICE, &plan), REPLY_INFEASIBLE);
    cr_assert_eq(desk->placements_count, 4);
    cr_assert_str_eq(desk->placements[3].node, "xen2");
    cr_assert_eq(desk->placements[3].reason, REASON_NO_MEMORY);
    cr_assert_eq(desk->placements[3].needed, 64 * (uint64_t)GIB);
    desk_free(desk);
}

Test(requests, plan_of_an_older_revision_is_a_conflict_that_names_what_changed)
{
    struct desk *desk = desk_with_nodes();
    uint64_t revision = desk->cluster->revision;
    struct service other = desk_web("other", 1);
    cr_assert_eq(desk_put_service(desk, &BOB, &other), REPLY_DONE);
    struct request put = {.method = METHOD_PUT, .has_object = true, .at_revision = revision};
    put.object.kind = OBJECT_KIND_SERVICE;
    put.object.service = desk_web("shop", 1);
    cr_assert_eq(desk_ask(desk, &ADMIN, &put), REPLY_CONFLICT);
    cr_assert(desk_has_fact(desk, "service other changed at revision"));
    cr_assert_eq(desk_ask(desk, &ALICE, &put), REPLY_CONFLICT);
    cr_assert_eq(desk->reply.facts_count, 0, "a provider is not told what others do");
    put.at_revision = desk->cluster->revision;
    cr_assert_eq(desk_ask(desk, &ALICE, &put), REPLY_DONE);
    desk_free(desk);
}

Test(requests, deleted_service_stays_until_its_last_vm_is_gone)
{
    struct desk *desk = desk_with_nodes();
    struct service web = desk_web("shop", 2);
    cr_assert_eq(desk_put_service(desk, &ALICE, &web), REPLY_DONE);
    desk_vm(desk, "shop-web-1")->ordered_generation = 1;
    desk_vm(desk, "shop-web-2")->ordered_generation = 1;
    cr_assert_eq(desk_order(desk, &ALICE, METHOD_DELETE, OBJECT_KIND_SERVICE, "shop"),
                 REPLY_DONE);
    cr_assert(desk_service(desk, "shop")->deleting);
    cr_assert_eq(desk_put_service(desk, &ALICE, &web), REPLY_CONFLICT);
    cr_assert_gt(desk->reply.retry_after_ms, 0);
    effects_clear(desk->effects);
    cluster_vm_gone(desk->cluster, desk_vm(desk, "shop-web-1"), desk->effects);
    cr_assert_not_null(desk_service(desk, "shop"));
    cluster_vm_gone(desk->cluster, desk_vm(desk, "shop-web-2"), desk->effects);
    desk_perform(desk);
    cr_assert_null(desk_service(desk, "shop"));
    cr_assert_eq(desk->deletes, 3);
    cr_assert_eq(desk_node(desk, "xen1")->memory_kib_granted, 0);
    cr_assert_eq(desk_node(desk, "xen1")->vms + desk_node(desk, "xen2")->vms, 0);
    cr_assert_eq(desk_put_service(desk, &ALICE, &web), REPLY_DONE);
    desk_free(desk);
}

Test(requests, service_that_was_being_deleted_is_so_after_a_restart)
{
    struct desk *desk = desk_with_nodes();
    struct service web = desk_web("shop", 1);
    cr_assert_eq(desk_put_service(desk, &ALICE, &web), REPLY_DONE);
    desk_vm(desk, "shop-web-1")->ordered_generation = 1;
    cr_assert_eq(desk_order(desk, &ALICE, METHOD_DELETE, OBJECT_KIND_SERVICE, "shop"),
                 REPLY_DONE);
    desk_restart(desk);
    cr_assert(desk_service(desk, "shop")->deleting);
    desk_free(desk);
}

/* ---- repetition ---- */

Test(requests, change_without_request_id_is_refused)
{
    struct desk *desk = desk_with_nodes();
    struct request request = {.method = METHOD_CORDON};
    (void)snprintf(request.name, NAME_SIZE, "xen1");
    desk_send(desk, &ADMIN, &request, 1, NULL);
    cr_assert_eq(desk->reply.code, REPLY_INVALID);
    cr_assert_not(desk_node(desk, "xen1")->spec.cordoned);
    desk_free(desk);
}

Test(requests, same_id_gets_the_same_answer_and_other_content_a_conflict)
{
    struct desk *desk = desk_with_nodes();
    struct request request = {.method = METHOD_PUT, .has_object = true, .request_id = {7}};
    request.object.kind = OBJECT_KIND_SERVICE;
    request.object.service = desk_web("shop", 1);
    desk_send(desk, &ALICE, &request, 99, NULL);
    cr_assert_eq(desk->reply.code, REPLY_DONE);
    cr_assert(desk->reply_stored);
    cr_assert_str_eq(desk->stored_reply.principal, "alice");
    cr_assert_eq(desk->stored_reply.content_hash, 99);
    struct stored_reply stored = desk->stored_reply;
    struct reply first = desk->reply;
    desk_send(desk, &ALICE, &request, 99, &stored);
    cr_assert_str_eq(desk->reply.text, first.text);
    cr_assert_eq(desk->reply.code, REPLY_DONE);
    cr_assert_eq(desk->reply.revision, first.revision);
    cr_assert_eq(desk->puts, 0);
    cr_assert_not(desk->reply_stored);
    desk_send(desk, &ALICE, &request, 100, &stored);
    cr_assert_eq(desk->reply.code, REPLY_CONFLICT);
    cr_assert_eq(desk->puts, 0);
    cr_assert_eq(memcmp(desk->reply.request_id, request.request_id, REQUEST_ID_BYTES), 0);
    desk_free(desk);
}
