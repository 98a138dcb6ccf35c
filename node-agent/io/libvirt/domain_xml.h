// SPDX-License-Identifier: Apache-2.0
/*
 * What we tell libvirt about a VM, as its domain XML, and the mark by which a domain is known
 * to be ours: an element of our own name space in its metadata. Every text is escaped; nothing
 * of an order is ever taken as XML. Pure: no I/O.
 */
#ifndef NODE_AGENT_IO_LIBVIRT_DOMAIN_XML_H
#define NODE_AGENT_IO_LIBVIRT_DOMAIN_XML_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "node-agent/core/hypervisor_call.h"

#define DOMAIN_XML_SIZE     16384
#define DOMAIN_NAMESPACE    "https://arbiter.invalid/xmlns/vm/1"
#define INTERFACE_NAME_SIZE 16 /* IFNAMSIZ */
#define MAC_SIZE            18

enum libvirt_kind {
    LIBVIRT_UNKNOWN = 0,
    LIBVIRT_LXC = 1,
    LIBVIRT_QEMU = 2, /* without KVM: emulated */
    LIBVIRT_KVM = 3,
    LIBVIRT_TEST = 4,
    LIBVIRT_XEN = 5,
};

struct domain_mark {
    char vm[NAME_SIZE];
    char node[NAME_SIZE];
    char address[ADDRESS_SIZE];
    uint64_t generation;
};

struct domain_plan {
    enum libvirt_kind kind;
    const char *node;
    const char *disk; /* folder of the root file system for lxc, a disk for qemu; "" for test */
    const struct hypervisor_call *call;
};

/* Writes the XML. -EMSGSIZE: longer than out; -EINVAL: control characters in a text. */
int domain_xml(const struct domain_plan *plan, char out[DOMAIN_XML_SIZE], struct err *err);

/* Reads our element as libvirt gives it back. 0, or -EINVAL when it is not one of ours. */
int domain_mark_parse(const char *xml, struct domain_mark *out);

/* Both follow from the uuid: the same VM has the same ones on every node. */
void domain_interface_name(const char *uuid, char out[INTERFACE_NAME_SIZE]);
void domain_mac(const char *uuid, char out[MAC_SIZE]);

/* Caps as libvirt has them: a quota of microseconds per period, for the whole domain. */
#define CAP_PERIOD_US 100000
int64_t quota_of_cap(uint32_t cap_pct);
/* UINT32_MAX: no cap (quota -1 or 0). */
uint32_t cap_of_quota(int64_t quota_us, uint64_t period_us);

/* The weight of Xen's schedulers, 256 by default, and the kernel's shares, 1024 by default. */
#define SHARES_PER_WEIGHT 4
uint64_t shares_of_weight(uint32_t weight);
uint32_t weight_of_shares(uint64_t shares);

#endif
