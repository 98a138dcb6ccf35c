// SPDX-License-Identifier: Apache-2.0
/*
 * Each call of the driver interface, done with libvirt; they run in the threads of the lanes. A
 * call touches a domain only when it carries our mark, and what it changed is read back.
 */
#ifndef NODE_AGENT_IO_LIBVIRT_OPERATIONS_H
#define NODE_AGENT_IO_LIBVIRT_OPERATIONS_H

#include "node-agent/io/libvirt/host.h"

/* The lane_work of this driver; context is the struct libvirt_host. */
void operations_do(void *context, enum lane_kind lane, const struct hypervisor_call *call,
                   struct hypervisor_completion *out);

/* Our domain of this uuid, or NULL: -ENOENT there is none, -EPERM it is not ours. */
virDomainPtr operations_find(const struct libvirt_host *host, virConnectPtr connection,
                             const struct hypervisor_call *call, struct err *err);

/* The flags of a change: what runs now, and its definition. */
unsigned int operations_affect(virDomainPtr domain);

/* life_cycle.c */
int life_cycle_create(struct libvirt_host *host, virConnectPtr connection,
                      const struct hypervisor_call *call, struct err *err);
int life_cycle_destroy(struct libvirt_host *host, virConnectPtr connection,
                       const struct hypervisor_call *call, struct err *err);
int life_cycle_pause(virDomainPtr domain, struct err *err);
int life_cycle_resume(virDomainPtr domain, struct err *err);
/* Asks the guest, waits for it, and powers it off shortly before the deadline; says so in note.
 */
int life_cycle_shutdown(const struct libvirt_host *host, virDomainPtr domain,
                        const struct hypervisor_call *call, char note[TEXT_SIZE],
                        struct err *err);
int life_cycle_reboot(const struct libvirt_host *host, virDomainPtr domain,
                      const struct hypervisor_call *call, char note[TEXT_SIZE],
                      struct err *err);
int life_cycle_suspend(const struct libvirt_host *host, virDomainPtr domain,
                       const struct hypervisor_call *call, struct err *err);
int life_cycle_restore(const struct libvirt_host *host, virConnectPtr connection,
                       const struct hypervisor_call *call, struct err *err);

/* amounts.c: each returns in *value what reading back shows. */
int amounts_cap(const struct libvirt_host *host, virDomainPtr domain,
                const struct hypervisor_call *call, uint64_t *value, struct err *err);
int amounts_weight(const struct libvirt_host *host, virDomainPtr domain,
                   const struct hypervisor_call *call, uint64_t *value, struct err *err);
int amounts_vcpus(virDomainPtr domain, const struct hypervisor_call *call, uint64_t *value,
                  struct err *err);
int amounts_memory(const struct libvirt_host *host, virDomainPtr domain,
                   const struct hypervisor_call *call, uint64_t *value, struct err *err);

#endif
