// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>

#include "tests/unit/orchestrator-core/desk.h"

TestSuite(cluster, .timeout = 30);

/* ---- create ---- */

Test(cluster, defaults_are_filled_in)
{
    struct err err = {0};
    struct cluster *cluster = cluster_create(&(struct cluster_config){0}, &err);
    cr_assert_not_null(cluster);
    cr_assert_eq(cluster->config.services_max, 20000);
    cr_assert_eq(cluster->config.lease_ms, 15000);
    cr_assert_eq(cluster->config.stale_after_ms, 15000);
    cr_assert_eq(cluster_mode(cluster), MODE_ADVISE);
    cr_assert_eq(cluster_deadline_ms(cluster), INT64_MAX, "nothing to do before the start");
    cluster_destroy(cluster);
    cluster_destroy(NULL);
}

Test(cluster, setting_out_of_range_is_refused_by_name)
{
    struct err err = {0};
    cr_assert_null(cluster_create(&(struct cluster_config){.lease_ms = 121000}, &err));
    cr_assert_eq(err.code, -EINVAL);
    cr_assert_str_eq(err.text, "lease_ms: 121000 is not in the range 100 to 120000");
    cr_assert_null(
        cluster_create(&(struct cluster_config){.lease_ms = 1000, .renew_ms = 1001}, &err));
    cr_assert_not_null(strstr(err.text, "renew_ms"));
    cr_assert_null(cluster_create(&(struct cluster_config){.vms_max = UINT32_MAX}, NULL));
}

/* ---- load ---- */

static struct stored_record object_record(enum object_kind kind)
{
    return (struct stored_record){
        .version = 1, .kind = STORED_KIND_OBJECT, .object = {.kind = kind}};
}

static void keep(struct desk *desk, const struct stored_record *record)
{
    desk->records[desk->records_count++] = *record;
}

static struct desk *desk_of_records(void)
{
    struct desk *desk = desk_new();
    cluster_destroy(desk->cluster);
    struct stored_record record = object_record(OBJECT_KIND_SERVICE);
    record.object.service = desk_web("jobs", 2);
    record.object.service.kind = SERVICE_KIND_QUEUE;
    record.object.revision = 40;
    (void)snprintf(record.object.owner, NAME_SIZE, "alice");
    keep(desk, &record);
    for (uint32_t number = 2; number > 0; number--) {
        record = object_record(OBJECT_KIND_VM);
        (void)snprintf(record.object.vm.vm, NAME_SIZE, "jobs-web-%u", number);
        (void)snprintf(record.object.vm.service, NAME_SIZE, "jobs");
        (void)snprintf(record.object.vm.group, NAME_SIZE, "web");
        (void)snprintf(record.object.vm.node, NAME_SIZE, "xen1");
        record.object.vm.number = number;
        record.object.vm.phase = VM_PHASE_ASSIGNED;
        record.object.vm.generation = 3;
        record.object.vm.cap_pct = 75;
        record.object.vm.memory_kib = GIB;
        record.object.revision = 40 + number;
        keep(desk, &record);
    }
    record = object_record(OBJECT_KIND_NODE);
    (void)snprintf(record.object.node.node, NAME_SIZE, "xen1");
    record.object.node.cpu_pct = 800;
    keep(desk, &record);
    record = (struct stored_record){.version = 1, .kind = STORED_KIND_PROGRESS};
    (void)snprintf(record.progress.service, NAME_SIZE, "jobs");
    record.progress.tasks_done_before = 17;
    keep(desk, &record);
    record = (struct stored_record){.version = 1, .kind = STORED_KIND_NODE_EPOCH};
    (void)snprintf(record.node_epoch.node, NAME_SIZE, "xen1");
    record.node_epoch.acknowledged_epoch = 5;
    keep(desk, &record);
    return desk;
}

static void check_loaded(struct desk *desk)
{
    cr_assert_eq(desk->cluster->revision, 42);
    const struct service_record *service = desk_service(desk, "jobs");
    cr_assert_not_null(service);
    cr_assert_eq(service->progress.tasks_done_before, 17);
    cr_assert_str_eq(service->meta.owner, "alice");
    cr_assert_not(service->deleting);
    cr_assert(isnan(service->level));
    uint32_t at = 0;
    cr_assert_str_eq(cluster_next_vm_of(desk->cluster, service, &at)->vm.vm, "jobs-web-1");
    cr_assert_str_eq(cluster_next_vm_of(desk->cluster, service, &at)->vm.vm, "jobs-web-2");
    cr_assert_null(cluster_next_vm_of(desk->cluster, service, &at));
    cr_assert_null(cluster_next_vm_of(desk->cluster, service, &at));
    const struct node_record *node = desk_node(desk, "xen1");
    cr_assert_eq(node->life.acknowledged_epoch, 5);
    cr_assert_eq(node->state, NODE_STATE_UNSEEN);
    cr_assert(node->stored);
    cr_assert_eq(node->vms, 2);
    cr_assert_eq(node->cpu_pct_granted, 150);
    cr_assert_eq(node->cpu_pct_reserved, 100);
    cr_assert_eq(node->memory_kib_granted, 2 * GIB);
    cr_assert_eq(desk->cluster->dirty_count, 2);
    cr_assert_eq(desk->cluster->load_refused, 0);
}

Test(cluster, records_load_in_any_order_to_the_same_state)
{
    struct desk *desk = desk_of_records();
    desk_start(desk);
    check_loaded(desk);
    cluster_destroy(desk->cluster);
    for (uint32_t i = 0; i < desk->records_count / 2; i++) {
        struct stored_record swap = desk->records[i];
        desk->records[i] = desk->records[desk->records_count - 1 - i];
        desk->records[desk->records_count - 1 - i] = swap;
    }
    desk_start(desk);
    check_loaded(desk);
    desk_free(desk);
}

Test(cluster, vm_of_no_service_and_progress_of_none_are_left_out_with_an_alarm)
{
    struct desk *desk = desk_of_records();
    for (uint32_t i = 0; i < desk->records_count; i++) {
        if (desk->records[i].kind == STORED_KIND_OBJECT &&
            desk->records[i].object.kind == OBJECT_KIND_SERVICE) {
            desk->records[i] = desk->records[--desk->records_count];
        }
    }
    desk_start(desk);
    cr_assert_eq(desk->cluster->vms.count, 0);
    cr_assert_eq(desk->cluster->services.count, 0);
    cr_assert_eq(desk_told(desk, EVENT_KIND_ALARM, "2 stored records were left out"), 1);
    desk_free(desk);
}

Test(cluster, operations_and_uuids_of_a_later_epoch_are_others)
{
    struct desk *desk = desk_with_nodes();
    uint64_t operation = desk->cluster->next_operation;
    struct service web = desk_web("shop", 1);
    cr_assert_eq(desk_put_service(desk, &ALICE, &web), REPLY_DONE);
    char uuid[UUID_SIZE];
    memcpy(uuid, desk_vm(desk, "shop-web-1")->vm.uuid, sizeof uuid);
    desk_restart(desk);
    cr_assert_gt(desk->cluster->next_operation, operation + 1000000000);
    cr_assert_str_eq(desk_vm(desk, "shop-web-1")->vm.uuid, uuid);
    desk_add_node(desk, &(struct desk_node){"xen1", 400, 8 * GIB, DESK_ALL_CAPABILITIES});
    struct service more = desk_web("more", 1);
    cr_assert_eq(desk_put_service(desk, &ALICE, &more), REPLY_DONE, "%s", desk->reply.text);
    cr_assert_str_neq(desk_vm(desk, "more-web-1")->vm.uuid, uuid);
    desk_free(desk);
}

Test(cluster, nobody_is_judged_before_one_whole_lease_after_start_and_after_a_stop_of_the_loop)
{
    struct desk *desk = desk_new();
    int64_t lease_ms = desk->cluster->config.lease_ms + desk->cluster->config.lease_margin_ms;
    cr_assert_eq(desk->cluster->judge_after_ms, desk->now_ms + lease_ms);
    desk->now_ms += 100000;
    struct cluster_event late = {.type = CLUSTER_EVENT_LATE, .late_ms = 5000};
    desk_step(desk, &late);
    cr_assert_eq(desk->cluster->judge_after_ms, desk->now_ms + lease_ms);
    desk_free(desk);
}

Test(cluster, objects_survive_a_restart_as_they_were)
{
    struct desk *desk = desk_with_nodes();
    struct service web = desk_web("shop", 3);
    cr_assert_eq(desk_put_service(desk, &ALICE, &web), REPLY_DONE);
    struct vm before = desk_vm(desk, "shop-web-2")->vm;
    uint64_t revision = desk->cluster->revision;
    desk_restart(desk);
    const struct vm *after = &desk_vm(desk, "shop-web-2")->vm;
    cr_assert_str_eq(after->node, before.node);
    cr_assert_eq(after->generation, before.generation);
    cr_assert_eq(after->cap_pct, before.cap_pct);
    cr_assert_eq(after->phase, before.phase);
    cr_assert_eq(desk->cluster->revision, revision);
    desk_add_node(desk, &(struct desk_node){"xen1", 400, 8 * GIB, DESK_ALL_CAPABILITIES});
    cr_assert_eq(desk_put_service(desk, &ALICE, &web), REPLY_DONE);
    cr_assert_not_null(strstr(desk->reply.text, "unchanged"));
    desk_free(desk);
}

/* ---- bookkeeping ---- */

Test(cluster, dirty_queue_holds_each_vm_once_and_never_a_forgotten_one)
{
    struct desk *desk = desk_with_nodes();
    struct service web = desk_web("shop", 4);
    cr_assert_eq(desk_put_service(desk, &ALICE, &web), REPLY_DONE);
    cr_assert_eq(desk->cluster->dirty_count, 4);
    cluster_mark_dirty(desk->cluster, desk_vm(desk, "shop-web-2"));
    cr_assert_eq(desk->cluster->dirty_count, 4);
    uint32_t slot = table_slot(&desk->cluster->vms, desk_vm(desk, "shop-web-2"));
    effects_clear(desk->effects);
    cluster_vm_gone(desk->cluster, desk_vm(desk, "shop-web-2"), desk->effects);
    cr_assert_eq(desk->cluster->dirty_count, 3);
    for (uint32_t i = 0; i < desk->cluster->dirty_count; i++) {
        uint32_t at = (desk->cluster->dirty_head + i) % desk->cluster->vms.capacity;
        cr_assert_neq(desk->cluster->dirty[at], slot);
    }
    cr_assert_eq(desk_service(desk, "shop")->first_vm - 1,
                 table_slot(&desk->cluster->vms, desk_vm(desk, "shop-web-1")));
    desk_free(desk);
}

Test(cluster, tasks_of_a_generation_that_ends_count_for_its_queue)
{
    struct desk *desk = desk_of_records();
    desk_start(desk);
    struct vm_record *vm = desk_vm(desk, "jobs-web-1");
    vm->tasks_done = 25;
    effects_clear(desk->effects);
    cluster_bank_tasks(desk->cluster, vm, desk->effects);
    cr_assert_eq(desk_service(desk, "jobs")->progress.tasks_done_before, 42);
    cr_assert(isnan(vm->tasks_done));
    cr_assert_eq(desk->effects->items[0].type, EFFECT_PUT_PROGRESS);
    cluster_bank_tasks(desk->cluster, vm, desk->effects);
    cr_assert_eq(desk_service(desk, "jobs")->progress.tasks_done_before, 42);
    desk_free(desk);
}

struct sums {
    uint32_t granted;
    uint32_t reserved;
    uint64_t memory;
    uint64_t vms; /* no padding: compared as bytes */
};

static struct sums sums_of(const struct node_record *node)
{
    return (struct sums){node->cpu_pct_granted, node->cpu_pct_reserved,
                         node->memory_kib_granted, node->vms};
}

/* Whatever people order in whatever sequence, the sums kept on the way are those of a recount,
 * no node holds more than it has, and the agreement's sums are those of its provider's
 * services. */
Test(cluster, sums_kept_step_by_step_are_those_of_a_recount)
{
    struct desk *desk = desk_with_nodes();
    desk_add_node(desk, &(struct desk_node){"xen3", 800, 16 * GIB, DESK_ALL_CAPABILITIES});
    struct object agreement = {.kind = OBJECT_KIND_AGREEMENT};
    (void)snprintf(agreement.agreement.agreement, NAME_SIZE, "alice");
    cr_assert_eq(desk_put(desk, &ADMIN, &agreement), REPLY_DONE);
    struct rng rng;
    rng_init(&rng, 5);
    uint32_t done = 0;
    uint32_t refused = 0;
    for (int i = 0; i < 400; i++) {
        char name[NAME_SIZE];
        (void)snprintf(name, sizeof name, "s%u", (uint32_t)rng_below(&rng, 6));
        struct service web = desk_web(name, (uint32_t)rng_below(&rng, 5) + 1);
        web.vms[0].cpu.min_pct = (uint32_t)rng_below(&rng, 150) + 10;
        web.vms[0].memory_kib = (rng_below(&rng, 8) + 1) * (GIB / 4);
        char vm[NAME_SIZE];
        (void)snprintf(vm, sizeof vm, "s%u-web-1", (uint32_t)rng_below(&rng, 6));
        struct request set = {.method = METHOD_SET_VM, .has_set_vm = true};
        set.set_vm.cap_pct = (uint32_t)rng_below(&rng, 200) + 1;
        memcpy(set.name, vm, sizeof set.name);
        switch (rng_below(&rng, 4)) {
        case 0: (void)desk_ask(desk, &ADMIN, &set); break;
        case 1: (void)desk_order(desk, &ALICE, METHOD_DELETE, OBJECT_KIND_SERVICE, name); break;
        default: (void)desk_put_service(desk, &ALICE, &web); break;
        }
        done += desk->reply.code == REPLY_DONE ? 1 : 0;
        refused += desk->reply.code == REPLY_INFEASIBLE ? 1 : 0;
        struct sums kept[3];
        static const char *const nodes[] = {"xen1", "xen2", "xen3"};
        for (int k = 0; k < 3; k++) {
            const struct node_record *node = desk_node(desk, nodes[k]);
            kept[k] = sums_of(node);
            cr_assert_leq(node->cpu_pct_reserved, node->status.cpu_pct);
            cr_assert_leq(node->memory_kib_granted, node->status.memory_kib);
        }
        plan_recount(desk->cluster);
        for (int k = 0; k < 3; k++) {
            struct sums counted = sums_of(desk_node(desk, nodes[k]));
            cr_assert_eq(memcmp(&counted, &kept[k], sizeof counted), 0, "step %d node %s", i,
                         nodes[k]);
        }
        uint64_t cpu = 0;
        const struct service_record *service = NULL;
        for (uint32_t k = 0; (service = table_next(&desk->cluster->services, &k)) != NULL;) {
            cpu += cluster_need_of(&service->spec).cpu_pct;
        }
        const struct agreement_record *record = table_find(&desk->cluster->agreements, "alice");
        cr_assert_eq(record->used.cpu_pct, cpu);
    }
    cr_assert_gt(done, 100);
    cr_assert_gt(refused, 20);
    desk_free(desk);
}

/* ---- effects ---- */

Test(cluster, each_stored_object_gets_the_next_revision_and_deletes_keep_the_name)
{
    struct desk *desk = desk_with_nodes();
    struct service web = desk_web("shop", 1);
    cr_assert_eq(desk_put_service(desk, &ALICE, &web), REPLY_DONE);
    struct vm_record *vm = desk_vm(desk, "shop-web-1");
    uint64_t revision = desk->cluster->revision;
    effects_clear(desk->effects);
    emit_vm(desk->cluster, vm, desk->effects);
    cr_assert_eq(vm->meta.revision, revision + 1);
    cr_assert_eq(desk->effects->items[0].object.revision, revision + 1);
    cluster_vm_gone(desk->cluster, vm, desk->effects);
    cr_assert_not_null(table_add(&desk->cluster->vms, "takes-its-slot"));
    const struct effect *gone = &desk->effects->items[1];
    cr_assert_eq(gone->type, EFFECT_DELETE_OBJECT);
    cr_assert_str_eq(gone->object.name, "shop-web-1");
    cr_assert_eq(gone->object.revision, revision + 2);
    desk_free(desk);
}

Test(cluster, messages_carry_the_epoch_and_take_no_more_room_than_they_need)
{
    struct desk *desk = desk_with_nodes();
    effects_clear(desk->effects);
    const struct node_message *grant =
        emit_message(desk->cluster, "xen1", NODE_MESSAGE_GRANT, desk->effects);
    cr_assert_eq(grant->type, NODE_MESSAGE_GRANT);
    cr_assert_eq(grant->header.epoch, desk->epoch);
    cr_assert_eq(grant->header.version, PROTOCOL_VERSION);
    cr_assert_lt(desk->effects->arena_used, 512);
    for (int i = 0; i < 2000; i++) {
        (void)emit_message(desk->cluster, "xen1", NODE_MESSAGE_VM_ORDER, desk->effects);
    }
    cr_assert(effects_room(desk->effects, 1), "2000 orders fit into one step");
    desk_free(desk);
}

Test(cluster, event_ids_have_no_gaps_and_texts_are_cut_not_overrun)
{
    struct desk *desk = desk_with_nodes();
    effects_clear(desk->effects);
    uint64_t next = desk->cluster->next_event;
    char longer[2 * TEXT_SIZE];
    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    const struct event_record *one =
        emit_event(desk->cluster, EVENT_KIND_ALARM, REASON_NONE, NULL, NULL, "xen1",
                   desk->effects, "%s", longer);
    const struct event_record *two = emit_event(desk->cluster, EVENT_KIND_ALARM, REASON_NONE,
                                                NULL, "vm", NULL, desk->effects, "short");
    cr_assert_eq(one->id, next);
    cr_assert_eq(two->id, next + 1);
    cr_assert_eq(strlen(one->text), TEXT_SIZE - 1);
    cr_assert_str_eq(one->node, "xen1");
    cr_assert_str_eq(two->owner, "", "not for providers");
    desk_free(desk);
}

Test(cluster, a_core_that_takes_over_within_an_epoch_repeats_no_operation_and_no_uuid)
{
    struct desk *desk = desk_with_nodes();
    struct service web = desk_web("shop", 1);
    cr_assert_eq(desk_put_service(desk, &ALICE, &web), REPLY_DONE);
    char uuid[UUID_SIZE];
    memcpy(uuid, desk_vm(desk, "shop-web-1")->vm.uuid, sizeof uuid);
    uint64_t next = cluster_next_operation(desk->cluster);
    desk->first_operation = next + 1;
    desk->epoch--; /* the same epoch, from what the store has */
    desk_restart(desk);
    cr_assert_eq(cluster_next_operation(desk->cluster), next + 1);
    desk_add_node(desk, &(struct desk_node){"xen1", 400, 8 * GIB, DESK_ALL_CAPABILITIES});
    desk->first_operation = 0;
    struct service more = desk_web("more", 1);
    cr_assert_eq(desk_put_service(desk, &ALICE, &more), REPLY_DONE, "%s", desk->reply.text);
    cr_assert_str_neq(desk_vm(desk, "more-web-1")->vm.uuid, uuid);
    desk_free(desk);
}
