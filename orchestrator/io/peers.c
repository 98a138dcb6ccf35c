// SPDX-License-Identifier: Apache-2.0
#include "orchestrator/io/loop_state.h"

struct peer *peers_find(struct loop *loop, const char *node)
{
    return table_find(&loop->peers, node);
}

struct peer *peers_heard(struct loop *loop, const char *node, const struct bus_route *route)
{
    struct peer *peer = table_find(&loop->peers, node);
    if (peer == NULL) {
        peer = table_add(&loop->peers, node);
    }
    if (peer != NULL) {
        peer->route = *route;
        peer->heard_at_ms = loop->now_ms;
    }
    return peer;
}
