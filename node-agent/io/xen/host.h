// SPDX-License-Identifier: Apache-2.0
/*
 * What the parts of the xen driver share: one open host, and the table by which a part (rates,
 * migration) adds its calls and its capabilities to the driver.
 *
 * A call runs in a thread of the lanes with a session of its own, which is one libxl context:
 * a part never keeps either after it returns.
 */
#ifndef NODE_AGENT_IO_XEN_HOST_H
#define NODE_AGENT_IO_XEN_HOST_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/limits.h"
#include "common/model/node_status.h"
#include "node-agent/core/hypervisor_call.h"
#include "node-agent/io/driver/lanes.h"
#include "node-agent/io/xen/domain_mark.h"
#include "node-agent/io/xen/session.h"
#include "node-agent/io/xen/xen_settings.h"

#define STATE_PATH_SIZE 512 /* of a file below the state folder */

/* migration.c: a VM that is waited for. */
#define MIGRATION_WAITS_MAX 8
struct migration_wait {
    char uuid[UUID_SIZE]; /* empty: none */
    char key[NAME_SIZE];
    int listener;
};

/* A domain of ours, whole, as the newest list saw it; see known_domains.h. */
struct known_domain {
    char uuid[UUID_SIZE];
    uint32_t domid;
    uint32_t changes;        /* calls for it that have ended */
    struct domain_mark mark; /* never changes again */
    int64_t read_at_ms;      /* when the rest was; 0: to be read anew */
    uint64_t memory_max_kib; /* Xen's limit, which goes with the target */
    uint64_t memory_target_kib;
    uint64_t net_rate_kib_s;
    uint64_t disk_rate_kib_s;
};

struct xen_host {
    struct xen_settings settings;
    char state_folder[PATH_SIZE];
    char node[NAME_SIZE];
    bool look_only;            /* nothing is made, ended or swept up */
    libxl_scheduler scheduler; /* of the first pool: credit or credit2 */
    struct sessions *sessions;
    struct lanes *lanes;
    struct watchdog *watchdog; /* NULL: this host has none that works */

    /* Taken around "is there a domain of this uuid?" and making one: Xen itself takes several
     * domains of one uuid. */
    pthread_mutex_t making;

    /* Written by each list, read by status(): that never waits for Xen. */
    pthread_mutex_t mutex;
    struct node_status status;
    struct err lost; /* code 0: the last list went well */
    struct known_domain known[VMS_PER_NODE_MAX];
    uint32_t known_count;
    struct migration_wait waits[MIGRATION_WAITS_MAX];
};

/* A part of the driver in files of its own; all of them are listed in parts.c. */
struct xen_part {
    const char *name;

    /* Bits of enum capability that this part can do on this host; asked once, at open. */
    uint32_t (*capabilities)(const struct xen_host *host);

    /* True for the kinds of calls that call() does. */
    bool (*takes)(enum hypervisor_call_kind kind);

    /*
     * Does one call. 0 with out->value and perhaps out->text filled, or a negative errno with
     * err. Whatever libxl logs meanwhile is put behind err's text by the caller.
     */
    int (*call)(struct xen_host *host, struct xen_session *session,
                const struct hypervisor_call *call, struct hypervisor_completion *out,
                struct err *err);

    /* Fills what this part knows of a running domain of ours into its reading. NULL: nothing.
     */
    void (*read)(struct xen_host *host, struct xen_session *session, uint32_t domid,
                 struct domain_reading *out);
};

/* The part that does calls of this kind; NULL: none. */
const struct xen_part *parts_of_call(enum hypervisor_call_kind kind);
uint32_t parts_capabilities(const struct xen_host *host);
void parts_read(struct xen_host *host, struct xen_session *session, uint32_t domid,
                struct domain_reading *out);

/* "state_folder/folder/uuid"; folder is one of "domains", "saved". -ENAMETOOLONG. */
int host_state_path(const struct xen_host *host, const char *folder, const char *uuid,
                    char out[STATE_PATH_SIZE]);

#endif
