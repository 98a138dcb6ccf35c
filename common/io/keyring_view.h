// SPDX-License-Identifier: Apache-2.0
/*
 * Inside common/io: one state of the keyring, never changed once made. A bus socket holds the
 * newest one and looks up the sender of each message without a lock; when keyring_version()
 * moved, it takes the next.
 */
#ifndef COMMON_IO_KEYRING_VIEW_H
#define COMMON_IO_KEYRING_VIEW_H

#include <stdint.h>

#include "common/io/keys.h"

struct keyring_view;

/* Rises with every change of the table. */
uint64_t keyring_version(const struct keyring *keyring);
/* A reference, to be dropped. */
struct keyring_view *keyring_view_take(const struct keyring *keyring);
void keyring_view_drop(struct keyring_view *view); /* NULL is fine */

uint64_t keyring_view_version(const struct keyring_view *view);
/* By the Z85 text of a public key (40 characters). NULL: not there. */
const struct principal *keyring_view_find(const struct keyring_view *view,
                                          const char *public_text);

#endif
