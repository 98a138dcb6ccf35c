// SPDX-License-Identifier: Apache-2.0
/*
 * One request on its way to its reply, shared by the requests_*.c files. Every handler checks
 * everything first, then changes; the reply that it fills is stored and sent by requests.c.
 */
#ifndef ORCHESTRATOR_CORE_REQUESTS_H
#define ORCHESTRATOR_CORE_REQUESTS_H

#include "orchestrator/core/authorize.h"
#include "orchestrator/core/state.h"

struct request_context {
    struct cluster *cluster;
    const struct request *request;
    const char *principal;
    enum role role;
    enum access access;
    enum object_kind kind; /* of the request, or the one that its method implies */
    struct effects *out;
    struct reply *reply;
    enum items_source source;
    const struct placement *placements;
    uint32_t placements_count;
};

/* ---- requests.c: the reply ---- */

/* A refusal: code, reason and text "WHAT: WHY". */
void reply_refuse(struct request_context *context, enum reply_code code, enum reason reason,
                  const char *format, ...) __attribute__((format(printf, 4, 5)));
void reply_text(struct request_context *context, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A line of facts, a command to try next; lines beyond FACTS_MAX are left out. */
void reply_fact(struct request_context *context, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void reply_hint(struct request_context *context, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The same for "does not exist" and "belongs to somebody else". */
void reply_not_found(struct request_context *context, enum object_kind kind, const char *name);
/* at_revision of the request against the object's; false: refused. */
bool reply_is_at_revision(struct request_context *context, const char *name,
                          const struct record_meta *meta);

/* NULL and refused when the principal may not touch it or it does not exist. */
struct service_record *request_service(struct request_context *context, const char *name);
struct vm_record *request_vm(struct request_context *context, const char *name);
struct node_record *request_node(struct request_context *context, const char *name);

/* An event CHANGED with "PRINCIPAL ..." as its text. */
struct event_record *request_event(struct request_context *context,
                                   const struct service_record *service, const char *vm,
                                   const char *node, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* Percent of a CPU as CPUs: "1.50". */
#define CPU_TEXT_SIZE 24
const char *cpu_text(uint64_t pct, char out[CPU_TEXT_SIZE]);

/* ---- requests_profile.c ---- */
/* NULL when the principal may not see it or it does not exist; nothing is refused. */
struct profile_record *request_profile(struct request_context *context, const char *name);
/* The profile of the request could be stored; false: refused. */
bool request_may_put_profile(struct request_context *context);
/* Whether the service may have the profile that it names: REASON_NONE, or NO_PROFILE with a
 * fact. present may be NULL. */
enum reason request_check_profile(struct request_context *context, const struct service *spec,
                                  const struct service_record *present);

/* ---- requests_equal.c ---- */
bool service_is_equal(const struct service *a, const struct service *b);
/* Bodies of the same kind; names are not compared. */
bool object_is_equal(enum object_kind kind, const void *a, const void *b);
/* What cannot change under a VM that exists. */
bool group_is_same_machine(const struct vm_group *a, const struct vm_group *b);

/* ---- requests_check.c ---- */
/* Whether this cluster could take the service; false: refused with what is wrong. */
bool check_service(struct request_context *context, const struct service *spec,
                   const struct service_record *present);

/* ---- handlers ---- */
void request_put_service(struct request_context *context);
void request_plan_service(struct request_context *context);
void request_delete_service(struct request_context *context);
void request_put_object(struct request_context *context);
void request_delete_object(struct request_context *context);
void request_set_vm(struct request_context *context);
void request_set_state(struct request_context *context);
void request_reboot(struct request_context *context);
void request_move(struct request_context *context);
void request_cordon(struct request_context *context);
void request_uncordon(struct request_context *context);
void request_drain(struct request_context *context);
void request_confirm_dead(struct request_context *context);
void request_mode(struct request_context *context);

#endif
