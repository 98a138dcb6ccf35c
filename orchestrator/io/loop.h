// SPDX-License-Identifier: Apache-2.0
/*
 * The one loop of arbiterd: waits, turns what arrived into events of the core, performs its
 * effects in order, and commits what is to be stored in groups. It has no policy of its own.
 */
#ifndef ORCHESTRATOR_IO_LOOP_H
#define ORCHESTRATOR_IO_LOOP_H

#include "common/err.h"
#include "orchestrator/core/cluster.h"
#include "orchestrator/io/store.h"

struct loop_settings {
    char control[ADDRESS_SIZE * 2];
    char telemetry[ADDRESS_SIZE * 2];
    char api[ADDRESS_SIZE * 2];
    char events[ADDRESS_SIZE * 2];
    char metrics[ADDRESS_SIZE * 2]; /* HTTP: "127.0.0.1:7780", or "off" */
    char key[PATH_SIZE];            /* our key pair */
    char keyring[PATH_SIZE];        /* who may connect */
    char folder[PATH_SIZE];         /* of the store */
    char store[NAME_SIZE];          /* driver */
    uint64_t free_kib_min;          /* of the store's disk; 0: the store's default */
    struct cluster_config cluster;
};

struct loop;

struct loop *loop_create(const struct loop_settings *settings, struct err *err);
/* Runs until SIGTERM or SIGINT (clean: nodes are parked) or an error that cannot be survived.
 */
int loop_run(struct loop *loop, struct err *err);
void loop_destroy(struct loop *loop);

#endif
