// SPDX-License-Identifier: Apache-2.0
/* What views.c shows of one thing: computed for people and programs that read, never stored. */
#ifndef ORCHESTRATOR_CORE_VIEWS_H
#define ORCHESTRATOR_CORE_VIEWS_H

#include "orchestrator/core/state.h"

void views_vm_status(const struct vm_record *vm, struct vm_status *out);
void views_service_status(const struct cluster *cluster, const struct service_record *service,
                          int64_t now_ms, struct service_status *out);
void views_node(const struct node_record *node, int64_t now_ms, struct node_view *out);
/* Counts and levels of the services that owner may see; NULL: of all. */
void views_cluster_status(const struct cluster *cluster, const char *owner,
                          struct cluster_status *out);
/* UINT32_MAX for an instant that never was (0) or too long ago. */
uint32_t views_age_ms(int64_t now_ms, int64_t at_ms);

#endif
