// SPDX-License-Identifier: Apache-2.0
/*
 * Sizes of the plain data and of what one message may carry. Everything has a limit; reaching
 * one is an error that names it. Sizes of strings include the terminating NUL.
 */
#ifndef COMMON_LIMITS_H
#define COMMON_LIMITS_H

#define NAME_SIZE        64  /* names of objects: [a-z0-9]([a-z0-9.-]*[a-z0-9])? */
#define UUID_SIZE        37  /* 8-4-4-4-12 lower-case hexadecimal digits */
#define TEXT_SIZE        256 /* one line for people */
#define PATH_SIZE        256
#define URL_SIZE         256
#define SHA256_SIZE      65 /* 64 lower-case hexadecimal digits */
#define ADDRESS_SIZE     64 /* host:port or an IP address */
#define REQUEST_ID_BYTES 16

#define VM_GROUPS_MAX           4 /* groups of VMs in a service */
#define VMS_PER_GROUP_MAX       64
#define VMS_PER_NODE_MAX        128
#define ENTRY_SERVERS_MAX       64
#define STORAGE_NODES_MAX       64
#define FACTS_MAX               16 /* lines of facts or hints in a reply */
#define REPLY_ITEMS_MAX         256
#define DECISION_CHANGES_MAX    32 /* caps changed by one decision, and who paid */
#define METRICS_PER_MESSAGE_MAX 32
#define PROFILE_POINTS_MAX      96

#endif
