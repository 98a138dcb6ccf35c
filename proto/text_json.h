// SPDX-License-Identifier: Apache-2.0
/* Plain data as a tree of jansson, the step before JSON and YAML. Only for proto/. */
#ifndef PROTO_TEXT_JSON_H
#define PROTO_TEXT_JSON_H

#include <jansson.h>

#include "proto/text_parts.h"

enum text_json_zeros {
    TEXT_JSON_ONLY_GIVEN = 1, /* 0, false and "" are left out: what people wrote */
    TEXT_JSON_ALL = 2,        /* all but empty texts: what programs read */
};

/* The fields of a struct with the words of files. What is unknown is null. NULL: no memory. */
json_t *text_json(const struct message_binding *binding, const void *plain,
                  enum text_json_zeros zeros);

#endif
