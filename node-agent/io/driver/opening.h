// SPDX-License-Identifier: Apache-2.0
/* How every driver opens that calls a library which may block. */
#ifndef NODE_AGENT_IO_DRIVER_OPENING_H
#define NODE_AGENT_IO_DRIVER_OPENING_H

#include "node-agent/io/hypervisor.h"

/* State folder and node name of the settings are there and fit. 0 or -EINVAL. */
int opening_check(const struct hypervisor_settings *settings, const char *driver,
                  struct err *err);

/* A thread that waits for a library that hangs outlives close(): the code of the module that
 * calls this stays in memory. */
void opening_stay_loaded(void);

#endif
