// SPDX-License-Identifier: Apache-2.0
/*
 * A clean stop. Guests go on without an agent, so an armed fence would end this host as soon as
 * nobody renews its lease. The fence is disarmed only after the orchestrator said that it lets
 * the lease go (LEAVE, answered by PARK): then no VM of this node is started elsewhere before
 * an agent spoke here again. Without that answer the fence stays armed and does its work.
 */
#include "node-agent/core/agent_state.h"

/* Before the first list it is not known which VMs live: those that were ordered count. */
static bool has_protected_vms(const struct agent *agent)
{
    for (uint32_t i = 0; !agent->listed && i < agent->high; i++) {
        const struct vm_record *vm = &agent->vms[i];
        if (vm->used && vm->ordered && vm->order.isolation == ISOLATION_FENCE) {
            return true;
        }
    }
    return agent_protected_vms(agent) > 0;
}

static void send_leave(struct agent *agent, struct agent_effects *out)
{
    struct leave *leave =
        &agent_message_add(agent, out, AGENT_EFFECT_SEND, NODE_MESSAGE_LEAVE)->leave;
    agent_text_copy(leave->incarnation, sizeof leave->incarnation, agent->config.incarnation);
    agent->leave_at_ms = agent->now_ms + LEAVE_EVERY_MS;
}

void agent_leave(struct agent *agent, struct agent_effects *out)
{
    if (!agent->config.fence_outlives || !agent->started || !agent->armed || agent->parked) {
        agent->stopped = true; /* a fence of this process ends with it, or its guests do */
        return;
    }
    if (!has_protected_vms(agent)) {
        agent_lease_arm(agent, out);
        agent->stopped = true;
        return;
    }
    agent->leave_until_ms = agent->now_ms + LEAVE_WAIT_MS;
    send_leave(agent, out);
}

void agent_leave_tick(struct agent *agent, struct agent_effects *out)
{
    if (agent->stopped) {
        return;
    }
    if (agent->parked) {
        agent->stopped = true;
    } else if (agent->now_ms >= agent->leave_until_ms) {
        agent->stopped = true;
        int64_t left_ms = agent_lease_left_ms(agent, agent->now_ms);
        agent_log(out, 0,
                  "the orchestrator did not let the lease go: the fence stays armed, and this "
                  "host is ended within %lld s unless its agent is started again",
                  (long long)(left_ms > 0 ? left_ms / 1000 : 0));
    } else if (agent->now_ms >= agent->leave_at_ms) {
        send_leave(agent, out);
    }
}

int64_t agent_leave_deadline_ms(const struct agent *agent)
{
    return agent->leave_at_ms < agent->leave_until_ms ? agent->leave_at_ms
                                                      : agent->leave_until_ms;
}
