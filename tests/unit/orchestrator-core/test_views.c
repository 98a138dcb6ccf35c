// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <math.h>

#include "tests/unit/orchestrator-core/desk.h"

TestSuite(views, .timeout = 60);

#define TAKEN_MAX 2048

/* What was given, in order; only what tests look at. */
struct taken {
    uint32_t count;
    struct {
        enum item_kind kind;
        enum object_kind object;
        char name[NAME_SIZE];
    } items[TAKEN_MAX];
    struct object object; /* newest of each */
    struct vm_status vm_status;
    struct service_status service_status;
    struct node_view node_view;
    struct cluster_status cluster_status;
    struct metric_value metric;
    double sum; /* of metrics */
};

static void take(void *context, const struct item *item)
{
    struct taken *taken = context;
    cr_assert_lt(taken->count, TAKEN_MAX);
    const char *name = "";
    enum object_kind object = OBJECT_KIND_UNSPECIFIED;
    switch (item->kind) {
    case ITEM_KIND_OBJECT:
        taken->object = item->object;
        object = item->object.kind;
        name = object_name(&item->object);
        break;
    case ITEM_KIND_VM_STATUS:
        taken->vm_status = item->vm_status;
        name = item->vm_status.vm;
        break;
    case ITEM_KIND_SERVICE_STATUS:
        taken->service_status = item->service_status;
        name = item->service_status.service;
        break;
    case ITEM_KIND_NODE_VIEW:
        taken->node_view = item->node_view;
        name = item->node_view.node;
        break;
    case ITEM_KIND_CLUSTER_STATUS: taken->cluster_status = item->cluster_status; break;
    case ITEM_KIND_METRIC:
        taken->metric = item->metric;
        taken->sum += item->metric.metric.value;
        name = item->metric.metric.name;
        break;
    case ITEM_KIND_EVENT:
    case ITEM_KIND_DECISION:
    case ITEM_KIND_PLACEMENT:
    case ITEM_KIND_UNSPECIFIED: cr_assert_fail("not from the core"); break;
    }
    taken->items[taken->count].kind = item->kind;
    taken->items[taken->count].object = object;
    (void)snprintf(taken->items[taken->count].name, NAME_SIZE, "%s", name);
    taken->count++;
}

/* All pages of at most limit items; returns how many pages. */
static uint32_t read_all(struct desk *desk, const struct request *given, const char *owner,
                         struct taken *taken)
{
    struct request request = *given;
    uint32_t pages = 0;
    uint32_t before = 0;
    memset(taken, 0, sizeof *taken);
    do {
        request.after =
            cluster_items(desk->cluster, &request, owner, desk->now_ms, take, taken);
        uint32_t most = request.limit == 0                                    ? REPLY_ITEMS_MAX
                        : request.limit < 2 && request.kind == OBJECT_KIND_VM ? 2
                                                                              : request.limit;
        cr_assert_leq(taken->count - before, most);
        before = taken->count;
        pages++;
    } while (request.after != 0);
    return pages;
}

static struct desk *desk_with_services(void)
{
    struct desk *desk = desk_with_nodes();
    for (int i = 0; i < 6; i++) {
        char name[NAME_SIZE];
        (void)snprintf(name, sizeof name, "%s%d", i % 2 == 0 ? "a" : "b", i);
        struct service web = desk_web(name, 2);
        web.vms[0].memory_kib = GIB / 2;
        web.vms[0].cpu.min_pct = 10;
        cr_assert_eq(desk_put_service(desk, i % 2 == 0 ? &ALICE : &BOB, &web), REPLY_DONE);
    }
    return desk;
}

static struct taken *taken_new(void)
{
    return calloc(1, sizeof(struct taken));
}

Test(views, pages_of_any_size_give_every_object_once)
{
    struct desk *desk = desk_with_services();
    struct taken *taken = taken_new();
    for (uint32_t limit = 1; limit < 14; limit++) {
        struct request request = {
            .method = METHOD_GET, .kind = OBJECT_KIND_SERVICE, .limit = limit};
        cr_assert_eq(read_all(desk, &request, NULL, taken), (6 + limit - 1) / limit);
        cr_assert_eq(taken->count, 6);
        request.kind = OBJECT_KIND_VM;
        (void)read_all(desk, &request, NULL, taken);
        cr_assert_eq(taken->count, 24, "12 VMs and their statuses");
        for (uint32_t i = 0; i < taken->count; i += 2) {
            cr_assert_eq(taken->items[i].kind, ITEM_KIND_OBJECT);
            cr_assert_eq(taken->items[i + 1].kind, ITEM_KIND_VM_STATUS);
            cr_assert_str_eq(taken->items[i].name, taken->items[i + 1].name);
        }
        request = (struct request){.method = METHOD_STATUS, .limit = limit};
        (void)read_all(desk, &request, NULL, taken);
        cr_assert_eq(taken->count, 1 + 6 + 2);
        cr_assert_eq(taken->items[0].kind, ITEM_KIND_CLUSTER_STATUS);
        cr_assert_eq(taken->items[6].kind, ITEM_KIND_SERVICE_STATUS);
        cr_assert_eq(taken->items[8].kind, ITEM_KIND_NODE_VIEW);
    }
    free(taken);
    desk_free(desk);
}

Test(views, filters_narrow_and_agree_with_each_other)
{
    struct desk *desk = desk_with_services();
    struct taken *taken = taken_new();
    struct request request = {.method = METHOD_GET, .kind = OBJECT_KIND_VM};
    (void)snprintf(request.node, NAME_SIZE, "xen1");
    (void)read_all(desk, &request, NULL, taken);
    uint32_t on_one = taken->count;
    (void)snprintf(request.node, NAME_SIZE, "xen2");
    (void)read_all(desk, &request, NULL, taken);
    cr_assert_eq(on_one + taken->count, 24);
    cr_assert_eq(on_one / 2, desk_node(desk, "xen1")->vms);
    request = (struct request){.method = METHOD_GET, .kind = OBJECT_KIND_VM};
    (void)snprintf(request.service, NAME_SIZE, "a2");
    (void)read_all(desk, &request, NULL, taken);
    cr_assert_eq(taken->count, 4);
    (void)snprintf(request.name, NAME_SIZE, "a2-web-2");
    (void)read_all(desk, &request, NULL, taken);
    cr_assert_eq(taken->count, 2);
    cr_assert_str_eq(taken->object.vm.vm, "a2-web-2");
    cr_assert_str_eq(taken->object.owner, "alice");
    (void)read_all(desk, &request, "bob", taken);
    cr_assert_eq(taken->count, 0);
    free(taken);
    desk_free(desk);
}

Test(views, provider_sees_its_own_and_only_names_of_what_its_file_may_use)
{
    struct desk *desk = desk_with_services();
    struct object image = {.kind = OBJECT_KIND_IMAGE};
    image.image.format = IMAGE_FORMAT_MODEL;
    (void)snprintf(image.image.image, NAME_SIZE, "secret");
    (void)snprintf(image.image.source, URL_SIZE, "file:///srv/secret");
    cr_assert_eq(desk_put(desk, &ADMIN, &image), REPLY_DONE);
    struct object storage = {.kind = OBJECT_KIND_STORAGE};
    storage.storage.version = 1;
    storage.storage.nodes_count = 1;
    (void)snprintf(storage.storage.storage, NAME_SIZE, "san");
    (void)snprintf(storage.storage.path, PATH_SIZE, "/srv/san");
    (void)snprintf(storage.storage.nodes[0], NAME_SIZE, "xen1");
    cr_assert_eq(desk_put(desk, &ADMIN, &storage), REPLY_DONE);
    struct object network = {.kind = OBJECT_KIND_NETWORK};
    network.network.version = 1;
    (void)snprintf(network.network.network, NAME_SIZE, "dmz");
    (void)snprintf(network.network.bridge, NAME_SIZE, "xenbr1");
    cr_assert_eq(desk_put(desk, &ADMIN, &network), REPLY_DONE);
    struct taken *taken = taken_new();
    static const struct {
        enum object_kind kind;
        uint32_t all;
        uint32_t own;
    } cases[] = {{OBJECT_KIND_SERVICE, 6, 3},
                 {OBJECT_KIND_VM, 24, 12},
                 {OBJECT_KIND_NODE, 2, 0},
                 {OBJECT_KIND_IMAGE, 2, 2},
                 {OBJECT_KIND_SETTINGS, 1, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct request request = {.method = METHOD_GET, .kind = cases[i].kind};
        (void)read_all(desk, &request, NULL, taken);
        cr_assert_eq(taken->count, cases[i].all);
        (void)read_all(desk, &request, "alice", taken);
        cr_assert_eq(taken->count, cases[i].own);
    }
    struct request request = {.method = METHOD_GET, .kind = OBJECT_KIND_IMAGE};
    (void)snprintf(request.name, NAME_SIZE, "secret");
    (void)read_all(desk, &request, NULL, taken);
    cr_assert_str_eq(taken->object.image.source, "file:///srv/secret");
    (void)read_all(desk, &request, "alice", taken);
    cr_assert_str_eq(taken->object.image.image, "secret");
    cr_assert_str_eq(taken->object.image.source, "");
    cr_assert_str_eq(taken->object.owner, "");
    request = (struct request){.method = METHOD_GET, .kind = OBJECT_KIND_STORAGE};
    (void)read_all(desk, &request, "alice", taken);
    cr_assert_str_eq(taken->object.storage.storage, "san");
    cr_assert_str_eq(taken->object.storage.path, "/hidden");
    cr_assert_str_eq(taken->object.storage.nodes[0], "hidden");
    request.kind = OBJECT_KIND_NETWORK;
    (void)read_all(desk, &request, "alice", taken);
    cr_assert_str_eq(taken->object.network.network, "dmz");
    cr_assert_str_eq(taken->object.network.bridge, "hidden");
    request = (struct request){.method = METHOD_STATUS};
    (void)read_all(desk, &request, "alice", taken);
    cr_assert_eq(taken->count, 1 + 3);
    cr_assert_eq(taken->cluster_status.services, 3);
    cr_assert_eq(taken->cluster_status.vms, 6);
    (void)read_all(desk, &request, "", taken);
    cr_assert_eq(taken->count, 1);
    free(taken);
    desk_free(desk);
}

Test(views, agreement_is_seen_by_its_provider_alone)
{
    struct desk *desk = desk_with_nodes();
    struct object agreement = {.kind = OBJECT_KIND_AGREEMENT};
    (void)snprintf(agreement.agreement.agreement, NAME_SIZE, "alice");
    cr_assert_eq(desk_put(desk, &ADMIN, &agreement), REPLY_DONE);
    (void)snprintf(agreement.agreement.agreement, NAME_SIZE, "bob");
    cr_assert_eq(desk_put(desk, &ADMIN, &agreement), REPLY_DONE);
    struct taken *taken = taken_new();
    struct request request = {.method = METHOD_GET, .kind = OBJECT_KIND_AGREEMENT};
    (void)read_all(desk, &request, "alice", taken);
    cr_assert_eq(taken->count, 1);
    cr_assert_str_eq(taken->items[0].name, "alice");
    request.limit = 1;
    (void)snprintf(request.name, NAME_SIZE, "bob");
    cr_assert_eq(desk_ask(desk, &ALICE, &request), REPLY_NOT_FOUND);
    cr_assert_eq(desk_ask(desk, &BOB, &request), REPLY_DONE);
    free(taken);
    desk_free(desk);
}

Test(views, status_of_a_service_adds_up_its_vms_and_names_its_first_problem)
{
    struct desk *desk = desk_with_nodes();
    struct service web = desk_web("shop", 2);
    web.objective.weight = 2;
    cr_assert_eq(desk_put_service(desk, &ALICE, &web), REPLY_DONE);
    struct vm_record *one = desk_vm(desk, "shop-web-1");
    struct vm_record *two = desk_vm(desk, "shop-web-2");
    one->status_known = true;
    one->status.state = RUN_STATE_RUNNING;
    one->status.problem = REASON_NONE;
    two->problem = REASON_IMAGE_CHECKSUM;
    (void)snprintf(two->problem_text, TEXT_SIZE, "sha256 differs");
    struct taken *taken = taken_new();
    struct request request = {.method = METHOD_STATUS};
    (void)snprintf(request.service, NAME_SIZE, "shop");
    (void)read_all(desk, &request, NULL, taken);
    cr_assert_eq(taken->count, 2, "no nodes when one service is asked for");
    const struct service_status *status = &taken->service_status;
    cr_assert_eq(status->vms_wanted, 2);
    cr_assert_eq(status->vms_running, 1);
    cr_assert_eq(status->cap_pct, 100);
    cr_assert_eq(status->cap_pct_max, 400);
    cr_assert_eq(status->memory_kib, 2 * GIB);
    cr_assert_eq(status->weight, 2);
    cr_assert_not(status->level_known);
    cr_assert_eq(status->measurement_age_ms, UINT32_MAX);
    cr_assert_float_eq(status->target_value, 200.0, 1e-9);
    cr_assert_eq(status->problem, REASON_IMAGE_CHECKSUM);
    cr_assert_str_eq(status->problem_text, "shop-web-2: sha256 differs");
    struct service_record *service = desk_service(desk, "shop");
    service->level = 0.61;
    service->measured_at_ms = desk->now_ms - 1500;
    service->met_known = true;
    service->met = true;
    (void)read_all(desk, &request, NULL, taken);
    cr_assert(taken->service_status.level_known);
    cr_assert(taken->service_status.met);
    cr_assert_eq(taken->service_status.measurement_age_ms, 1500);
    free(taken);
    desk_free(desk);
}

Test(views, summary_is_the_weighted_geometric_mean_of_known_levels)
{
    struct desk *desk = desk_with_services();
    struct cluster_status status;
    cluster_summary(desk->cluster, &status);
    cr_assert_eq(status.services, 6);
    cr_assert_eq(status.services_unknown, 6);
    cr_assert(isnan(status.mean_level));
    cr_assert_eq(status.nodes_up, 2);
    cr_assert_eq(status.mode, MODE_ACT);
    desk_service(desk, "a0")->level = 0.9;
    desk_service(desk, "b1")->level = 0.4;
    desk_service(desk, "b1")->spec.objective.weight = 3;
    desk_service(desk, "a0")->met_known = true;
    desk_service(desk, "a0")->met = true;
    cluster_summary(desk->cluster, &status);
    cr_assert_eq(status.services_unknown, 4);
    cr_assert_eq(status.services_met, 1);
    cr_assert_float_eq(status.sigma, 0.9 * 0.4 * 0.4 * 0.4, 1e-12);
    cr_assert_float_eq(status.mean_level, pow(0.9 * 0.4 * 0.4 * 0.4, 0.25), 1e-12);
    desk_free(desk);
}

Test(views, vm_without_status_is_unknown_not_stopped)
{
    struct desk *desk = desk_with_services();
    struct taken *taken = taken_new();
    struct request request = {.method = METHOD_GET, .kind = OBJECT_KIND_VM};
    (void)snprintf(request.name, NAME_SIZE, "a0-web-1");
    (void)read_all(desk, &request, NULL, taken);
    cr_assert_eq(taken->vm_status.state, RUN_STATE_UNKNOWN);
    cr_assert_str_eq(taken->vm_status.vm, "a0-web-1");
    cr_assert_eq(taken->vm_status.problem, REASON_NONE);
    free(taken);
    desk_free(desk);
}

static void add_metric(struct desk *desk, const char *node, enum metric_subject subject,
                       const char *name, uint32_t kinds)
{
    char key[METRIC_KEY_SIZE];
    (void)snprintf(key, sizeof key, "%s/%d/%s", node, (int)subject, name);
    struct metric_record *record = table_add(&desk->cluster->metrics, key);
    cr_assert_not_null(record);
    (void)snprintf(record->node, NAME_SIZE, "%s", node);
    (void)snprintf(record->name, NAME_SIZE, "%s", name);
    record->subject = subject;
    for (uint32_t kind = 1; kind <= kinds; kind++) {
        record->known |= 1u << kind;
        record->value[kind] = kind;
        record->at_ms[kind] = desk->now_ms - 250;
    }
}

Test(views, metrics_of_any_number_are_read_page_by_page_and_owners_apart)
{
    struct desk *desk = desk_with_services();
    uint32_t all = 0;
    for (int i = 0; i < 90; i++) {
        char node[NAME_SIZE];
        (void)snprintf(node, sizeof node, "node%d", i);
        add_metric(desk, node, METRIC_SUBJECT_NODE, node, 20);
        all += 20;
    }
    add_metric(desk, "xen1", METRIC_SUBJECT_VM, "a0-web-1", 5);
    add_metric(desk, "xen1", METRIC_SUBJECT_VM, "b1-web-1", 7);
    add_metric(desk, "xen2", METRIC_SUBJECT_ENTRY, "a0", 3);
    struct taken *taken = taken_new();
    struct request request = {.method = METHOD_METRICS};
    cr_assert_eq(read_all(desk, &request, NULL, taken), (all + 15 + 255) / 256);
    cr_assert_eq(taken->count, all + 15);
    cr_assert_float_eq(taken->sum, 90 * 210 + 15 + 28 + 6, 1e-9);
    cr_assert_eq(taken->metric.metric.age_ms, 250);
    request.limit = 7;
    (void)read_all(desk, &request, NULL, taken);
    cr_assert_eq(taken->count, all + 15);
    (void)read_all(desk, &request, "alice", taken);
    cr_assert_eq(taken->count, 8);
    (void)snprintf(request.service, NAME_SIZE, "b1");
    (void)read_all(desk, &request, NULL, taken);
    cr_assert_eq(taken->count, 7);
    (void)read_all(desk, &request, "alice", taken);
    cr_assert_eq(taken->count, 0);
    free(taken);
    desk_free(desk);
}

Test(views, any_cursor_from_outside_is_harmless)
{
    struct desk *desk = desk_with_services();
    add_metric(desk, "xen1", METRIC_SUBJECT_NODE, "xen1", 20);
    struct taken *taken = taken_new();
    struct rng rng;
    rng_init(&rng, 9);
    static const enum method methods[] = {METHOD_GET, METHOD_STATUS, METHOD_METRICS};
    for (int i = 0; i < 3000; i++) {
        struct request request = {.method = methods[rng_below(&rng, 3)],
                                  .kind = (enum object_kind)rng_below(&rng, 10),
                                  .limit = (uint32_t)rng_below(&rng, 300),
                                  .after = rng_next(&rng) >> rng_below(&rng, 64)};
        taken->count = 0;
        (void)cluster_items(desk->cluster, &request, NULL, desk->now_ms, take, taken);
        cr_assert_leq(taken->count, REPLY_ITEMS_MAX);
    }
    free(taken);
    desk_free(desk);
}
