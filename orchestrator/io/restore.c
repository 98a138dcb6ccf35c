// SPDX-License-Identifier: Apache-2.0
#include <errno.h>

#include "common/io/clock.h"
#include "common/io/log.h"
#include "orchestrator/io/loop_state.h"

static void load_record(void *context, const struct stored_record *record)
{
    struct loop *loop = context;
    struct cluster_event event = {.type = CLUSTER_EVENT_LOAD,
                                  .now_ms = loop->now_ms,
                                  .wall_ms = clock_wall_ms(),
                                  .load = record};
    effects_clear(loop->effects);
    cluster_step(loop->cluster, &event, loop->effects); /* loading has no effects */
}

static int load_core(struct loop *loop, struct err *err)
{
    cluster_destroy(loop->cluster);
    loop->cluster = cluster_create(&loop->settings.cluster, err);
    if (loop->cluster == NULL) {
        return err->code;
    }
    return loop->store_driver->load(loop->store, clock_wall_ms(), load_record, loop, err);
}

static int start_core(struct loop *loop, uint64_t next_event, uint64_t next_decision,
                      uint64_t first_operation, struct err *err)
{
    struct cluster_event event = {.type = CLUSTER_EVENT_START};
    event.start.epoch = loop->epoch;
    event.start.next_event = next_event;
    event.start.next_decision = next_decision;
    event.start.first_operation = first_operation;
    return loop_step(loop, &event, err);
}

int restore_start(struct loop *loop, struct err *err)
{
    uint64_t next_event = 0;
    uint64_t next_decision = 0;
    int rc = load_core(loop, err);
    if (rc == 0) {
        rc = loop->store_driver->begin_epoch(loop->store, &loop->epoch, &next_event,
                                             &next_decision, err);
    }
    if (rc == 0) {
        rc = start_core(loop, next_event, next_decision, 0, err);
    }
    return rc;
}

/*
 * Nodes said hello to the core that is gone, and will not say it again in this epoch: it is
 * said for them, and they are asked anew what they run. Not for nodes that have been silent:
 * those may be lost, and must not seem to speak.
 */
static int repeat_hellos(struct loop *loop, struct err *err)
{
    int rc = 0;
    struct peer *peer = NULL;
    for (uint32_t slot = 0; rc == 0 && (peer = table_next(&loop->peers, &slot)) != NULL;) {
        struct cluster_event event = {.type = CLUSTER_EVENT_NODE};
        struct err why = {0};
        if (loop->now_ms - peer->heard_at_ms >= loop->settings.cluster.suspect_after_ms ||
            peer->hello.size == 0 ||
            codec_decode_node_message(peer->hello.data, peer->hello.size, loop->incoming,
                                      &why) != 0) {
            continue;
        }
        event.node.name = peer->node;
        event.node.message = loop->incoming;
        rc = loop_step(loop, &event, err);
    }
    return rc;
}

int restore_reload(struct loop *loop, struct err *err)
{
    uint64_t next_event = 0;
    uint64_t next_decision = 0;
    /* Never one that the old core may have used, nor where it began. */
    uint64_t first_operation = cluster_next_operation(loop->cluster) + 1;
    solver_forget(loop->solver);
    int rc = load_core(loop, err);
    if (rc == 0) {
        rc = loop->store_driver->next_ids(loop->store, &next_event, &next_decision, err);
    }
    if (rc == 0) {
        rc = start_core(loop, next_event, next_decision, first_operation, err);
    }
    if (rc == 0) {
        rc = repeat_hellos(loop, err);
    }
    if (rc == 0) {
        log_line(LOG_LEVEL_WARN, "state reloaded from the store after a failed commit");
    }
    return rc;
}
