// SPDX-License-Identifier: Apache-2.0
/* The cluster in virtual time in which VMs get lost and move: four nodes and one service. */
#ifndef TESTS_ORCHESTRATOR_CORE_RECOVERY_BENCH_H
#define TESTS_ORCHESTRATOR_CORE_RECOVERY_BENCH_H

#include "timeline.h"

static UNUSED struct world *with_cluster(enum mode mode, enum isolation isolation, uint32_t vms)
{
    struct world *world = world_new(mode);
    world_add_node(world, "n1");
    world_add_node(world, "n2");
    world_add_node(world, "n3");
    world_add_node(world, "n4");
    if (vms > 0) {
        world_add_service(world, "web", isolation, vms);
    }
    return world;
}

static UNUSED void start_and_settle(struct world *world)
{
    world_start(world);
    world_run(world, 30000);
}

static UNUSED void confirm_dead(struct world *world, const char *node)
{
    world_begin(world);
    recovery_node_confirmed_dead(world->cluster, node_record_of(world, node), world->effects);
    world_perform(world);
}

#endif
