// SPDX-License-Identifier: Apache-2.0
/* For xl_config.c only: looks without marking as used. */
#ifndef ORCHESTRATOR_CLIENT_XL_CONFIG_TREE_H
#define ORCHESTRATOR_CLIENT_XL_CONFIG_TREE_H

#include "orchestrator/client/xl_config.h"

struct xl_setting *xl_tree_find(struct xl_config *config, const char *name);

#endif
