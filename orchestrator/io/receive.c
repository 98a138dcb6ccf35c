// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/io/log.h"
#include "orchestrator/io/loop_state.h"

/* Per turn, so that no socket starves another one. */
#define CONTROL_MAX   256
#define TELEMETRY_MAX 4096
#define API_MAX       512

#define STORE_TRIAL_MS    1000
#define NO_STORE_RETRY_MS 5000

static bool is_from_agent(enum node_message_type type)
{
    return type >= NODE_MESSAGE_HELLO && type <= NODE_MESSAGE_METRICS;
}

static bool is_telemetry(enum node_message_type type)
{
    return type == NODE_MESSAGE_HEARTBEAT || type == NODE_MESSAGE_METRICS;
}

/* Decodes an agent's message of the kind that belongs on this socket; false: dropped, counted.
 */
static bool decode_node(struct loop *loop, const struct bus_message *message, bool telemetry)
{
    struct err err = {0};
    int rc = codec_decode_node_message(message->data, message->size, loop->incoming, &err);
    if (rc == 0 && is_from_agent(loop->incoming->type) &&
        is_telemetry(loop->incoming->type) == telemetry) {
        return true;
    }
    refusals_note(loop, REFUSAL_AGENT_MESSAGE, message->sender->name,
                  rc != 0 ? err.text : "wrong type for this socket");
    return false;
}

static int step_node(struct loop *loop, const char *name, struct err *err)
{
    struct cluster_event event = {.type = CLUSTER_EVENT_NODE};
    event.node.name = name;
    event.node.message = loop->incoming;
    return loop_step(loop, &event, err);
}

static void remember_hello(struct peer *peer, const struct bus_message *message)
{
    peer->hello.size = 0;
    (void)bytes_append(&peer->hello, message->data, message->size); /* only for a reload */
}

int receive_control(struct loop *loop, struct err *err)
{
    struct bus_message message;
    for (int i = 0; i < CONTROL_MAX && bus_receive(loop->control, &message) == 0; i++) {
        loop->agent_messages++;
        if (!decode_node(loop, &message, false)) {
            continue;
        }
        char name[NAME_SIZE];
        memcpy(name, message.sender->name, sizeof name);
        struct peer *peer = peers_heard(loop, name, &message.route);
        if (peer == NULL) {
            refusals_note(loop, REFUSAL_NODE_LIMIT, name, "more nodes than limits.nodes");
            continue;
        }
        if (loop->incoming->type == NODE_MESSAGE_HELLO) {
            remember_hello(peer, &message);
            peer->lease_ms = 0;
        }
        if (loop->incoming->type == NODE_MESSAGE_RESULT) {
            metrics_count_result(&loop->counters, &loop->incoming->result);
        }
        int rc = step_node(loop, name, err);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

int receive_telemetry(struct loop *loop, struct err *err)
{
    struct bus_message message;
    for (int i = 0; i < TELEMETRY_MAX && bus_receive(loop->telemetry, &message) == 0; i++) {
        loop->agent_messages++;
        if (decode_node(loop, &message, true)) {
            int rc = step_node(loop, message.sender->name, err);
            if (rc != 0) {
                return rc;
            }
        }
    }
    return 0;
}

static struct reply refusal(const struct request *request, enum reply_code code,
                            enum reason reason, const char *text)
{
    struct reply reply = {.code = code, .reason = reason};
    if (request != NULL) {
        memcpy(reply.request_id, request->request_id, sizeof reply.request_id);
    }
    (void)snprintf(reply.text, sizeof reply.text, "%s", text);
    return reply;
}

static bool is_change(const struct request *request)
{
    return request->method >= METHOD_PUT;
}

static bool has_request_id(const struct request *request)
{
    static const uint8_t none[REQUEST_ID_BYTES] = {0};
    return memcmp(request->request_id, none, sizeof none) != 0;
}

/* What fields of an object say together; decoding looks at each alone. False: answered. */
static bool check_object(struct loop *loop, const struct bus_message *message)
{
    const struct request *request = loop->request;
    if (!request->has_object ||
        (request->method != METHOD_PUT && request->method != METHOD_PLAN)) {
        return true;
    }
    struct text_mistakes *mistakes = loop->mistakes;
    mistakes->count = 0;
    if (object_check(&request->object, mistakes) == 0) {
        return true;
    }
    struct reply reply = refusal(request, REPLY_INVALID, REASON_INVALID,
                                 "request: the object contradicts itself");
    for (size_t i = 0; i < mistakes->count && i < FACTS_MAX; i++) {
        (void)snprintf(reply.facts[reply.facts_count++], TEXT_SIZE, "%.100s: %.150s",
                       mistakes->items[i].path, mistakes->items[i].text);
    }
    refusals_note(loop, REFUSAL_REQUEST, message->sender->name, reply.facts[0]);
    perform_reply_now(loop, &message->route, &reply);
    return false;
}

/*
 * A request whose id is being stored just now. The same again: silence, since the answer is on
 * its way over the same connection. False: nothing more is to be done.
 */
static bool check_under_way(struct loop *loop, const struct bus_message *message, uint64_t hash)
{
    const struct request *request = loop->request;
    const struct batch_request *same =
        batch_find_request(loop->open, message->sender->name, request->request_id);
    if (same == NULL && loop->committing != NULL) {
        same = batch_find_request(loop->committing, message->sender->name, request->request_id);
    }
    if (same != NULL && same->content != hash) {
        struct reply reply = refusal(request, REPLY_CONFLICT, REASON_CONFLICT,
                                     "request: this id was already used for another request");
        perform_reply_now(loop, &message->route, &reply);
    }
    return same == NULL;
}

/* While the store fails, one change a second is let through to see whether it works again. */
static bool is_store_ready(struct loop *loop)
{
    if (!loop->store_driver->has_space(loop->store)) {
        return false;
    }
    if (loop->failing == 0) {
        return true;
    }
    if (loop->committing != NULL || loop->open->answers_count > 0 ||
        loop->now_ms < loop->retry_at_ms) {
        return false;
    }
    loop->retry_at_ms = loop->now_ms + STORE_TRIAL_MS;
    return true;
}

static void refuse_store(struct loop *loop, const struct bus_message *message, int code)
{
    bool no_space = code == -ENOSPC && is_change(loop->request);
    struct reply reply = refusal(
        loop->request, REPLY_FAILED, no_space ? REASON_NO_SPACE : REASON_RETRY_LATER,
        code == -ENOSPC ? "the orchestrator's disk is nearly full: nothing new is accepted"
                        : "the orchestrator's disk fails: nothing new is accepted");
    reply.retry_after_ms = NO_STORE_RETRY_MS;
    refusals_note(loop, REFUSAL_STORE, message->sender->name, reply.text);
    perform_reply_now(loop, &message->route, &reply);
}

/* What needs the store, when it is full or fails. False: answered. */
static bool check_store(struct loop *loop, const struct bus_message *message,
                        bool is_repetition)
{
    const struct request *request = loop->request;
    bool is_log = request->method == METHOD_EVENTS || request->method == METHOD_DECISIONS;
    bool is_new = is_change(request) && !is_repetition;
    if (is_log ? loop->failing == 0 : !is_new || is_store_ready(loop)) {
        return true;
    }
    refuse_store(loop, message, loop->failing != 0 ? loop->failing : -ENOSPC);
    return false;
}

static int step_request(struct loop *loop, const struct bus_message *message, struct err *err)
{
    const struct request *request = loop->request;
    struct cluster_event event = {.type = CLUSTER_EVENT_REQUEST};
    event.request.content_hash = codec_request_hash(request);
    if (!check_object(loop, message)) {
        return 0;
    }
    if (is_change(request) && has_request_id(request)) {
        if (!check_under_way(loop, message, event.request.content_hash)) {
            return 0;
        }
        int found = loop->store_driver->find_reply(loop->store, message->sender->name,
                                                   request->request_id, loop->previous);
        if (found < 0) {
            refuse_store(loop, message, found);
            return 0;
        }
        event.request.previous = found == 1 ? loop->previous : NULL;
    }
    if (!check_store(loop, message, event.request.previous != NULL)) {
        return 0;
    }
    const struct principal sender = *message->sender;
    loop->request_route = message->route;
    event.request.principal = sender.name;
    event.request.role = sender.role;
    event.request.token = 1;
    event.request.request = request;
    return loop_step(loop, &event, err);
}

bool receive_api_is_full(const struct loop *loop)
{
    return loop->open->answers_count >= BATCH_ANSWERS_MAX;
}

int receive_api(struct loop *loop, struct err *err)
{
    struct bus_message message;
    for (int i = 0; i < API_MAX && !receive_api_is_full(loop); i++) {
        if (bus_receive(loop->api, &message) != 0) {
            break;
        }
        struct err why = {0};
        int rc = codec_decode_request(message.data, message.size, loop->request, &why);
        if (rc != 0) {
            struct reply reply =
                refusal(NULL, REPLY_INVALID,
                        rc == -EPROTONOSUPPORT ? REASON_UNSUPPORTED : REASON_INVALID, why.text);
            refusals_note(loop, REFUSAL_REQUEST, message.sender->name, why.text);
            perform_reply_now(loop, &message.route, &reply);
            continue;
        }
        rc = step_request(loop, &message, err);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}
