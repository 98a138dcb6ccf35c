// SPDX-License-Identifier: Apache-2.0
/* What recovery.c (lost nodes) and moves.c (moves, drains) share. */
#ifndef ORCHESTRATOR_CORE_RECOVERY_H
#define ORCHESTRATOR_CORE_RECOVERY_H

#include "orchestrator/core/state.h"

/* NULL: it has none of its own. */
const struct vm_disk *recovery_disk_of(const struct cluster *cluster,
                                       const struct vm_record *vm);
/* Its disk keeps it on its node. */
bool recovery_is_pinned(const struct cluster *cluster, const struct vm_record *vm);
/* What a start on another node costs it, as the end of a sentence. */
const char *recovery_disk_note(const struct cluster *cluster, const struct vm_record *vm);
/* Its old copy is proven dead: it gets a new generation on a node, or waits for one (NULL)
 * because of why. */
void recovery_place_anew(struct cluster *cluster, struct vm_record *vm, struct node_record *to,
                         enum reason why, struct effects *out);

/* It moves, or starts and was not tried often without success. */
bool recovery_is_on_its_way(const struct vm_record *vm);
/* recovery_move() by the manager, for this reason. */
enum reply_code recovery_move_because(struct cluster *cluster, struct vm_record *vm,
                                      struct node_record *to, enum reason reason,
                                      enum reason *why, struct effects *out);

#endif
