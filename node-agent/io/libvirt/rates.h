// SPDX-License-Identifier: Apache-2.0
/* How fast a guest may use its network and its disk. */
#ifndef NODE_AGENT_IO_LIBVIRT_RATES_H
#define NODE_AGENT_IO_LIBVIRT_RATES_H

#include "node-agent/io/libvirt/host.h"

/*
 * KiB/s in each direction, 0: unlimited; *value is what reading back shows. Where the kernel
 * lacks what libvirt needs to limit both (sch_sfq, cls_fw, act_police), what the guest receives
 * is limited, and note says so.
 */
int rates_set_net(virDomainPtr domain, const struct hypervisor_call *call, uint64_t *value,
                  char note[TEXT_SIZE], struct err *err);
int rates_set_disk(const struct libvirt_host *host, virDomainPtr domain,
                   const struct hypervisor_call *call, uint64_t *value, struct err *err);

int rates_read_net(virDomainPtr domain, const char *uuid, uint64_t *kib_s, struct err *err);
int rates_read_disk(const struct libvirt_host *host, virDomainPtr domain, uint64_t *kib_s,
                    struct err *err);

/*
 * The block device below the state folder, "/dev/vda": a container's disk rate is a limit on
 * that. -ENODEV: there is none that the kernel could limit (overlay, tmpfs, network).
 */
int rates_find_device(const char *folder, char *out, size_t size);

#endif
