// SPDX-License-Identifier: Apache-2.0
/*
 * What follows from an order for a guest of Xen: its size, its MAC address, its kernel's
 * command line, and everything that is wrong with it. Pure.
 */
#ifndef NODE_AGENT_IO_XEN_GUEST_VALUES_H
#define NODE_AGENT_IO_XEN_GUEST_VALUES_H

#include <stdint.h>

#include "common/err.h"
#include "common/model/vm.h"

#define GUEST_MAC_BYTES 6

struct guest_size {
    uint32_t vcpus; /* online at the start */
    uint32_t vcpus_max;
    uint64_t memory_kib;
    uint64_t memory_max_kib;
};

/* The most is never below what it starts with. */
struct guest_size guest_size_of(const struct vm_order *order);

/* From Xen's block of addresses and the uuid: the same VM has the same one on every node. */
void guest_mac(const char *uuid, uint8_t out[GUEST_MAC_BYTES]);

/* -EINVAL with every mistake: no kernel, no memory, no VCPUs, no cap. */
int guest_values_check(const struct vm_order *order, struct err *err);

#endif
