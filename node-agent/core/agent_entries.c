// SPDX-License-Identifier: Apache-2.0
/* Entry points: orders are kept and handed to the gateway, its reports go into the snapshot. */
#include <string.h>

#include "node-agent/core/agent_state.h"

static struct entry_record *find(struct agent *agent, const char *service)
{
    for (uint32_t i = 0; i < ENTRY_SERVERS_MAX; i++) {
        if (agent->entries[i].used && strcmp(agent->entries[i].order.service, service) == 0) {
            return &agent->entries[i];
        }
    }
    return NULL;
}

static struct entry_record *add(struct agent *agent)
{
    for (uint32_t i = 0; i < ENTRY_SERVERS_MAX; i++) {
        if (!agent->entries[i].used) {
            memset(&agent->entries[i], 0, sizeof agent->entries[i]);
            agent->entries[i].used = true;
            return &agent->entries[i];
        }
    }
    return NULL;
}

static void pass_on(const struct entry_record *record, struct agent_effects *out)
{
    agent_effect_add(out, AGENT_EFFECT_ENTRY)->entry = &record->order;
}

void agent_entries_start(struct agent *agent, const struct agent_memory *memory,
                         struct agent_effects *out)
{
    for (uint32_t i = 0; i < memory->entries_count && i < ENTRY_SERVERS_MAX; i++) {
        struct entry_record *record = add(agent);
        if (record == NULL) {
            break; /* the memory file holds no more than fit */
        }
        record->order = memory->entries[i];
        pass_on(record, out);
    }
}

static void refuse(struct agent *agent, const struct entry_order *order, enum reason reason,
                   const char *text, struct agent_effects *out)
{
    struct result *result =
        &agent_message_add(agent, out, AGENT_EFFECT_SEND, NODE_MESSAGE_RESULT)->result;
    result->operation = order->operation;
    result->state = RESULT_STATE_REFUSED;
    result->reason = reason;
    agent_text_copy(result->text, sizeof result->text, text);
}

void agent_entry_order(struct agent *agent, const struct node_message *message,
                       struct agent_effects *out)
{
    const struct entry_order *order = &message->entry_order;
    if (!agent_can(agent, CAPABILITY_GATEWAY)) {
        refuse(agent, order, REASON_NO_CAPABILITY, "this node is no gateway", out);
        return;
    }
    struct entry_record *record = find(agent, order->service);
    if (record != NULL && record->order_epoch == message->header.epoch &&
        order->operation < record->order.operation) {
        return; /* overtaken by a newer one */
    }
    record = record != NULL ? record : add(agent);
    if (record == NULL) {
        refuse(agent, order, REASON_LIMIT, "this gateway runs all the entry points it can",
               out);
        return;
    }
    record->order = *order;
    record->order_epoch = message->header.epoch;
    agent_remember(agent, out);
    pass_on(record, out);
}

void agent_entry_status(struct agent *agent, const struct entry_status *status,
                        struct agent_effects *out)
{
    struct entry_record *record = find(agent, status->service);
    if (record == NULL) {
        return;
    }
    const struct entry_status *old = &record->status;
    bool same = record->has_status && old->operation_done == status->operation_done &&
                old->up == status->up && old->servers_up == status->servers_up &&
                strcmp(old->problem_text, status->problem_text) == 0;
    record->status = *status;
    record->has_status = true;
    if (!same) {
        agent->changed = true;
    }
    if (record->order.remove && !status->up &&
        status->operation_done >= record->order.operation) {
        record->used = false;
        agent_remember(agent, out);
    }
}
