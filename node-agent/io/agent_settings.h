// SPDX-License-Identifier: Apache-2.0
/* The settings of arbiter-agent: defaults, then its file, then the command line. */
#ifndef NODE_AGENT_IO_AGENT_SETTINGS_H
#define NODE_AGENT_IO_AGENT_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/limits.h"
#include "common/model/node_status.h"

struct agent_settings {
    char node[NAME_SIZE];       /* as its key is enrolled */
    char driver[2 * PATH_SIZE]; /* "model:cpus=2"; there is no default */
    char driver_folder[PATH_SIZE];
    char control[URL_SIZE];
    char telemetry[URL_SIZE];
    char key[PATH_SIZE];
    char server_key[PATH_SIZE]; /* the orchestrator's public key */
    char state[PATH_SIZE];
    char bridge[NAME_SIZE];
    char address_first[ADDRESS_SIZE];
    char address_last[ADDRESS_SIZE];
    uint32_t address_prefix;
    char address_gateway[ADDRESS_SIZE];
    char
        migrate_address[ADDRESS_SIZE]; /* where VMs that go over are received; empty: nowhere */
    char roles[NAME_SIZE];             /* "gateway" or empty */
    char haproxy[PATH_SIZE];
    uint32_t reserve_cpu_pct;
    uint64_t reserve_memory_kib;
    uint32_t cpu_pct;    /* declared capacity; 0: what the driver says, minus the reserve */
    uint64_t memory_kib; /* the same */
    uint64_t images_kib; /* the cache of images is kept below that */
    uint32_t sample_ms;
    int log_level; /* enum log_level */
};

/* 0: go on; 1: nothing more to do (--check-config, --print-config); -EINVAL: told on stderr. */
int agent_settings_read(struct agent_settings *settings, int argc, char **argv);

/* What this node offers: declared, or the host's without the reserve. */
void agent_settings_capacity(const struct agent_settings *settings, struct node_status *status);

#endif
