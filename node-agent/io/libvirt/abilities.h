// SPDX-License-Identifier: Apache-2.0
/*
 * What can be done through each of libvirt's drivers, and why the rest cannot. The planner
 * plans what is declared here and nothing else. Pure.
 */
#ifndef NODE_AGENT_IO_LIBVIRT_ABILITIES_H
#define NODE_AGENT_IO_LIBVIRT_ABILITIES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/model/node_status.h"
#include "node-agent/io/libvirt/domain_xml.h"

/* The kind of what virConnectGetType() says, "LXC", "Xen"; UNKNOWN: not one that we can use.
 * Whether a QEMU has KVM is found elsewhere. */
enum libvirt_kind abilities_kind(const char *type);

/* Bits of enum capability. limits_disk: below the state folder is a device whose rate the
 * kernel can limit (containers). */
uint32_t abilities_of(enum libvirt_kind kind, bool limits_disk);

/* Why a capability is not among them, for people; "" when nothing more is to be said. */
const char *abilities_refusal(enum libvirt_kind kind, enum capability capability);

#endif
