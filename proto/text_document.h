// SPDX-License-Identifier: Apache-2.0
/* From the tree of one YAML document to an object. Only for proto/. */
#ifndef PROTO_TEXT_DOCUMENT_H
#define PROTO_TEXT_DOCUMENT_H

#include <yaml.h>

#include "proto/text_parts.h"

bool text_node_has_tag(const yaml_node_t *node);

/* Fills the zeroed object, whose kind is set, from the mapping at the root. Adds every mistake.
 */
void text_mapping_read(yaml_document_t *document, const yaml_node_t *root,
                       struct object *object, struct text_mistakes *mistakes);

#endif
