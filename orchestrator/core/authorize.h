// SPDX-License-Identifier: Apache-2.0
/*
 * Who may do what: one table of method and kind of object against role. What is not in the
 * table is denied. A provider's own objects are those that it wrote; somebody else's look to it
 * exactly like objects that do not exist.
 */
#ifndef ORCHESTRATOR_CORE_AUTHORIZE_H
#define ORCHESTRATOR_CORE_AUTHORIZE_H

#include <stdbool.h>

#include "common/message/client_message.h"

enum access {
    ACCESS_NONE = 0,
    ACCESS_NAMES = 1, /* may see that it exists and what it is called */
    ACCESS_OWN = 2,   /* only objects of the principal */
    ACCESS_ALL = 3,
};

/* Values out of range get ACCESS_NONE. */
enum access authorize(enum role role, enum method method, enum object_kind kind);

/* May the principal touch an object of this owner? */
bool authorize_owner(enum access access, const char *principal, const char *owner);

/* METHOD_PUT and above; an unknown method changes something until proven otherwise. */
bool authorize_is_change(enum method method);

#endif
