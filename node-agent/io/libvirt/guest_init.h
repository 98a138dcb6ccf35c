// SPDX-License-Identifier: Apache-2.0
/*
 * Asks the init of a container to shut it down, which libvirt 9.0 does not do dependably:
 * without an initctl pipe in the container it reports success and does nothing, and after a
 * restart of libvirtd it no longer knows the process ("Init process ID is not yet known"). The
 * container's controller, whose id libvirt always knows, has that process as its child.
 */
#ifndef NODE_AGENT_IO_LIBVIRT_GUEST_INIT_H
#define NODE_AGENT_IO_LIBVIRT_GUEST_INIT_H

#include <libvirt/libvirt.h>

/* To a running container of this host. 0: the signal was sent; or negative errno. */
int guest_init_shutdown(virDomainPtr domain);

/* At once: libvirt's destroy asks for up to two seconds before it kills. */
int guest_init_kill(virDomainPtr domain);

#endif
