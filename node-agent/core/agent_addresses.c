// SPDX-License-Identifier: Apache-2.0
/* The pool of IPv4 addresses of this node: one per VM, kept as long as the VM is known here. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "node-agent/core/agent_state.h"

bool agent_address_parse(const char *text, uint32_t *out)
{
    uint32_t value = 0;
    for (int part = 0; part < 4; part++) {
        uint32_t number = 0;
        int digits = 0;
        for (; *text >= '0' && *text <= '9' && digits < 3; text++, digits++) {
            number = number * 10 + (uint32_t)(*text - '0');
        }
        char end = part < 3 ? '.' : '\0';
        if (digits == 0 || number > 255 || *text != end) {
            return false;
        }
        text++;
        value = value << 8 | number;
    }
    *out = value;
    return true;
}

static bool is_taken(const struct agent *agent, const char *address)
{
    for (uint32_t i = 0; i < agent->high; i++) {
        const struct vm_record *vm = &agent->vms[i];
        if (vm->used && (strcmp(vm->address, address) == 0 ||
                         (vm->seen && strcmp(vm->reading.address, address) == 0))) {
            return true;
        }
    }
    return false;
}

static bool is_lent(const struct agent *agent, const char *address)
{
    for (uint32_t i = 0; i < VMS_PER_NODE_MAX; i++) {
        if (strcmp(agent->lent[i], address) == 0) {
            return true;
        }
    }
    return false;
}

void agent_address_lend(struct agent *agent, const char *address)
{
    if (address[0] != '\0' && !is_lent(agent, address)) {
        agent_text_copy(agent->lent[agent->lent_next], ADDRESS_SIZE, address);
        agent->lent_next = (agent->lent_next + 1) % VMS_PER_NODE_MAX;
    }
}

void agent_address_back(struct agent *agent, const char *address)
{
    for (uint32_t i = 0; i < VMS_PER_NODE_MAX; i++) {
        if (strcmp(agent->lent[i], address) == 0) {
            agent->lent[i][0] = '\0';
        }
    }
}

static bool take(const struct agent *agent, struct vm_record *vm, bool lent_too)
{
    uint32_t count = agent->address_last - agent->address_first + 1;
    /* No more VMs and loans than records, so three times those are enough to look at. */
    for (uint32_t i = 0; i < count && i <= 3 * VMS_PER_NODE_MAX; i++) {
        uint32_t value = agent->address_first + i;
        char text[ADDRESS_SIZE];
        (void)snprintf(text, sizeof text, "%u.%u.%u.%u", value >> 24, value >> 16 & 255,
                       value >> 8 & 255, value & 255);
        if (!is_taken(agent, text) && (lent_too || !is_lent(agent, text))) {
            agent_text_copy(vm->address, sizeof vm->address, text);
            return true;
        }
    }
    return false;
}

int agent_address_take(struct agent *agent, struct vm_record *vm)
{
    if (agent->address_first == 0 || vm->address[0] != '\0' || take(agent, vm, false) ||
        take(agent, vm, true)) {
        return 0;
    }
    return -ENOSPC;
}
