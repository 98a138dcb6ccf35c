// SPDX-License-Identifier: Apache-2.0
/* Any message by its bindings: what the calls of codec.h share. Only for proto/ and its tests.
 */
#ifndef PROTO_CODEC_PARTS_H
#define PROTO_CODEC_PARTS_H

#include "proto/bindings.h"
#include "proto/codec.h"

/* Key of a reply's items on the wire: field 100, length-delimited. */
#define CODEC_ITEMS_TAG ((100u << 3) | 2u)

/* Replaces the content of out. */
int codec_encode(const struct message_binding *binding, const void *plain, struct bytes *out,
                 struct err *err);

/* out NULL: only checks. */
int codec_decode(const struct message_binding *binding, const void *data, size_t size,
                 void *out, struct err *err);

#endif
