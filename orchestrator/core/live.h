// SPDX-License-Identifier: Apache-2.0
/* A VM that goes over to another node as it is: what live.c keeps of it, and its steps. */
#ifndef ORCHESTRATOR_CORE_LIVE_H
#define ORCHESTRATOR_CORE_LIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/limits.h"
#include "common/message/node_message.h"

struct cluster;
struct effects;
struct node_record;
struct vm_record;

/* Nothing of it is stored: a new epoch aborts what it finds begun. */
struct live_move {
    bool begun;               /* in this epoch */
    bool streams;             /* the sender was ordered to */
    bool receiver_whole;      /* of the newest order: it holds all of the VM, paused */
    enum isolation isolation; /* of every order to the receiver */
    int64_t begun_at_ms;
    int64_t sent_at_ms; /* to the receiver */
    uint64_t operation;
    uint64_t hash;
    uint64_t receiver_snapshot; /* number of the one that showed it last */
    char peer[ADDRESS_SIZE];    /* where the receiver waits, as it said first */
    char peer_key[NAME_SIZE];
};

bool live_can_begin(const struct cluster *cluster, const struct vm_record *vm,
                    const struct node_record *from, const struct node_record *to);
void live_begin(struct cluster *cluster, struct vm_record *vm, struct node_record *to,
                enum reason reason, struct effects *out);
/* Phase MOVING and live: the next step of it. */
void live_visit(struct cluster *cluster, struct vm_record *vm, struct effects *out);
/* The VM stays where it is. */
void live_abort(struct cluster *cluster, struct vm_record *vm, enum reason reason,
                const char *text, struct effects *out);
/* Its node is lost, or it gets a new place: what was begun means nothing. */
void live_forget(struct vm_record *vm);
/* The receiver showed its copy. */
void live_receiver_status(struct cluster *cluster, struct vm_record *vm,
                          const struct node_record *to, const struct vm_status *status);
/* True: the result was of the receiver. */
bool live_receiver_result(struct cluster *cluster, struct vm_record *vm,
                          const struct node_record *node, const struct result *result,
                          struct effects *out);

/* ---- of reconcile.c and observe.c, for live.c ---- */
/* Orders it from its node: sent again until shown, a new operation when the content differs. */
void reconcile_order(struct cluster *cluster, struct vm_record *vm,
                     const struct vm_order *wanted, struct effects *out);
/* What its node may hold of its generation from now on; see vm_record. */
void reconcile_note_isolation(struct vm_record *vm, enum isolation isolation);
/* A copy of this VM on a node, of that generation, is ended there. */
void reconcile_end_copy(struct cluster *cluster, const struct vm_record *vm,
                        const struct node_record *node, uint64_t generation,
                        struct effects *out);

#endif
