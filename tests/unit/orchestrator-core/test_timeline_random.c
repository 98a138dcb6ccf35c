// SPDX-License-Identifier: Apache-2.0
/*
 * The promise above all, by random schedules: never two running instances of one VM. Messages
 * are lost, held, delayed and repeated; nodes lose power, agents die, the orchestrator crashes,
 * stops cleanly and is halted; VMs are moved, nodes drained, isolation changed, and a person
 * confirms deaths that are true. When all faults end, every wanted VM runs once.
 */
#include <criterion/criterion.h>

#include "timeline.h"

#define SEEDS        40
#define TROUBLE_MS   300000
#define PEACE_MS     120000
#define SERVICES     3
#define VMS_EACH     3
#define FAULT_ODDS   40 /* one action in so many steps of STEP_MS * ACT_EVERY */
#define ACT_EVERY_MS 100

static const char *const service_names[SERVICES] = {"alpha", "beta", "gamma"};

static struct test_node *any_node(struct world *world)
{
    return &world->nodes[rng_below(&world->rng, world->nodes_count)];
}

static struct vm_record *any_vm(struct world *world)
{
    uint32_t skip = (uint32_t)rng_below(&world->rng, SERVICES * VMS_EACH);
    struct vm_record *vm = NULL;
    for (uint32_t i = 0; (vm = table_next(&world->cluster->vms, &i)) != NULL;) {
        if (skip-- == 0) {
            return vm;
        }
    }
    return NULL;
}

static void trouble_wires(struct world *world, struct test_node *node)
{
    switch (rng_below(&world->rng, 7)) {
    case 0: node->up.drops = !node->up.drops; break;
    case 1: node->down.drops = !node->down.drops; break;
    case 2: node->up.holds = !node->up.holds; break;
    case 3: node->down.holds = !node->down.holds; break;
    case 4: node->up.loss_permille = (uint32_t)rng_below(&world->rng, 400); break;
    case 5: node->down.loss_permille = (uint32_t)rng_below(&world->rng, 400); break;
    default:
        node->up.drops = node->down.drops = false;
        node->up.holds = node->down.holds = false;
        break;
    }
    node->up.delay_ms = (uint32_t)rng_below(&world->rng, 3000);
    node->down.delay_ms = (uint32_t)rng_below(&world->rng, 3000);
    node->up.repeat_permille = (uint32_t)rng_below(&world->rng, 300);
    node->down.repeat_permille = (uint32_t)rng_below(&world->rng, 300);
}

static void trouble_node(struct world *world, struct test_node *node)
{
    if (!node->powered) {
        node_power_on(world, node);
    } else if (!node->agent) {
        node_restart_agent(world, node);
    } else if (rng_below(&world->rng, 2) == 0) {
        node_power_off(node);
    } else {
        node_kill_agent(node);
    }
}

static void trouble_orchestrator(struct world *world)
{
    if (world->cluster == NULL) {
        world_start(world);
        return;
    }
    if (world->stopped) {
        world->stopped = false;
        return;
    }
    switch (rng_below(&world->rng, 3)) {
    case 0: world_crash(world); break;
    case 1:
        world_step(world, &(struct cluster_event){.type = CLUSTER_EVENT_STOP});
        world_run(world, 50);
        world_crash(world);
        break;
    default: world->stopped = true; break; /* halted: goes on later as if nothing had been */
    }
}

/* What people do. A death is confirmed only when it is true. */
static void act_as_person(struct world *world)
{
    struct test_node *node = any_node(world);
    struct node_record *record = node_record_of(world, node->name);
    struct vm_record *vm = any_vm(world);
    enum reason why = REASON_NONE;
    world_begin(world);
    switch (rng_below(&world->rng, 5)) {
    case 0:
        if (record != NULL && !node->powered) {
            recovery_node_confirmed_dead(world->cluster, record, world->effects);
        }
        break;
    case 1:
        if (record != NULL && vm != NULL) {
            (void)recovery_move(world->cluster, vm, record, &why, world->effects);
        }
        break;
    case 2:
        if (record != NULL) {
            record->spec.draining = !record->spec.draining;
            emit_node(world->cluster, record, world->effects);
        }
        break;
    case 3:
        if (vm != NULL) {
            struct service_record *service = cluster_service_of(world->cluster, vm);
            service->spec.isolation =
                service->spec.isolation == ISOLATION_RUN ? ISOLATION_FENCE : ISOLATION_RUN;
            emit_service(world->cluster, service, world->effects);
        }
        break;
    default:
        if (vm != NULL && vm->vm.phase != VM_PHASE_REMOVING) {
            vm->vm.desired =
                vm->vm.desired == RUN_STATE_RUNNING ? RUN_STATE_STOPPED : RUN_STATE_RUNNING;
            emit_vm(world->cluster, vm, world->effects);
            cluster_mark_dirty(world->cluster, vm);
        }
        break;
    }
    world_perform(world);
}

static void trouble(struct world *world)
{
    if (world->cluster != NULL) {
        world->cluster->failover_count =
            0; /* the promise must not rest on the brake's window */
    }
    switch (rng_below(&world->rng, 8)) {
    case 0:
    case 1:
    case 2: trouble_wires(world, any_node(world)); break;
    case 3:
    case 4: trouble_node(world, any_node(world)); break;
    case 5: trouble_orchestrator(world); break;
    default:
        if (!world->stopped) {
            act_as_person(world);
        }
        break;
    }
}

static void peace(struct world *world)
{
    for (uint32_t i = 0; i < world->nodes_count; i++) {
        struct test_node *node = &world->nodes[i];
        node->up.drops = node->down.drops = false;
        node->up.holds = node->down.holds = false;
        node->up.loss_permille = node->down.loss_permille = 0;
        node->up.repeat_permille = node->down.repeat_permille = 0;
        node->up.delay_ms = node->down.delay_ms = 0;
        if (!node->powered) {
            node_power_on(world, node);
        } else if (!node->agent) {
            node_restart_agent(world, node);
        }
    }
    if (world->cluster == NULL) {
        world_start(world);
    }
    world->stopped = false;
    struct node_record *node = NULL;
    for (uint32_t i = 0; (node = table_next(&world->cluster->nodes, &i)) != NULL;) {
        node->spec.draining = false;
    }
    struct vm_record *vm = NULL;
    for (uint32_t i = 0; (vm = table_next(&world->cluster->vms, &i)) != NULL;) {
        vm->vm.desired = RUN_STATE_RUNNING;
        cluster_mark_dirty(world->cluster, vm);
    }
}

static struct world *random_world(uint64_t seed, uint32_t nodes)
{
    static const char *const names[] = {"n1", "n2", "n3", "n4", "n5", "n6"};
    struct world *world = world_new(MODE_ACT);
    rng_init(&world->rng, seed);
    for (uint32_t i = 0; i < nodes; i++) {
        struct test_node *node = world_add_node(world, names[i]);
        node->clock_rate = 0.995 + 0.01 * rng_unit(&world->rng);
        node->boot_ms = 50 + (uint32_t)rng_below(&world->rng, 4000);
        node->lists_absent = rng_below(&world->rng, 2) == 0;
        node->waits_for_lease = rng_below(&world->rng, 2) == 0;
    }
    for (uint32_t i = 0; i < SERVICES; i++) {
        world_add_service(world, service_names[i],
                          rng_below(&world->rng, 3) == 0 ? ISOLATION_RUN : ISOLATION_FENCE,
                          VMS_EACH);
    }
    return world;
}

/* Returns how many VMs were started on another node: schedules that do nothing prove nothing.
 */
static uint64_t run_schedule(uint64_t seed)
{
    struct world *world = random_world(seed, 3 + (uint32_t)(seed % 4));
    world_start(world);
    world_run(world, 20000);
    int64_t until_ms = world->now_ms + TROUBLE_MS;
    int64_t act_at_ms = world->now_ms;
    while (world->now_ms < until_ms) {
        if (world->now_ms >= act_at_ms) {
            act_at_ms = world->now_ms + ACT_EVERY_MS;
            if (rng_below(&world->rng, FAULT_ODDS) == 0) {
                trouble(world);
            }
        }
        world_advance(world);
        cr_assert_leq(world_worst(world), 1, "seed %llu, at %lld ms: two instances",
                      (unsigned long long)seed, (long long)world->now_ms);
    }
    peace(world);
    for (int64_t end_ms = world->now_ms + PEACE_MS; world->now_ms < end_ms;) {
        world_advance(world);
        cr_assert_leq(world_worst(world), 1, "seed %llu, at %lld ms: two instances",
                      (unsigned long long)seed, (long long)world->now_ms);
    }
    uint64_t generations = 0;
    const struct vm_record *vm = NULL;
    for (uint32_t i = 0; (vm = table_next(&world->cluster->vms, &i)) != NULL;) {
        cr_assert_eq(world_instances(world, vm->vm.uuid), 1,
                     "seed %llu: %s does not run: phase %d on %s, %s %s",
                     (unsigned long long)seed, vm->vm.vm, vm->vm.phase, vm->vm.node,
                     reason_word(vm->problem), vm->problem_text);
        generations += vm->vm.generation - 1;
    }
    world_free(world);
    return generations;
}

static void run_schedules(uint64_t first)
{
    uint64_t generations = 0;
    for (uint64_t seed = first; seed < first + SEEDS / 4; seed++) {
        generations += run_schedule(seed);
    }
    cr_assert_gt(generations, 0, "the schedules moved nothing");
}

Test(timeline_random, never_two_instances_whatever_is_lost_late_or_repeated)
{
    const char *seed = getenv("TIMELINE_SEED");
    if (seed != NULL) {
        (void)run_schedule(strtoull(seed, NULL, 10));
        return;
    }
    run_schedules(1);
}

Test(timeline_random, never_two_instances_second_part)
{
    run_schedules(1001);
}

Test(timeline_random, never_two_instances_third_part)
{
    run_schedules(2001);
}

Test(timeline_random, never_two_instances_fourth_part)
{
    run_schedules(3001);
}
