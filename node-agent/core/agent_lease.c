// SPDX-License-Identifier: Apache-2.0
/*
 * Hello, epochs, the lease and what follows when it runs out.
 *
 * The lease ends lease_ms after this agent sent the request that the newest grant answers, on
 * its own clock: never later than the orchestrator counts. Protected VMs are ended a little
 * earlier, so that they are gone by then; a driver that can fence itself is armed with what is
 * left, in case this agent hangs.
 */
#include <string.h>

#include "node-agent/core/agent_state.h"

static int64_t clamp_ms(uint32_t value, int64_t low, int64_t high)
{
    return value < low ? low : (value > high ? high : (int64_t)value);
}

void agent_lease_start(struct agent *agent)
{
    agent->lease_until_ms = INT64_MIN;
    agent->armed = agent->config.fence_outlives; /* the first list tells what is protected */
    for (uint32_t i = 0; i < agent->high; i++) {
        if (agent->vms[i].used && agent->vms[i].order.isolation == ISOLATION_FENCE) {
            /* What an earlier process held may go on until the first grant or refusal. */
            agent->lease_until_ms = agent->now_ms + LEASE_UNKNOWN_MS;
        }
    }
    agent->hello_at_ms = agent->now_ms;
    agent->renew_at_ms = INT64_MAX;
}

static bool is_protected(const struct vm_record *vm)
{
    bool creating = vm->lanes[LANE_LONG].call != 0 &&
                    (vm->lanes[LANE_LONG].kind == HYPERVISOR_CALL_CREATE ||
                     vm->lanes[LANE_LONG].kind == HYPERVISOR_CALL_RESTORE ||
                     vm->lanes[LANE_LONG].kind == HYPERVISOR_CALL_MIGRATE_IN);
    bool exists = vm->seen && (vm->reading.state == RUN_STATE_RUNNING ||
                               vm->reading.state == RUN_STATE_PAUSED);
    return vm->used && vm->ordered && vm->order.isolation == ISOLATION_FENCE &&
           (exists || creating);
}

uint32_t agent_protected_vms(const struct agent *agent)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < agent->high; i++) {
        count += is_protected(&agent->vms[i]) ? 1 : 0;
    }
    return count;
}

int64_t agent_lease_left_ms(const struct agent *agent, int64_t now_ms)
{
    if (agent->parked || agent->lease_until_ms == INT64_MIN ||
        agent->lease_until_ms <= now_ms) {
        return -1;
    }
    return agent->lease_until_ms - now_ms;
}

/* When protected VMs are ended: early enough to be gone, but never most of a short lease. */
static int64_t fence_at_ms(const struct agent *agent)
{
    int64_t early_ms = agent->lease_ms / 4;
    if (agent->lease_ms == 0 || early_ms > FENCE_EARLY_MS) {
        early_ms = FENCE_EARLY_MS;
    }
    return agent->lease_until_ms - early_ms;
}

bool agent_lease_ended(const struct agent *agent)
{
    if (agent->parked) {
        return false;
    }
    return agent->lease_until_ms == INT64_MIN || agent->now_ms >= fence_at_ms(agent);
}

bool agent_lease_allows_start(const struct agent *agent, const struct vm_record *vm)
{
    /* Half of a lease that is shorter than twice the usual rest. */
    int64_t half_ms = agent->lease_ms / 2;
    int64_t needed_ms = half_ms < LEASE_TO_START_MS ? half_ms : LEASE_TO_START_MS;
    return vm->order.isolation != ISOLATION_FENCE ||
           agent_lease_left_ms(agent, agent->now_ms) >= needed_ms;
}

void agent_lease_arm(struct agent *agent, struct agent_effects *out)
{
    if (!agent_can(agent, CAPABILITY_SELF_FENCE) && !agent->armed) {
        return; /* what is armed must be armed again whatever the driver declares now */
    }
    int64_t left = agent_lease_left_ms(agent, agent->now_ms);
    bool wanted = !agent->parked && left > 0 && agent_protected_vms(agent) > 0;
    if (wanted) {
        agent_effect_add(out, AGENT_EFFECT_ARM)->arm_until_ms = agent->lease_until_ms;
    } else if (agent->armed && (agent->parked || agent_protected_vms(agent) == 0)) {
        agent_effect_add(out, AGENT_EFFECT_ARM)->arm_until_ms = 0;
        agent->armed = false;
    }
    agent->armed = agent->armed || wanted;
}

bool agent_lease_epoch(struct agent *agent, uint64_t epoch, struct agent_effects *out)
{
    if (epoch == 0 || epoch < agent->epoch) {
        return false;
    }
    if (epoch > agent->epoch) {
        agent->epoch = epoch;
        agent->welcomed = false;
        agent->hello_at_ms = agent->now_ms;
        agent_remember(agent, out);
        agent_log(out, 2, "epoch=%llu the orchestrator began a new epoch",
                  (unsigned long long)epoch);
    }
    return true;
}

static void take_welcome(struct agent *agent, const struct welcome *welcome,
                         struct agent_effects *out)
{
    agent->welcome = *welcome;
    if (!agent->welcomed) {
        agent_log(out, 2, "node=%s epoch=%llu welcomed", welcome->node,
                  (unsigned long long)agent->epoch);
    }
    if (agent->config.node[0] != '\0' && strcmp(agent->config.node, welcome->node) != 0) {
        agent_log(out, 1, "node=%s the settings name this node %s, its key belongs to %s",
                  welcome->node, agent->config.node, welcome->node);
    }
    agent->welcomed = true;
    agent->renews_open = 0;
    agent->hello_at_ms = INT64_MAX;
    agent->renew_at_ms = agent->now_ms;
    agent->changed = true;
    agent->snapshot_sent_ms = INT64_MIN; /* a new epoch knows nothing: at once */
}

static void take_grant(struct agent *agent, const struct grant *grant,
                       struct agent_effects *out)
{
    bool newer =
        agent->epoch > agent->granted_epoch || grant->sequence > agent->granted_sequence;
    bool ours = grant->sequence <= agent->renew_sequence &&
                grant->sent_at_ms <= agent->now_ms && grant->sent_at_ms >= 0;
    bool parked_by_it = agent->parked && agent->epoch == agent->granted_epoch;
    if (!newer || !ours || parked_by_it || grant->lease_ms == 0 ||
        grant->lease_ms > LEASE_MS_MAX) {
        return;
    }
    agent->granted_epoch = agent->epoch;
    agent->granted_sequence = grant->sequence;
    if (agent->parked) {
        agent->parked = false;
        agent_remember(agent, out); /* before the renewal that acknowledges this */
    }
    agent->renews_open = 0;
    agent->lease_until_ms = grant->sent_at_ms + grant->lease_ms;
    agent->lease_ms = grant->lease_ms;
    agent_lease_arm(agent, out);
}

static void take_park(struct agent *agent, const struct park *park, struct agent_effects *out)
{
    agent->parked = true;
    agent->granted_epoch = agent->epoch; /* grants of this epoch count no more */
    agent_remember(agent, out);
    agent_lease_arm(agent, out);
    agent_log(out, 2, "epoch=%llu parked: %s; protected VMs go on without a lease",
              (unsigned long long)agent->epoch, park->why);
}

void agent_lease_message(struct agent *agent, const struct node_message *message,
                         struct agent_effects *out)
{
    if (!agent_lease_epoch(agent, message->header.epoch, out)) {
        return;
    }
    if (message->type == NODE_MESSAGE_WELCOME) {
        take_welcome(agent, &message->welcome, out);
    } else if (message->type == NODE_MESSAGE_GRANT) {
        take_grant(agent, &message->grant, out);
    } else if (message->type == NODE_MESSAGE_PARK) {
        take_park(agent, &message->park, out);
    }
}

static void send_hello(struct agent *agent, struct agent_effects *out)
{
    struct hello *hello =
        &agent_message_add(agent, out, AGENT_EFFECT_SEND, NODE_MESSAGE_HELLO)->hello;
    agent_text_copy(hello->incarnation, sizeof hello->incarnation, agent->config.incarnation);
    hello->status = agent->status;
    hello->epoch_seen = agent->epoch;
}

static void send_renew(struct agent *agent, struct agent_effects *out)
{
    struct renew *renew =
        &agent_message_add(agent, out, AGENT_EFFECT_SEND, NODE_MESSAGE_RENEW)->renew;
    agent_text_copy(renew->incarnation, sizeof renew->incarnation, agent->config.incarnation);
    renew->sequence = ++agent->renew_sequence;
    renew->sent_at_ms = agent->now_ms;
    renew->granted_epoch = agent->granted_epoch;
    renew->granted_sequence = agent->granted_sequence;
    renew->protected_vms = agent_protected_vms(agent);
    agent->renews_open++;
}

void agent_lease_tick(struct agent *agent, struct agent_effects *out)
{
    if (agent->welcomed && agent->now_ms >= agent->renew_at_ms) {
        if (agent->renews_open >= RENEWS_UNANSWERED && agent->hello_at_ms == INT64_MAX) {
            agent->hello_at_ms = agent->now_ms; /* it may have forgotten us */
        }
        send_renew(agent, out);
        agent->renew_at_ms = agent->now_ms + clamp_ms(agent->welcome.renew_ms, 100, 60000);
    }
    if (agent->has_status && agent->now_ms >= agent->hello_at_ms) {
        send_hello(agent, out);
        agent->hello_at_ms = agent->now_ms + HELLO_EVERY_MS;
    }
    if (agent->armed && agent->listed && agent_protected_vms(agent) == 0) {
        agent_lease_arm(agent, out);
    }
}

int64_t agent_lease_deadline_ms(const struct agent *agent)
{
    int64_t next = agent->has_status ? agent->hello_at_ms : INT64_MAX;
    if (agent->welcomed && agent->renew_at_ms < next) {
        next = agent->renew_at_ms;
    }
    if (!agent->parked && agent->lease_until_ms != INT64_MIN) {
        int64_t fence = fence_at_ms(agent);
        if (fence > agent->now_ms && fence < next) {
            next = fence;
        }
    }
    return next;
}
