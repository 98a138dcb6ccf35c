// SPDX-License-Identifier: Apache-2.0
/* What the parts of the libvirt driver share: one open host. */
#ifndef NODE_AGENT_IO_LIBVIRT_HOST_H
#define NODE_AGENT_IO_LIBVIRT_HOST_H

#include <pthread.h>
#include <stdbool.h>

#include "common/limits.h"
#include "common/model/node_status.h"
#include "node-agent/io/driver/lanes.h"
#include "node-agent/io/libvirt/connection.h"
#include "node-agent/io/libvirt/domain_xml.h"

struct libvirt_host {
    char uri[PATH_SIZE];
    char state_folder[PATH_SIZE];
    char node[NAME_SIZE];
    enum libvirt_kind kind;
    char disk_device[PATH_SIZE]; /* below the state folder, for the disk rate of containers */
    struct connection *connections[LANE_COUNT];
    struct lanes *lanes;

    /* Written by each list, read by status(): that never waits for libvirt. */
    pthread_mutex_t mutex;
    struct node_status status;
    struct err lost; /* code 0: the last list went well */
};

#endif
