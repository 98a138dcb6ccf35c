// SPDX-License-Identifier: Apache-2.0
/* PUT, PLAN and DELETE of a service. A service is placed in full or refused with what is short.
 */
#include <stdio.h>
#include <string.h>

#include "orchestrator/core/plan_scratch.h"
#include "orchestrator/core/requests.h"

#define RETRY_UNSEEN_MS   1000
#define RETRY_DELETING_MS 1000

/* ---- refusals ---- */

static bool is_about_room(enum reason reason)
{
    return reason == REASON_NO_CPU || reason == REASON_NO_MEMORY;
}

/* The row that says most: a node that is only too full before one that could never take it. */
static const struct placement *telling_row(const struct service_plan *plan)
{
    const struct placement *best = NULL;
    for (uint32_t i = 0; i < plan->count; i++) {
        const struct placement *row = &plan->rows[i];
        if (row->reason == REASON_NONE || row->reason == REASON_NO_NODE) {
            continue;
        }
        if (best == NULL || (is_about_room(row->reason) && !is_about_room(best->reason)) ||
            (best->reason == REASON_NODE_DOWN && row->reason != REASON_NODE_DOWN)) {
            best = row;
        }
    }
    return best;
}

static void why_text(const struct placement *row, char *out, size_t size)
{
    char cpu[CPU_TEXT_SIZE];
    if (row == NULL) {
        (void)snprintf(out, size, "there is no node");
    } else if (row->vm[0] != '\0') {
        (void)snprintf(out, size, "vm %s cannot grow on %s", row->vm, row->node);
    } else if (row->reason == REASON_NO_MEMORY) {
        (void)snprintf(out, size, "no node has %llu MiB free memory",
                       (unsigned long long)(row->needed + 1023) / 1024);
    } else if (row->reason == REASON_NO_CPU) {
        (void)snprintf(out, size, "no node has %s CPU free", cpu_text(row->needed, cpu));
    } else if (row->reason == REASON_NO_SELF_FENCE) {
        (void)snprintf(out, size, "no node can fence itself");
    } else if (row->reason == REASON_NODE_DOWN) {
        (void)snprintf(out, size, "no node is up");
    } else if (row->reason == REASON_CORDONED) {
        (void)snprintf(out, size, "no node is open for new vms");
    } else {
        (void)snprintf(out, size, "no node can take it");
    }
}

static void add_row_facts(struct request_context *context, const struct service_plan *plan)
{
    for (uint32_t i = 0; i < plan->count; i++) {
        const struct placement *row = &plan->rows[i];
        char text[TEXT_SIZE / 2];
        plan_row_text(row, text, sizeof text);
        if (row->reason == REASON_NO_NODE) {
            continue; /* a VM: the rows of the nodes say why */
        }
        if (row->vm[0] != '\0' && row->reason != REASON_NONE) {
            reply_fact(context, "vm %s on %s: %s", row->vm, row->node, text);
        } else if (row->vm[0] == '\0') {
            reply_fact(context, "%-8s %s", row->node,
                       row->reason == REASON_NONE ? "has room for another vm" : text);
        }
        if (row->reason == REASON_CORDONED) {
            reply_hint(context, "arbiter uncordon %s", row->node);
        }
    }
}

static void refuse_infeasible(struct request_context *context, const struct service *spec,
                              const struct service_plan *plan)
{
    const struct placement *row = telling_row(plan);
    char why[TEXT_SIZE];
    why_text(row, why, sizeof why);
    uint32_t without = 0;
    for (uint32_t i = 0; i < plan->count; i++) {
        without += plan->rows[i].reason == REASON_NO_NODE ? 1u : 0u;
    }
    reply_refuse(context, REPLY_INFEASIBLE, row == NULL ? REASON_NO_NODE : row->reason,
                 "service %s cannot be placed: %s", spec->service, why);
    if (without > 1) {
        reply_fact(context, "%u vms find no node, the first because", without);
    }
    add_row_facts(context, plan);
    if (row != NULL && row->reason == REASON_NO_MEMORY) {
        reply_hint(context, "lower vms.memory in the file, or remove something: arbiter get "
                            "vm -o wide");
    } else if (row != NULL && row->reason == REASON_NO_CPU) {
        reply_hint(context, "lower the minimum of vms.cpu in the file, or remove something: "
                            "arbiter get vm -o wide");
    } else if (row != NULL && row->reason == REASON_NO_SELF_FENCE) {
        reply_hint(context, "isolation: run asks for no such node");
    } else if (row == NULL || row->reason == REASON_NODE_DOWN) {
        reply_hint(context, "arbiter get node");
    }
    const struct node_record *node = NULL;
    for (uint32_t i = 0; (node = table_next(&context->cluster->nodes, &i)) != NULL;) {
        if (node->state == NODE_STATE_UNSEEN) {
            context->reply->retry_after_ms = RETRY_UNSEEN_MS;
        }
    }
}

/* ---- conflicts ---- */

static void note_newer(struct request_context *context, enum object_kind kind, const char *name,
                       const struct record_meta *meta)
{
    if (meta->revision > context->request->at_revision) {
        reply_fact(context, "%s %s changed at revision %llu", object_kind_word(kind), name,
                   (unsigned long long)meta->revision);
    }
}

/* A plan holds while nothing that people write was changed since; caps that the manager moves
 * do not count. */
static bool is_plan_current(struct request_context *context)
{
    const struct cluster *cluster = context->cluster;
    if (context->request->at_revision == 0) {
        return true;
    }
    const struct service_record *service = NULL;
    for (uint32_t i = 0; (service = table_next(&cluster->services, &i)) != NULL;) {
        note_newer(context, OBJECT_KIND_SERVICE, service->spec.service, &service->meta);
    }
    const struct node_record *node = NULL;
    for (uint32_t i = 0; (node = table_next(&cluster->nodes, &i)) != NULL;) {
        note_newer(context, OBJECT_KIND_NODE, node->spec.node, &node->meta);
    }
    const struct image_record *image = NULL;
    for (uint32_t i = 0; (image = table_next(&cluster->images, &i)) != NULL;) {
        note_newer(context, OBJECT_KIND_IMAGE, image->spec.image, &image->meta);
    }
    const struct storage_record *storage = NULL;
    for (uint32_t i = 0; (storage = table_next(&cluster->storages, &i)) != NULL;) {
        note_newer(context, OBJECT_KIND_STORAGE, storage->spec.storage, &storage->meta);
    }
    const struct agreement_record *agreement = NULL;
    for (uint32_t i = 0; (agreement = table_next(&cluster->agreements, &i)) != NULL;) {
        note_newer(context, OBJECT_KIND_AGREEMENT, agreement->spec.agreement, &agreement->meta);
    }
    const struct profile_record *profile = NULL;
    for (uint32_t i = 0; (profile = table_next(&cluster->profiles, &i)) != NULL;) {
        note_newer(context, OBJECT_KIND_PROFILE, profile->spec.profile, &profile->meta);
    }
    if (context->reply->facts_count == 0) {
        return true;
    }
    reply_refuse(context, REPLY_CONFLICT, REASON_CONFLICT,
                 "the cluster is not at revision %llu any more",
                 (unsigned long long)context->request->at_revision);
    if (context->role == ROLE_PROVIDER) { /* not what others do */
        memset(context->reply->facts, 0, sizeof context->reply->facts);
        context->reply->facts_count = 0;
    }
    reply_hint(context, "arbiter plan -f FILE");
    return false;
}

/* Owner, life and revision; present may be NULL. */
static bool may_write(struct request_context *context, const struct service *spec,
                      const struct service_record *present)
{
    const char *name = context->request->name;
    if (spec->service[0] == '\0' || (name[0] != '\0' && strcmp(name, spec->service) != 0)) {
        reply_refuse(context, REPLY_INVALID, REASON_INVALID,
                     "request: it names service %s, its object service %s", name,
                     spec->service);
        return false;
    }
    if (present != NULL &&
        !authorize_owner(context->access, context->principal, present->meta.owner)) {
        reply_refuse(context, REPLY_DENIED, REASON_DENIED,
                     "service %s: this name is not free for %s", spec->service,
                     context->principal);
        return false;
    }
    if (present != NULL && present->deleting) {
        reply_refuse(context, REPLY_CONFLICT, REASON_CONFLICT,
                     "service %s is being deleted: its vms are still going", spec->service);
        context->reply->retry_after_ms = RETRY_DELETING_MS;
        reply_hint(context, "arbiter wait service/%s --for deleted", spec->service);
        return false;
    }
    return is_plan_current(context);
}

/* ---- caps that a new file moves ---- */

struct old_caps {
    uint32_t count;
    uint32_t slot[PLAN_VMS_MAX];
    uint32_t cap_pct[PLAN_VMS_MAX];
};

static void remember_caps(const struct cluster *cluster, const struct service_record *service,
                          struct old_caps *old)
{
    const struct vm_record *vm = NULL;
    for (uint32_t at = 0; (vm = cluster_next_vm_of(cluster, service, &at)) != NULL;) {
        if (old->count < PLAN_VMS_MAX) {
            old->slot[old->count] = table_slot(&cluster->vms, vm);
            old->cap_pct[old->count++] = vm->vm.cap_pct;
        }
    }
}

static void decide_caps(struct request_context *context, struct service_record *service,
                        const struct old_caps *old)
{
    struct cluster *cluster = context->cluster;
    struct decision *decision = NULL;
    for (uint32_t i = 0; i < old->count; i++) {
        struct vm_record *vm = table_at(&cluster->vms, old->slot[i]);
        if (vm == NULL || vm->vm.cap_pct == old->cap_pct[i]) {
            continue;
        }
        if (decision == NULL) {
            decision = emit_new_decision(cluster, context->out);
        }
        vm->decision = decision->id;
        if (decision->caps_count == DECISION_CHANGES_MAX) {
            continue;
        }
        struct cap_change *change = &decision->caps[decision->caps_count++];
        memcpy(change->vm, vm->vm.vm, sizeof change->vm);
        memcpy(change->service, vm->vm.service, sizeof change->service);
        memcpy(change->node, vm->vm.node, sizeof change->node);
        change->from_pct = old->cap_pct[i];
        change->to_pct = vm->vm.cap_pct;
        change->reason = REASON_PERSON;
    }
    if (decision != NULL) {
        memcpy(decision->service, service->spec.service, sizeof decision->service);
        (void)snprintf(decision->principal, sizeof decision->principal, "%s",
                       context->principal);
        decision->reason = REASON_PERSON;
        decision->outcome = DECISION_OUTCOME_ORDERED;
        (void)snprintf(decision->text, sizeof decision->text,
                       "%s gave service %s another range of CPU: caps follow it",
                       context->principal, service->spec.service);
        service->last_decision = decision->id;
        emit_decision(cluster, decision, context->out);
    }
}

/* ---- handlers ---- */

static struct service *copy_spec(struct request_context *context)
{
    struct service *spec = effects_alloc(context->out, sizeof *spec);
    *spec = context->request->object.service;
    service_set_defaults(spec);
    return spec;
}

static struct service_record *store_service(struct request_context *context,
                                            const struct service *spec,
                                            struct service_record *present)
{
    struct cluster *cluster = context->cluster;
    struct service_record *service = present;
    if (service == NULL) {
        service = table_add(&cluster->services, spec->service);
        (void)snprintf(service->meta.owner, sizeof service->meta.owner, "%s",
                       context->principal);
        cluster_init_service(service);
    } else if (strcmp(spec->scheduler, service->spec.scheduler) != 0) {
        service->scheduler = (struct scheduler_state){0};
    }
    cluster_count_service(cluster, service->meta.owner, present == NULL ? NULL : &service->spec,
                          spec);
    service->spec = *spec;
    emit_service(cluster, service, context->out);
    if (present == NULL && spec->kind == SERVICE_KIND_QUEUE) {
        /* Also so that nothing is left of an earlier service of this name. */
        service->progress.started_wall_ms = cluster->wall_ms;
        emit_progress(cluster, service, context->out);
    }
    return service;
}

static void tell_vms(struct request_context *context, const struct service_plan *plan)
{
    for (uint32_t i = 0; i < plan->count; i++) {
        const struct placement *row = &plan->rows[i];
        if (row->vm[0] != '\0') {
            reply_fact(context, "vm %s %s %s", row->vm,
                       row->remove   ? "goes from"
                       : row->change ? "changes on"
                                     : "starts on",
                       row->node[0] == '\0' ? "no node yet" : row->node);
        }
    }
}

void request_put_service(struct request_context *context)
{
    struct cluster *cluster = context->cluster;
    const struct service *spec = copy_spec(context);
    struct service_record *present = table_find(&cluster->services, spec->service);
    if (!may_write(context, spec, present)) {
        return;
    }
    if (present != NULL && service_is_equal(&present->spec, spec)) {
        reply_text(context, "service %s: unchanged", spec->service);
        return;
    }
    if (!check_service(context, spec, present)) {
        return;
    }
    struct service_plan *plan = &cluster->plan->answer;
    plan_service(cluster, spec, plan);
    if (!plan->feasible) {
        refuse_infeasible(context, spec, plan);
        return;
    }
    struct service_record *service = store_service(context, spec, present);
    struct old_caps *old = effects_alloc(context->out, sizeof *old);
    remember_caps(cluster, service, old);
    plan_apply(cluster, service, context->out);
    decide_caps(context, service, old);
    struct vm_record *vm = NULL;
    for (uint32_t at = 0; (vm = cluster_next_vm_of(cluster, service, &at)) != NULL;) {
        cluster_mark_dirty(cluster, vm); /* orders hold parts of the spec */
    }
    entries_service(cluster, service, context->out);
    const char *what = present == NULL ? "creates" : "changes";
    (void)request_event(context, service, NULL, NULL, "%s service %s", what, spec->service);
    reply_text(context, "service %s: %s", spec->service,
               present == NULL ? "created" : "changed");
    tell_vms(context, plan);
}

void request_plan_service(struct request_context *context)
{
    struct cluster *cluster = context->cluster;
    const struct service *spec = copy_spec(context);
    struct service_record *present = table_find(&cluster->services, spec->service);
    if (!may_write(context, spec, present) || !check_service(context, spec, present)) {
        return;
    }
    struct service_plan *plan = &cluster->plan->answer;
    plan_service(cluster, spec, plan);
    context->source = ITEMS_PLAN;
    context->placements = plan->rows;
    context->placements_count = plan->count;
    if (!plan->feasible) {
        refuse_infeasible(context, spec, plan);
    } else if (present != NULL && service_is_equal(&present->spec, spec)) {
        reply_text(context, "service %s: unchanged", spec->service);
    }
}

void request_delete_service(struct request_context *context)
{
    struct cluster *cluster = context->cluster;
    struct service_record *service = request_service(context, context->request->name);
    if (service == NULL ||
        !reply_is_at_revision(context, service->spec.service, &service->meta)) {
        return;
    }
    if (service->deleting) {
        reply_text(context, "service %s: is being deleted already", service->spec.service);
        return;
    }
    char name[NAME_SIZE];
    memcpy(name, service->spec.service, sizeof name);
    (void)request_event(context, service, NULL, NULL, "deletes service %s", name);
    service->deleting = true;
    entries_remove(cluster, service, context->out);
    uint32_t going = 0;
    bool is_last = service->first_vm == 0;
    struct vm_record *vm = NULL;
    for (uint32_t at = 0; (vm = cluster_next_vm_of(cluster, service, &at)) != NULL;) {
        if (vm->vm.phase != VM_PHASE_REMOVING) {
            going++;
            plan_remove(cluster, vm, context->out);
        }
    }
    if (is_last) {
        cluster_service_gone(cluster, service, context->out);
    }
    reply_text(context, "service %s: deleted, %u vms are being removed", name, going);
}
