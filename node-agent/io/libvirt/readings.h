// SPDX-License-Identifier: Apache-2.0
/*
 * What libvirt shows about the host and its domains. One call per value and domain: lxc has no
 * bulk statistics. A value that a driver does not have is left unknown, never zero.
 */
#ifndef NODE_AGENT_IO_LIBVIRT_READINGS_H
#define NODE_AGENT_IO_LIBVIRT_READINGS_H

#include "common/err.h"
#include "node-agent/core/hypervisor_call.h"
#include "node-agent/io/libvirt/host.h"

#define SAVED_PATH_SIZE 512

/* Every domain, ours first; also brings host->status up to date. */
int readings_list(struct libvirt_host *host, virConnectPtr connection, struct domain_list *out,
                  struct err *err);

/* The mark of a domain of this node. 0; -ENOENT: a foreign domain. */
int readings_mark(const struct libvirt_host *host, virDomainPtr domain,
                  struct domain_mark *out);

/* Single values in force now, as read back after a change. */
int readings_schedule(const struct libvirt_host *host, virDomainPtr domain, uint32_t *cap_pct,
                      uint32_t *weight, struct err *err);
int readings_memory(const struct libvirt_host *host, virDomainPtr domain, uint64_t *memory_kib,
                    struct err *err);
int readings_vcpus(virDomainPtr domain, uint32_t *vcpus, struct err *err);
enum run_state readings_state(const struct libvirt_host *host, virDomainPtr domain);

/* The file that a suspended VM is kept in. */
int saved_path(const struct libvirt_host *host, const char *uuid, char out[SAVED_PATH_SIZE]);

#endif
