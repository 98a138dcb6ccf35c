// SPDX-License-Identifier: Apache-2.0
#include "node-agent/core/hypervisor_call.h"

#include <math.h>
#include <stddef.h>

bool hypervisor_call_is_long(enum hypervisor_call_kind kind)
{
    return kind >= HYPERVISOR_CALL_CREATE;
}

const char *hypervisor_call_word(enum hypervisor_call_kind kind)
{
    switch (kind) {
    case HYPERVISOR_CALL_UNSPECIFIED: break;
    case HYPERVISOR_CALL_LIST: return "list";
    case HYPERVISOR_CALL_CAP: return "cap";
    case HYPERVISOR_CALL_WEIGHT: return "weight";
    case HYPERVISOR_CALL_VCPUS: return "vcpus";
    case HYPERVISOR_CALL_MEMORY: return "memory";
    case HYPERVISOR_CALL_NET_RATE: return "net-rate";
    case HYPERVISOR_CALL_DISK_RATE: return "disk-rate";
    case HYPERVISOR_CALL_PAUSE: return "pause";
    case HYPERVISOR_CALL_RESUME: return "resume";
    case HYPERVISOR_CALL_DESTROY: return "destroy";
    case HYPERVISOR_CALL_LOAD_SHARE: return "load-share";
    case HYPERVISOR_CALL_MIGRATE_LISTEN: return "migrate-listen";
    case HYPERVISOR_CALL_CREATE: return "create";
    case HYPERVISOR_CALL_SHUTDOWN: return "shutdown";
    case HYPERVISOR_CALL_REBOOT: return "reboot";
    case HYPERVISOR_CALL_SUSPEND: return "suspend";
    case HYPERVISOR_CALL_RESTORE: return "restore";
    case HYPERVISOR_CALL_MIGRATE_OUT: return "migrate-out";
    case HYPERVISOR_CALL_MIGRATE_IN: return "migrate-in";
    }
    return "unspecified";
}

enum capability hypervisor_call_capability(enum hypervisor_call_kind kind)
{
    switch (kind) {
    case HYPERVISOR_CALL_CAP: return CAPABILITY_CAP;
    case HYPERVISOR_CALL_WEIGHT: return CAPABILITY_WEIGHT;
    case HYPERVISOR_CALL_VCPUS: return CAPABILITY_VCPUS;
    case HYPERVISOR_CALL_MEMORY: return CAPABILITY_MEMORY;
    case HYPERVISOR_CALL_NET_RATE: return CAPABILITY_NET_RATE;
    case HYPERVISOR_CALL_DISK_RATE: return CAPABILITY_DISK_RATE;
    case HYPERVISOR_CALL_PAUSE:
    case HYPERVISOR_CALL_RESUME: return CAPABILITY_PAUSE;
    case HYPERVISOR_CALL_SHUTDOWN: return CAPABILITY_SHUTDOWN;
    case HYPERVISOR_CALL_REBOOT: return CAPABILITY_REBOOT;
    case HYPERVISOR_CALL_SUSPEND:
    case HYPERVISOR_CALL_RESTORE: return CAPABILITY_SUSPEND;
    case HYPERVISOR_CALL_LIST:
    case HYPERVISOR_CALL_DESTROY:
    case HYPERVISOR_CALL_CREATE: return CAPABILITY_CREATE;
    case HYPERVISOR_CALL_LOAD_SHARE: return CAPABILITY_MODEL;
    case HYPERVISOR_CALL_MIGRATE_LISTEN:
    case HYPERVISOR_CALL_MIGRATE_OUT:
    case HYPERVISOR_CALL_MIGRATE_IN: return CAPABILITY_MIGRATE;
    case HYPERVISOR_CALL_UNSPECIFIED: break;
    }
    return CAPABILITY_MODEL; /* never declared by a real one */
}

bool hypervisor_is_uuid(const char *text)
{
    static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    for (size_t i = 0; i < sizeof form - 1; i++) {
        bool digit = (text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f');
        if (form[i] == 'x' ? !digit : text[i] != '-') {
            return false;
        }
    }
    return text[sizeof form - 1] == '\0';
}

void domain_reading_clear(struct domain_reading *out)
{
    *out = (struct domain_reading){
        .cap_pct = UINT32_MAX,
        .net_rx_bytes = UINT64_MAX,
        .net_tx_bytes = UINT64_MAX,
        .disk_read_bytes = UINT64_MAX,
        .disk_write_bytes = UINT64_MAX,
        .response_mean_ms = (double)NAN,
        .response_p50_ms = (double)NAN,
        .response_p95_ms = (double)NAN,
        .request_rate = (double)NAN,
        .error_share = (double)NAN,
        .tasks_done = (double)NAN,
        .speed_ratio = (double)NAN,
    };
}
