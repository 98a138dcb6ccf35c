// SPDX-License-Identifier: Apache-2.0
/* What an agent says about its host: capacity, and what its driver can do. */
#ifndef COMMON_MODEL_NODE_STATUS_H
#define COMMON_MODEL_NODE_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/limits.h"

/* Bits of node_status.capabilities. The planner never plans what a driver does not declare. */
enum capability {
    CAPABILITY_CREATE = 1u << 0,
    CAPABILITY_SHUTDOWN = 1u << 1,
    CAPABILITY_REBOOT = 1u << 2,
    CAPABILITY_PAUSE = 1u << 3,
    CAPABILITY_SUSPEND = 1u << 4, /* to file, and restore */
    CAPABILITY_VCPUS = 1u << 5,
    CAPABILITY_CAP = 1u << 6,
    CAPABILITY_WEIGHT = 1u << 7,
    CAPABILITY_MEMORY = 1u << 8,
    CAPABILITY_NET_RATE = 1u << 9,
    CAPABILITY_DISK_RATE = 1u << 10,
    CAPABILITY_MIGRATE = 1u << 11, /* by a stored image */
    CAPABILITY_MIGRATE_LIVE = 1u << 12,
    CAPABILITY_SELF_FENCE = 1u << 13,
    CAPABILITY_MODEL = 1u << 14,   /* imaginary capacity: never in a cluster with real nodes */
    CAPABILITY_GATEWAY = 1u << 15, /* runs entry points */
};

struct node_status {
    char driver[NAME_SIZE]; /* "model", "libvirt lxc:///", "none" */
    char agent_version[NAME_SIZE];
    uint32_t capabilities;
    uint32_t cpu_pct;       /* of the pool, minus reserve and foreign domains */
    uint32_t cpu_pct_total; /* of the pool */
    uint64_t memory_kib;    /* of the pool, minus reserve and foreign domains */
    uint64_t memory_kib_total;
    uint32_t vcpus_max; /* of one VM */
    uint32_t foreign_vms;
    uint32_t image_formats; /* bit 1 << enum image_format */
};

#endif
