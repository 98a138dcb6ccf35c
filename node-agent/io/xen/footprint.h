// SPDX-License-Identifier: Apache-2.0
/*
 * An agent lives in the memory of a dom0, where every MiB is missing in guests. A hypervisor's
 * library brings many others along, and unpacks kernels.
 */
#ifndef NODE_AGENT_IO_XEN_FOOTPRINT_H
#define NODE_AGENT_IO_XEN_FOOTPRINT_H

/* Before a library is used: its threads share few arenas, and large pieces of memory go back to
 * the system as soon as they are freed. */
void footprint_limit(void);

/* After opening: code that was only needed to start leaves this process; what is needed again
 * comes back from the page cache. */
void footprint_release_code(void);

#endif
