// SPDX-License-Identifier: Apache-2.0
/*
 * A fork for libxl, which goes on in the child without exec: to destroy a domain it opens Xen
 * anew there. The libraries below it have locks of the whole process (buffers of hypercalls,
 * open handles). One that another thread holds at the instant of the fork stays locked in the
 * child for ever: the child hangs, and the domain with it.
 */
#ifndef NODE_AGENT_IO_XEN_FORK_CHILD_H
#define NODE_AGENT_IO_XEN_FORK_CHILD_H

#include <sys/types.h>

/*
 * As fork(), but the child comes back only when it could take those locks; a child that could
 * not is ended and another one made. -1 with errno: none could, or no fork is possible. The
 * child has no signal blocked.
 */
pid_t fork_child_with_free_locks(void);

#endif
