// SPDX-License-Identifier: Apache-2.0
/*
 * What the state folder knows of our VMs, also while Xen knows nothing of them:
 *
 *   domains/UUID          the mark: this VM is kept here, running or not
 *   saved/UUID            the whole image of a suspended VM
 *   saved/UUID.part       an image that is being written
 *   saved/UUID.restoring  an image that is being read: once the VM runs, it is out of date
 *   disks/UUID            its copy disk
 */
#ifndef NODE_AGENT_IO_XEN_RECORDS_H
#define NODE_AGENT_IO_XEN_RECORDS_H

#include <stdbool.h>

#include "node-agent/io/xen/domain_mark.h"
#include "node-agent/io/xen/host.h"

#define RECORDS_DOMAINS   "domains"
#define RECORDS_SAVED     "saved"
#define RECORDS_DISKS     "disks"
#define RECORDS_PART      ".part"
#define RECORDS_RESTORING ".restoring"

int records_make_folders(const struct xen_host *host, struct err *err);

/* Durable when it returns. */
int records_write(const struct xen_host *host, const char *uuid, const struct domain_mark *mark,
                  struct err *err);
/* -ENOENT: none. */
int records_read(const struct xen_host *host, const char *uuid, struct domain_mark *out);
void records_remove(const struct xen_host *host, const char *uuid);

bool records_has_saved(const struct xen_host *host, const char *uuid);
void records_remove_saved(const struct xen_host *host, const char *uuid);

/* Calls visit for each uuid in a folder whose name is uuid + suffix. */
void records_visit(const struct xen_host *host, const char *folder, const char *suffix,
                   void (*visit)(void *context, const char *uuid), void *context);

#endif
