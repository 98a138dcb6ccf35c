// SPDX-License-Identifier: Apache-2.0
/* Performs the effects of a step, in list order. */
#include <errno.h>
#include <stdio.h>

#include "common/io/clock.h"
#include "common/io/log.h"
#include "node-agent/io/agent_loop_state.h"
#include "node-agent/io/memory_file.h"

static void send_message(struct agent_loop *loop, struct node_message *message, bool telemetry)
{
    struct bus_socket *socket = telemetry ? loop->telemetry : loop->control;
    uint64_t *sequence = telemetry ? &loop->telemetry_sequence : &loop->control_sequence;
    struct err err = {0};
    message->header.sequence = ++*sequence;
    int rc = codec_encode_node_message(message, &loop->bytes, &err);
    if (rc != 0) {
        log_line(LOG_LEVEL_ERROR, "a message of type %d cannot be sent: %s", (int)message->type,
                 err.text);
        return;
    }
    rc = bus_send(socket, NULL, loop->bytes.data, loop->bytes.size);
    if (rc != 0 && !telemetry) {
        /* The orchestrator is away for long: the next snapshot says all of it again. */
        log_line(LOG_LEVEL_DEBUG, "a message of type %d was not sent: the orchestrator is away",
                 (int)message->type);
    }
}

static bool starts_protected(const struct hypervisor_call *call)
{
    return call->order.isolation == ISOLATION_FENCE && call->kind == HYPERVISOR_CALL_RESUME;
}

static void start_call(struct agent_loop *loop, const struct hypervisor_call *call)
{
    struct refused_call *refused = &loop->refused[loop->refused_count];
    if (loop->refused_count == REFUSED_MAX) {
        log_line(LOG_LEVEL_ERROR, "too many calls were refused at once");
        return; /* the core gives this call up at its deadline */
    }
    refused->err = (struct err){0};
    int rc = 0;
    if (loop->fence_failed && starts_protected(call)) {
        rc = err_set(&refused->err, -EIO, "the fence of this host could not be armed");
    } else {
        rc = loop->module.driver->start(loop->module.hypervisor, call, &refused->err);
    }
    if (rc != 0) {
        refused->id = call->id;
        refused->err.code = rc;
        loop->refused_count++;
    }
}

static void arm_fence(struct agent_loop *loop, int64_t until_ms)
{
    const struct hypervisor_driver *driver = loop->module.driver;
    struct err why = {0};
    int rc = driver->arm != NULL ? driver->arm(loop->module.hypervisor, until_ms, &why)
                                 : self_fence_arm(&loop->fence, until_ms, &why);
    if (rc != 0 && !loop->fence_failed) {
        log_line(LOG_LEVEL_ERROR, "the fence of this host cannot be %s: %s",
                 until_ms != 0 ? "armed, so no protected VM is started" : "disarmed", why.text);
    }
    loop->fence_failed = rc != 0;
}

static void fetch_image(struct agent_loop *loop, const struct agent_effect *effect)
{
    struct err why = {0};
    if (image_fetch_request(loop->images, effect->fetch.image, effect->fetch.source,
                            effect->fetch.sha256, &why) != 0) {
        image_fetch_refuse(loop->images, effect->fetch.image, &why);
    }
}

static void pass_entry(struct agent_loop *loop, const struct entry_order *order)
{
    struct err err = {0};
    if (loop->gateway != NULL &&
        gateway_apply(loop->gateway, order, clock_boot_ms(), &err) != 0) {
        log_line(LOG_LEVEL_ERROR, "service=%s entry point refused: %s", order->service,
                 err.text);
    }
}

static int perform(struct agent_loop *loop, const struct agent_effect *effect, struct err *err)
{
    switch (effect->type) {
    case AGENT_EFFECT_SEND: send_message(loop, effect->message, false); return 0;
    case AGENT_EFFECT_PUBLISH: send_message(loop, effect->message, true); return 0;
    case AGENT_EFFECT_CALL: start_call(loop, effect->call); return 0;
    case AGENT_EFFECT_FETCH: fetch_image(loop, effect); return 0;
    case AGENT_EFFECT_REMEMBER:
        return memory_file_write(loop->memory_path, effect->memory, err);
    case AGENT_EFFECT_ENTRY: pass_entry(loop, effect->entry); return 0;
    case AGENT_EFFECT_ARM: arm_fence(loop, effect->arm_until_ms); return 0;
    case AGENT_EFFECT_LOG:
        log_line((enum log_level)effect->log.level, "%s", effect->log.text);
        return 0;
    }
    return 0;
}

static int step_once(struct agent_loop *loop, const struct agent_event *event, struct err *err)
{
    int rc = 0;
    agent_effects_clear(loop->effects);
    agent_step(loop->agent, event, loop->effects);
    for (uint32_t i = 0; i < loop->effects->count && rc == 0; i++) {
        rc = perform(loop, &loop->effects->items[i], err);
    }
    return rc;
}

int agent_loop_step(struct agent_loop *loop, const struct agent_event *event, struct err *err)
{
    int rc = step_once(loop, event, err);
    while (rc == 0 && loop->refused_count > 0) {
        const struct refused_call refused = loop->refused[--loop->refused_count];
        struct agent_event answer = {.type = AGENT_EVENT_REFUSED, .now_ms = clock_boot_ms()};
        answer.refused.id = refused.id;
        answer.refused.code = refused.err.code;
        answer.refused.err = &refused.err;
        rc = step_once(loop, &answer, err);
    }
    return rc;
}
