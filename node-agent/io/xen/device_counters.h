// SPDX-License-Identifier: Apache-2.0
/* Bytes that a guest moved over its interfaces and disks, as dom0's backends count them. */
#ifndef NODE_AGENT_IO_XEN_DEVICE_COUNTERS_H
#define NODE_AGENT_IO_XEN_DEVICE_COUNTERS_H

#include <stdint.h>

#include "node-agent/core/hypervisor_call.h"

/* Interface 0 and disk xvda; what is not there stays UINT64_MAX. */
void device_counters_read(uint32_t domid, struct domain_reading *out);

#endif
