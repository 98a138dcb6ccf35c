// SPDX-License-Identifier: Apache-2.0
/*
 * reconcile.c and recovery.c: what is told and ordered when what is wanted and what is there
 * differ, and when a node is lost. A case is a cluster in virtual time and steps; the outcome
 * is everything that the core told people and ordered from agents, with the time since the
 * step.
 */
#include <criterion/criterion.h>

#include "tests/golden/golden.h"
#include "tests/unit/orchestrator-core/timeline.h"

#define SETTLE_MS 30000
#define WALL_MS   1700000000000 /* of the world's begin */

struct story {
    struct golden_case *it;
    struct world *world;
    int64_t since_ms; /* of the newest step */
    uint32_t told;    /* printed so far */
    uint32_t sent;
    uint64_t shown[256]; /* operations that were printed */
    uint32_t shown_count;
};

/* ---- the situation ---- */

static void add_services(struct story *story)
{
    const char *name = NULL;
    json_t *given = NULL;
    json_object_foreach((json_t *)(uintptr_t)golden_list(story->it->situation, "services"),
                        name, given)
    {
        golden_keys(given, "vms isolation memory");
        const bool fence = strcmp(golden_text(given, "isolation", "run"), "fence") == 0;
        struct world *world = story->world;
        const uint32_t first = world->objects_count + 1; /* of its VMs, behind itself */
        struct service *service =
            world_add_service(world, name, fence ? ISOLATION_FENCE : ISOLATION_RUN,
                              (uint32_t)golden_number(given, "vms", 1));
        service->vms[0].memory_kib =
            golden_memory_kib(given, "memory", service->vms[0].memory_kib);
        for (uint32_t i = first; i < world->objects_count; i++) {
            world->objects[i].vm.memory_kib = service->vms[0].memory_kib;
        }
    }
}

static void begin(struct story *story)
{
    const json_t *situation = story->it->situation;
    golden_keys(situation, "about mode nodes services steps");
    const char *mode = golden_text(situation, "mode", "act");
    story->world = world_new(strcmp(mode, "act") == 0 ? MODE_ACT : MODE_ADVISE);
    const json_t *nodes = golden_list(situation, "nodes");
    for (size_t i = 0; i < json_array_size(nodes); i++) {
        const char *name = json_string_value(json_array_get(nodes, i));
        world_add_node(story->world, name)->waits_for_lease = true; /* as our agents do */
    }
    add_services(story);
    world_start(story->world);
    world_run(story->world, SETTLE_MS);
    story->told = story->world->told_count;
    story->sent = story->world->sent_count;
    story->since_ms = story->world->now_ms;
}

/* ---- the outcome ---- */

static void print_time(const struct story *story, int64_t at_ms)
{
    (void)fprintf(story->it->out, "  %+6.1f s  ", (double)(at_ms - story->since_ms) / 1000.0);
}

/* An order that was not printed yet; the same again only says that it was sent again. */
static bool is_again(struct story *story, uint64_t operation)
{
    for (uint32_t i = 0; i < story->shown_count; i++) {
        if (story->shown[i] == operation) {
            return true;
        }
    }
    story->shown[story->shown_count++ % 256] = operation;
    return false;
}

static void print_order(struct story *story, const struct sent_record *sent)
{
    const struct vm_order *order = &sent->vm_order;
    const bool again = is_again(story, order->operation);
    print_time(story, sent->at_ms);
    (void)fprintf(story->it->out, "order to %s: vm %s %s, generation %llu", sent->node,
                  order->vm, run_state_word(order->desired),
                  (unsigned long long)order->generation);
    if (order->desired == RUN_STATE_RUNNING) {
        (void)fprintf(story->it->out, ", cap %s, %s, %.1f %% of the load",
                      golden_cpu(order->cap_pct), golden_memory(order->memory_kib),
                      order->load_share_permille / 10.0);
    }
    (void)fprintf(story->it->out, "%s\n", again ? " (again)" : "");
}

/* What was told and sent since the last print, in the order of time. */
static void print_news(struct story *story)
{
    const struct world *world = story->world;
    while (story->told < world->told_count || story->sent < world->sent_count) {
        const struct event_record *event =
            story->told < world->told_count ? &world->told[story->told] : NULL;
        const struct sent_record *sent =
            story->sent < world->sent_count ? &world->sent[story->sent] : NULL;
        if (event != NULL && (sent == NULL || event->wall_ms - WALL_MS <= sent->at_ms)) {
            print_time(story, event->wall_ms - WALL_MS);
            (void)fprintf(story->it->out, "%s: %s\n", event_kind_word(event->kind),
                          event->text);
            story->told++;
            continue;
        }
        if (sent->type == NODE_MESSAGE_VM_ORDER) {
            print_order(story, sent);
        }
        story->sent++;
    }
}

static void print_vms(struct story *story)
{
    const struct object *objects = story->world->objects;
    for (uint32_t i = 0; i < story->world->objects_count; i++) {
        if (objects[i].kind != OBJECT_KIND_VM) {
            continue;
        }
        const struct vm_record *vm = vm_record_of(story->world, objects[i].vm.vm);
        if (vm == NULL) {
            continue;
        }
        static const char *const phases[] = {
            "?", "waits for a node", "is assigned", "waits for a proof", "moves", "is removed"};
        (void)fprintf(story->it->out, "  vm %s %s%s%s, generation %llu; %s\n", vm->vm.vm,
                      phases[vm->vm.phase], vm->vm.node[0] != '\0' ? ", node " : "",
                      vm->vm.node, (unsigned long long)vm->vm.generation,
                      is_running(story->world, vm->vm.vm) ? "it runs" : "it does not run");
    }
}

/* ---- steps ---- */

static struct vm_record *vm_called(struct story *story, const char *name)
{
    struct vm_record *vm = vm_record_of(story->world, name);
    if (vm == NULL) {
        golden_wrong("there is no vm %s", name);
    }
    return vm;
}

static struct test_node *node_called(struct story *story, const char *name)
{
    struct test_node *node = node_named(story->world, name);
    if (node == NULL) {
        golden_wrong("there is no node %s", name);
    }
    return node;
}

/* What a request would have stored. */
static void want(struct story *story, const char *name, const char *what, const char *value)
{
    struct vm_record *vm = vm_called(story, name);
    if (strcmp(what, "cap") == 0) {
        vm->vm.cap_pct = golden_parse_cpu_pct(value);
    } else if (strcmp(what, "memory") == 0) {
        vm->vm.memory_kib = golden_parse_kib(value);
    } else if (strcmp(what, "state") == 0) {
        enum run_state state = RUN_STATE_RUNNING;
        while (state < RUN_STATE_UNKNOWN && strcmp(run_state_word(state), value) != 0) {
            state++;
        }
        vm->vm.desired = state;
    } else {
        golden_wrong("want: \"%s\" is unknown", what);
    }
    emit_vm(story->world->cluster, vm, story->world->effects);
    cluster_mark_dirty(story->world->cluster, vm);
}

/* "web-vm-1 cap 0.8, web-vm-2 cap 0.1": all before the core looks. */
static void want_all(struct story *story, const char *list)
{
    world_begin(story->world);
    for (const char *at = list; at != NULL; at = strchr(at, ',')) {
        char name[NAME_SIZE];
        char what[NAME_SIZE];
        char value[NAME_SIZE];
        at += *at == ',' ? 1 : 0;
        if (sscanf(at, " %63s %63s %63[^, ]", name, what, value) != 3) {
            golden_wrong("want \"%s\": expected NAME WHAT VALUE", at);
        }
        want(story, name, what, value);
    }
    world_perform(story->world);
}

/* The guest ends by itself. */
static void end_guest(struct story *story, const char *name)
{
    struct test_node *node = host_of(story->world, name);
    struct node_vm *vm = node == NULL ? NULL : vm_of(node, vm_called(story, name)->vm.uuid);
    if (vm == NULL || !vm->runs) {
        golden_wrong("vm %s does not run", name);
    }
    vm->runs = false;
    vm->state = RUN_STATE_CRASHED;
    node_send_snapshot(story->world, node);
}

static void confirm(struct story *story, const char *name)
{
    (void)node_called(story, name);
    world_begin(story->world);
    recovery_node_confirmed_dead(story->world->cluster, node_record_of(story->world, name),
                                 story->world->effects);
    world_perform(story->world);
}

static void set_network(struct test_node *node, bool cut)
{
    node->up.drops = cut;
    node->down.drops = cut;
}

/* "power off n1" is "power off " with n1 and nothing behind it. */
static bool is_step(const char *step, const char *front, const char *behind,
                    char word[NAME_SIZE])
{
    const size_t length = strlen(front);
    if (strncmp(step, front, length) != 0) {
        return false;
    }
    const size_t size = strcspn(step + length, " ");
    if (size == 0 || size >= NAME_SIZE || strcmp(step + length + size, behind) != 0) {
        return false;
    }
    (void)snprintf(word, NAME_SIZE, "%.*s", (int)size, step + length);
    return true;
}

/* True: the step is about one node. */
static bool do_node_step(struct story *story, const char *step)
{
    char name[NAME_SIZE];
    char value[NAME_SIZE];
    if (is_step(step, "power off ", "", name)) {
        node_power_off(node_called(story, name));
    } else if (is_step(step, "power on ", "", name)) {
        node_power_on(story->world, node_called(story, name));
    } else if (is_step(step, "cut off ", "", name)) {
        set_network(node_called(story, name), true);
    } else if (is_step(step, "join again ", "", name)) {
        set_network(node_called(story, name), false);
    } else if (is_step(step, "confirm-dead ", "", name)) {
        confirm(story, name);
    } else if (is_step(step, "orders get lost to ", "", name)) {
        node_called(story, name)->down.loss_permille = 1000;
    } else if (is_step(step, "orders arrive at ", "", name)) {
        node_called(story, name)->down.loss_permille = 0;
    } else if (sscanf(step, "node %63s has memory %63s", name, value) == 2) {
        (void)node_called(story, name);
        node_record_of(story->world, name)->spec.memory_kib = golden_parse_kib(value);
    } else if (sscanf(step, "node %63s takes for an order %63s", name, value) == 2) {
        node_called(story, name)->boot_ms = (uint32_t)golden_parse_ms(value);
    } else {
        return false;
    }
    return true;
}

static void do_step(struct story *story, const char *step)
{
    char word[NAME_SIZE];
    struct world *world = story->world;
    if (is_step(step, "wait ", "", word)) {
        world_run(world, golden_parse_ms(word));
        print_news(story);
        return;
    }
    (void)fprintf(story->it->out, "%s\n", step);
    story->since_ms = world->now_ms;
    world->cluster->wall_ms = WALL_MS + world->now_ms;
    if (strncmp(step, "want ", 5) == 0) {
        want_all(story, step + 5);
    } else if (is_step(step, "guest crashes ", "", word)) {
        end_guest(story, word);
    } else if (strcmp(step, "restart the orchestrator") == 0) {
        world_crash(world);
        world_start(world);
    } else if (strcmp(step, "set mode act") == 0) {
        world->cluster->settings.mode = MODE_ACT;
    } else if (!do_node_step(story, step)) {
        golden_wrong("step \"%s\" is unknown", step);
    }
}

static void outcome(struct golden_case *it)
{
    struct story *story = calloc(1, sizeof *story);
    story->it = it;
    begin(story);
    (void)fprintf(it->out, "before\n");
    print_vms(story);
    const json_t *steps = golden_list(it->situation, "steps");
    for (size_t i = 0; i < json_array_size(steps); i++) {
        do_step(story, json_string_value(json_array_get(steps, i)));
    }
    (void)fprintf(it->out, "after\n");
    print_vms(story);
    world_free(story->world);
    free(story);
}

Test(golden_reconcile, outcomes_are_what_the_files_say)
{
    golden_check("reconcile", outcome);
}

Test(golden_recovery, outcomes_are_what_the_files_say)
{
    golden_check("recovery", outcome);
}
