// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/io/log.h"
#include "orchestrator/io/loop_state.h"

#define RETRY_AFTER_MS 5000

/* True when something stored earlier is not durable yet. */
static bool must_wait(const struct loop *loop)
{
    return loop->open->changes_count > 0 ||
           (loop->committing != NULL && loop->committing->changes_count > 0);
}

static void send_control(struct loop *loop, const char *node, uint32_t lease_ms,
                         const void *data, size_t size)
{
    struct peer *peer = peers_find(loop, node);
    int rc = peer == NULL ? -EHOSTUNREACH : bus_send(loop->control, &peer->route, data, size);
    if (rc == 0 && lease_ms != 0) {
        peer->lease_ms = lease_ms;
    }
    if (rc != 0) {
        loop->unsent++;
        log_line(LOG_LEVEL_DEBUG, "message to node %s not sent: %s", node,
                 strerrordesc_np(-rc));
    }
}

static void send_api(struct loop *loop, const struct bus_route *route, const void *data,
                     size_t size)
{
    int rc = bus_send(loop->api, route, data, size);
    if (rc != 0) {
        loop->unsent++;
        log_line(LOG_LEVEL_DEBUG, "reply not sent: %s", strerrordesc_np(-rc));
    }
}

static uint32_t lease_of(const struct node_message *message)
{
    return message->type == NODE_MESSAGE_GRANT ? message->grant.lease_ms : 0;
}

/*
 * A grant that prolongs the lease that the node has depends on nothing that is stored: it goes
 * out at once, however slow the disk is. Any other one keeps its place behind the orders that
 * were given before it, since what a node may start under its first lease depends on them.
 */
static bool may_overtake(const struct peer *peer, const struct node_message *message)
{
    uint32_t lease_ms = lease_of(message);
    return lease_ms != 0 && lease_ms == peer->lease_ms;
}

static int perform_send(struct loop *loop, const struct effect *effect, struct err *err)
{
    struct node_message *message = effect->send.message;
    struct peer *peer = peers_find(loop, effect->send.node);
    if (peer == NULL) {
        loop->unsent++;
        return 0;
    }
    message->header.sequence = ++peer->sent;
    int rc = codec_encode_node_message(message, &loop->scratch, err);
    if (rc != 0) {
        return err_wrap(err, "message to node %s", effect->send.node);
    }
    if (!must_wait(loop) || may_overtake(peer, message)) {
        send_control(loop, effect->send.node, lease_of(message), loop->scratch.data,
                     loop->scratch.size);
        return 0;
    }
    struct held_message *held = batch_add_message(loop->open, TARGET_ROUTE_CONTROL,
                                                  loop->scratch.data, loop->scratch.size);
    if (held == NULL) {
        return err_set(err, -ENOMEM, "no memory for a message");
    }
    (void)snprintf(held->node, sizeof held->node, "%s", effect->send.node);
    held->lease_ms = lease_of(message);
    return 0;
}

static void append_item(void *context, const struct item *item)
{
    struct loop *loop = context;
    struct err err = {0};
    if (codec_append_item(&loop->scratch, item, &err) != 0) {
        log_line(LOG_LEVEL_ERROR, "item left out of a reply: %s", err.text);
    }
}

/* Items first, since the cursor in the head is known only afterwards. */
static int encode_reply(struct loop *loop, const struct effect *effect, struct err *err)
{
    struct reply *reply = effect->reply.reply;
    loop->scratch.size = 0;
    if (effect->reply.source == ITEMS_CORE) {
        reply->next = cluster_items(loop->cluster, effect->reply.request, effect->reply.owner,
                                    loop->now_ms, append_item, loop);
    } else if (effect->reply.source == ITEMS_PLAN) {
        for (uint32_t i = 0; i < effect->reply.placements_count; i++) {
            struct item *item = loop->item;
            item->kind = ITEM_KIND_PLACEMENT;
            item->placement = effect->reply.placements[i];
            append_item(loop, item);
        }
    }
    int rc = codec_encode_reply(reply, &loop->head, err);
    if (rc == 0 && bytes_append(&loop->head, loop->scratch.data, loop->scratch.size) != 0) {
        rc = err_set(err, -ENOMEM, "no memory for a reply");
    }
    return rc;
}

static int perform_reply(struct loop *loop, const struct effect *effect, struct err *err)
{
    if (effect->reply.source == ITEMS_EVENTS || effect->reply.source == ITEMS_DECISIONS) {
        enum write_kind kind =
            effect->reply.source == ITEMS_EVENTS ? WRITE_READ_EVENTS : WRITE_READ_DECISIONS;
        return batch_add_read(loop->open, kind, effect, loop->request_route) == 0
                   ? 0
                   : err_set(err, -ENOMEM, "no memory for a reply");
    }
    int rc = encode_reply(loop, effect, err);
    if (rc != 0) {
        return err_wrap(err, "reply");
    }
    /* While the store fails no change is accepted, and what is read waits for nothing. */
    bool is_change = effect->reply.request->method >= METHOD_PUT;
    if (!must_wait(loop) || (loop->failing != 0 && !is_change)) {
        send_api(loop, &loop->request_route, loop->head.data, loop->head.size);
        return 0;
    }
    struct held_message *held =
        batch_add_message(loop->open, TARGET_ROUTE_API, loop->head.data, loop->head.size);
    if (held == NULL) {
        return err_set(err, -ENOMEM, "no memory for a reply");
    }
    held->route = loop->request_route;
    held->is_change = is_change;
    memcpy(held->request_id, effect->reply.reply->request_id, sizeof held->request_id);
    return 0;
}

static int perform_event(struct loop *loop, const struct effect *effect, struct err *err)
{
    int rc = batch_add_write(loop->open, effect, err);
    if (rc != 0) {
        return rc;
    }
    log_line(effect->event->kind == EVENT_KIND_ALARM ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO,
             "event=%s id=%llu reason=%s service=%s vm=%s node=%s %s",
             event_kind_word(effect->event->kind), (unsigned long long)effect->event->id,
             reason_word(effect->event->reason), effect->event->service, effect->event->vm,
             effect->event->node, effect->event->text);
    struct header header = {.version = PROTOCOL_VERSION,
                            .min_version = PROTOCOL_VERSION,
                            .epoch = loop->epoch,
                            .sequence = ++loop->events_sent};
    rc = codec_encode_event(&header, effect->event, &loop->scratch, err);
    if (rc == 0 && batch_add_message(loop->open, TARGET_EVENTS, loop->scratch.data,
                                     loop->scratch.size) == NULL) {
        rc = err_set(err, -ENOMEM, "no memory for an event");
    }
    return rc;
}

static int perform_effect(struct loop *loop, const struct effect *effect, struct err *err)
{
    switch (effect->type) {
    case EFFECT_PUT_OBJECT:
    case EFFECT_DELETE_OBJECT:
    case EFFECT_PUT_PROGRESS:
    case EFFECT_PUT_NODE_EPOCH:
    case EFFECT_PUT_REPLY: return batch_add_write(loop->open, effect, err);
    case EFFECT_PUT_DECISION:
        metrics_count_decision(&loop->counters, effect->decision);
        return batch_add_write(loop->open, effect, err);
    case EFFECT_PUT_EVENT: return perform_event(loop, effect, err);
    case EFFECT_SEND: return perform_send(loop, effect, err);
    case EFFECT_REPLY: return perform_reply(loop, effect, err);
    case EFFECT_SOLVE: {
        int rc = solver_start(loop->solver, effect->solve.revision, effect->solve.problem,
                              effect->solve.candidates, effect->solve.candidates_count);
        if (rc != 0) {
            log_line(LOG_LEVEL_WARN, "problem %llu not solved: %s",
                     (unsigned long long)effect->solve.revision, strerrordesc_np(-rc));
        }
        return 0;
    }
    }
    return err_set(err, -EINVAL, "unknown effect %d", (int)effect->type);
}

int perform_effects(struct loop *loop, struct err *err)
{
    for (uint32_t i = 0; i < loop->effects->count; i++) {
        int rc = perform_effect(loop, &loop->effects->items[i], err);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

void perform_release(struct loop *loop, const struct batch *batch)
{
    for (uint32_t i = 0; i < batch->messages_count; i++) {
        const struct held_message *held = &batch->messages[i];
        const void *data = NULL;
        size_t size = 0;
        batch_message_data(batch, held, &data, &size);
        switch (held->target) {
        case TARGET_NONE: break; /* answered already */
        case TARGET_ROUTE_CONTROL:
            send_control(loop, held->node, held->lease_ms, data, size);
            break;
        case TARGET_ROUTE_API: send_api(loop, &held->route, data, size); break;
        case TARGET_EVENTS: (void)bus_send(loop->events, NULL, data, size); break;
        }
    }
}

void perform_refuse(struct loop *loop, struct batch *batch, int code)
{
    for (uint32_t i = 0; i < batch->messages_count; i++) {
        struct held_message *held = &batch->messages[i];
        if (held->target != TARGET_ROUTE_API) {
            continue;
        }
        bool no_space = code == -ENOSPC && held->is_change;
        struct reply reply = {.code = REPLY_FAILED,
                              .reason = no_space ? REASON_NO_SPACE : REASON_RETRY_LATER,
                              .retry_after_ms = RETRY_AFTER_MS};
        memcpy(reply.request_id,
               held->reply != NULL ? held->reply->request_id : held->request_id,
               sizeof reply.request_id);
        (void)snprintf(reply.text, sizeof reply.text, "%s: the orchestrator's disk failed (%s)",
                       held->is_change ? "not stored, so not done" : "not read",
                       strerrordesc_np(-code));
        perform_reply_now(loop, &held->route, &reply);
        held->target = TARGET_NONE;
    }
    batch->answers_count = 0;
}

void perform_reply_now(struct loop *loop, const struct bus_route *route,
                       const struct reply *reply)
{
    struct err err = {0};
    struct reply whole = *reply;
    whole.header = (struct header){
        .version = PROTOCOL_VERSION, .min_version = PROTOCOL_VERSION, .epoch = loop->epoch};
    if (codec_encode_reply(&whole, &loop->head, &err) == 0) {
        send_api(loop, route, loop->head.data, loop->head.size);
    } else {
        log_line(LOG_LEVEL_ERROR, "reply not sent: %s", err.text);
    }
}
