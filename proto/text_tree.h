// SPDX-License-Identifier: Apache-2.0
/* Items as trees of jansson, for a program that puts several of them into one document. */
#ifndef PROTO_TEXT_TREE_H
#define PROTO_TEXT_TREE_H

#include <jansson.h>

#include "proto/text.h"

/* What text_write_item() writes. Returns a new reference; NULL: no memory. */
json_t *text_item_tree(const struct item *item);

/* 0, -ENOMEM (a YAML document has limits), -EIO. Writes nothing on -ENOMEM. */
int text_write_tree(FILE *out, enum text_format format, json_t *tree);

#endif
