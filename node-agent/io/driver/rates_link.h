// SPDX-License-Identifier: Apache-2.0
/*
 * The rate at which a network interface of the host sends: a token bucket (tbf) at its root,
 * set and read over rtnetlink, without a process for each change. What a vif sends, its guest
 * receives.
 */
#ifndef NODE_AGENT_IO_DRIVER_RATES_LINK_H
#define NODE_AGENT_IO_DRIVER_RATES_LINK_H

#include <stdint.h>

#include "common/err.h"

#define RATES_LINK_KIB_S_MAX (UINT32_MAX / 1024u) /* what a tbf holds without extensions */

/* 0 KiB/s: no limit. -ENODEV: no such interface; -EINVAL: beyond the maximum. */
int rates_link_set(const char *interface, uint64_t kib_s, struct err *err);

/* 0 KiB/s: no limit of ours. */
int rates_link_get(const char *interface, uint64_t *kib_s, struct err *err);

#endif
