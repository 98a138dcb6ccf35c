// SPDX-License-Identifier: Apache-2.0
/*
 * A connection to libvirt that comes back: when libvirtd goes away, calls fail with the reason
 * and the connection is tried again, at most once per back-off time. Each lane has its own, so
 * that what hangs in one cannot be felt in the other. Used by several threads.
 */
#ifndef NODE_AGENT_IO_LIBVIRT_CONNECTION_H
#define NODE_AGENT_IO_LIBVIRT_CONNECTION_H

#include <libvirt/libvirt.h>

#include "common/err.h"

struct connection;

/* Opens it now. NULL with err: libvirt's own words. */
struct connection *connection_create(const char *uri, struct err *err);
void connection_destroy(struct connection *connection);

/* Asks libvirtd for a sign of life. A reference that the caller gives back with
 * virConnectClose(), or NULL with err. */
virConnectPtr connection_get(struct connection *connection, struct err *err);

/* Stores "what: libvirt's last error of this thread" and a fitting negative errno. Returns it.
 */
int libvirt_error(struct err *err, const char *what);

#endif
