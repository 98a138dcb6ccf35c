// SPDX-License-Identifier: Apache-2.0
/*
 * What a service file must fulfil beyond its syntax: it makes sense in itself, everything that
 * it names exists in this cluster, and its provider's agreement covers it. All that is wrong is
 * told at once.
 */
#include <stdio.h>
#include <string.h>

#include "orchestrator/core/requests.h"

/* ---- in itself ---- */

static void check_group(struct request_context *context, const struct service *spec,
                        uint32_t index)
{
    const struct vm_group *group = &spec->vms[index];
    char name[NAME_SIZE];
    if (group->count.min == 0 || group->count.min > group->count.max ||
        group->count.max > VMS_PER_GROUP_MAX) {
        reply_fact(context, "vms.%s.count: %u to %u is not a range within 1 to %u", group->name,
                   group->count.min, group->count.max, VMS_PER_GROUP_MAX);
    }
    if (group->cpu.min_pct == 0 || group->cpu.min_pct > group->cpu.max_pct ||
        group->cpu.max_pct / 100 > group->vcpus ||
        (group->cpu.max_pct / 100 == group->vcpus && group->cpu.max_pct % 100 != 0)) {
        reply_fact(context, "vms.%s.cpu: %u %% to %u %% is not a range within %u vcpus",
                   group->name, group->cpu.min_pct, group->cpu.max_pct, group->vcpus);
    }
    if (group->vcpus_min > group->vcpus) {
        reply_fact(context, "vms.%s.vcpus_min: %u is more than vcpus, %u", group->name,
                   group->vcpus_min, group->vcpus);
    }
    if (group->memory_min_kib > group->memory_kib) {
        reply_fact(context, "vms.%s.memory_min: %llu KiB is more than memory, %llu KiB",
                   group->name, (unsigned long long)group->memory_min_kib,
                   (unsigned long long)group->memory_kib);
    }
    if (!cluster_vm_name(spec->service, group->name, VMS_PER_GROUP_MAX * 2, name)) {
        reply_fact(context, "vms.%s.name: too long together with the name of the service",
                   group->name);
    }
    for (uint32_t i = 0; i < index; i++) {
        if (strcmp(spec->vms[i].name, group->name) == 0) {
            reply_fact(context, "vms.%s.name: two groups have this name", group->name);
        }
    }
}

static void check_response_time(struct request_context *context, const struct service *spec)
{
    const struct response_time *target = &spec->objective.response_time;
    uint32_t given = (target->mean_ms != 0 ? 1u : 0u) + (target->p50_ms != 0 ? 1u : 0u) +
                     (target->p95_ms != 0 ? 1u : 0u);
    if (spec->objective.has_response_time && given != 1) {
        reply_fact(context, "objective.response_time: one of mean, p50, p95 must be given");
    }
}

static void check_kind(struct request_context *context, const struct service *spec)
{
    bool is_fixed = strcmp(spec->scheduler, "fixed") == 0;
    if (spec->kind == SERVICE_KIND_WEB && !spec->objective.has_response_time && !is_fixed) {
        reply_fact(context, "objective.response_time: a web service needs one");
    }
    if (spec->kind == SERVICE_KIND_QUEUE && !spec->has_queue) {
        reply_fact(context, "queue: a service of kind queue needs tasks and task_cpu");
    }
    if (spec->kind == SERVICE_KIND_QUEUE && spec->objective.deadline_wall_ms == 0 &&
        spec->objective.within_ms == 0 && !is_fixed) {
        reply_fact(context, "objective.deadline: a queue needs deadline or within");
    }
    if (spec->kind != SERVICE_KIND_WEB && spec->has_entry) {
        reply_fact(context, "entry: only a web service has one");
    }
    if (spec->scheduler[0] != '\0' && scheduler_find(spec->scheduler) == NULL) {
        reply_fact(context, "scheduler: there is none called %s", spec->scheduler);
        char known[TEXT_SIZE / 2] = "";
        for (const struct scheduler *const *i = scheduler_all(); *i != NULL; i++) {
            size_t used = strlen(known);
            (void)snprintf(known + used, sizeof known - used, " %s", (*i)->name);
        }
        reply_hint(context, "schedulers:%s", known);
    }
}

static void check_entry(struct request_context *context, const struct service *spec)
{
    bool has_port = false;
    for (uint32_t i = 0; i < spec->vms_count; i++) {
        has_port = has_port || spec->vms[i].port != 0;
    }
    if (spec->has_entry && !has_port) {
        reply_fact(context, "entry: no group of vms has a port to which it could send");
    }
}

static bool check_alone(struct request_context *context, const struct service *spec)
{
    if (spec->kind == SERVICE_KIND_UNSPECIFIED) {
        reply_fact(context, "kind: is missing (web, queue or cluster)");
    }
    if (spec->vms_count == 0 || spec->vms_count > VM_GROUPS_MAX) {
        reply_fact(context, "vms: 1 to %u groups are needed, %u are given", VM_GROUPS_MAX,
                   spec->vms_count);
    } else {
        for (uint32_t i = 0; i < spec->vms_count; i++) {
            check_group(context, spec, i);
        }
        check_entry(context, spec);
    }
    check_response_time(context, spec);
    check_kind(context, spec);
    if (context->reply->facts_count == 0) {
        return true;
    }
    reply_refuse(context, REPLY_INVALID, REASON_INVALID, "service %s is not valid",
                 spec->service);
    reply_hint(context, "arbiter explain service");
    return false;
}

/* ---- against what is there ---- */

static bool check_kept(struct request_context *context, const struct service *spec,
                       const struct service_record *present)
{
    if (present == NULL || present->first_vm == 0) {
        return true;
    }
    if (spec->kind != present->spec.kind) {
        reply_fact(context, "kind: cannot change while the service has vms");
        reply_hint(context, "arbiter delete service %s", spec->service);
    }
    for (uint32_t i = 0; i < spec->vms_count; i++) {
        for (uint32_t k = 0; k < present->spec.vms_count; k++) {
            const struct vm_group *old = &present->spec.vms[k];
            if (strcmp(old->name, spec->vms[i].name) == 0 &&
                !group_is_same_machine(old, &spec->vms[i])) {
                reply_fact(context,
                           "vms.%s: image, disk and network of vms that exist cannot change",
                           old->name);
                reply_hint(context, "give the group another name: new vms are made and the old "
                                    "ones removed");
            }
        }
    }
    if (context->reply->facts_count == 0) {
        return true;
    }
    reply_refuse(context, REPLY_INVALID, REASON_UNSUPPORTED,
                 "service %s cannot change in this way", spec->service);
    return false;
}

static enum reason check_group_names(struct request_context *context,
                                     const struct vm_group *group)
{
    const struct cluster *cluster = context->cluster;
    enum reason reason = REASON_NONE;
    if (table_find(&cluster->images, group->image) == NULL) {
        reply_fact(context, "vms.%s.image: image %s does not exist", group->name, group->image);
        reply_hint(context, "arbiter get image");
        reason = REASON_NO_IMAGE;
    }
    bool on_storage = group->has_disk && (group->disk.kind == DISK_KIND_SHARED ||
                                          group->disk.kind == DISK_KIND_LOCAL);
    if (on_storage && table_find(&cluster->storages, group->disk.storage) == NULL) {
        reply_fact(context, "vms.%s.disk.storage: storage %s does not exist", group->name,
                   group->disk.storage);
        reply_hint(context, "arbiter get storage");
        reason = REASON_NO_STORAGE;
    }
    if (group->network[0] != '\0' && table_find(&cluster->networks, group->network) == NULL) {
        reply_fact(context, "vms.%s.network: network %s does not exist", group->name,
                   group->network);
        reply_hint(context, "arbiter get network");
        reason = REASON_NO_NETWORK;
    }
    return reason;
}

static bool check_names(struct request_context *context, const struct service *spec,
                        const struct service_record *present)
{
    enum reason reason = request_check_profile(context, spec, present);
    for (uint32_t i = 0; i < spec->vms_count; i++) {
        enum reason of_group = check_group_names(context, &spec->vms[i]);
        reason = reason == REASON_NONE ? of_group : reason;
    }
    if (reason == REASON_NONE) {
        return true;
    }
    reply_refuse(context, REPLY_INFEASIBLE, reason,
                 "service %s names what is not in this cluster", spec->service);
    return false;
}

/* A node that was not heard of yet may well be a gateway. */
static bool check_gateway(struct request_context *context, const struct service *spec)
{
    if (!spec->has_entry) {
        return true;
    }
    const struct node_record *node = NULL;
    for (uint32_t i = 0; (node = table_next(&context->cluster->nodes, &i)) != NULL;) {
        if (!node->seen || (node->status.capabilities & CAPABILITY_GATEWAY) != 0) {
            return true;
        }
    }
    reply_refuse(context, REPLY_INFEASIBLE, REASON_NO_GATEWAY,
                 "service %s has an entry point, but no node is a gateway", spec->service);
    reply_hint(context, "run an arbiter-agent with the role gateway, on any host");
    return false;
}

/* Two services cannot listen at one address. A round over all services, but only where a file
 * brings an address that its service did not have. */
static bool check_address(struct request_context *context, const struct service *spec,
                          const struct service_record *present)
{
    bool had = present != NULL && present->spec.has_entry &&
               strcmp(present->spec.entry.listen, spec->entry.listen) == 0;
    if (!spec->has_entry || had) {
        return true;
    }
    const struct service_record *other = NULL;
    for (uint32_t i = 0; (other = table_next(&context->cluster->services, &i)) != NULL;) {
        if (other != present && other->spec.has_entry &&
            strcmp(other->spec.entry.listen, spec->entry.listen) == 0) {
            reply_refuse(context, REPLY_CONFLICT, REASON_IN_USE,
                         "service %s cannot listen at %s: another service does", spec->service,
                         spec->entry.listen);
            if (authorize_owner(context->access, context->principal, other->meta.owner)) {
                reply_fact(context, "service %s", other->spec.service);
            }
            return false;
        }
    }
    return true;
}

static bool check_isolation(struct request_context *context, const struct service *spec,
                            const struct service_record *present)
{
    if (present == NULL || spec->isolation != ISOLATION_FENCE) {
        return true;
    }
    const struct vm_record *vm = NULL;
    for (uint32_t at = 0; (vm = cluster_next_vm_of(context->cluster, present, &at)) != NULL;) {
        const struct node_record *node = table_find(&context->cluster->nodes, vm->vm.node);
        if (node != NULL && node->seen &&
            (node->status.capabilities & CAPABILITY_SELF_FENCE) == 0) {
            reply_fact(context, "vm %s is on %s, which cannot fence itself", vm->vm.vm,
                       node->spec.node);
        }
    }
    if (context->reply->facts_count == 0) {
        return true;
    }
    reply_refuse(context, REPLY_INFEASIBLE, REASON_NO_SELF_FENCE,
                 "service %s cannot have isolation fence where its vms are", spec->service);
    return false;
}

/* unit: of the amounts in one of what is shown. */
static void quota_fact(struct request_context *context, const char *what, double unit,
                       uint64_t needed, uint64_t used, uint64_t quota)
{
    if (quota != 0 && used + needed > quota) {
        reply_fact(context, "%s: %.7g needed, %.7g of %.7g in use (%.7g short)", what,
                   (double)needed / unit, (double)used / unit, (double)quota / unit,
                   (double)(used + needed - quota) / unit);
    }
}

static bool check_quota(struct request_context *context, const struct service *spec,
                        const struct service_record *present)
{
    const char *owner = present == NULL ? context->principal : present->meta.owner;
    const struct agreement_record *agreement = table_find(&context->cluster->agreements, owner);
    if (agreement == NULL) {
        return true;
    }
    struct service_need need = cluster_need_of(spec);
    struct service_need used = agreement->used;
    struct service_need old = {0};
    if (present != NULL) {
        old = cluster_need_of(&present->spec);
        used.cpu_pct -= old.cpu_pct;
        used.memory_kib -= old.memory_kib;
        used.vms -= old.vms;
    }
    /* What does not grow is never refused, also where a quota was lowered under it. */
    if (need.cpu_pct > old.cpu_pct) {
        quota_fact(context, "minimum CPU, cores", 100.0, need.cpu_pct, used.cpu_pct,
                   agreement->spec.cpu_pct);
    }
    if (need.memory_kib > old.memory_kib) {
        quota_fact(context, "memory, MiB", 1024.0, need.memory_kib, used.memory_kib,
                   agreement->spec.memory_kib);
    }
    if (need.vms > old.vms) {
        quota_fact(context, "vms", 1.0, need.vms, used.vms, agreement->spec.vms);
    }
    if (context->reply->facts_count == 0) {
        return true;
    }
    reply_refuse(context, REPLY_INFEASIBLE, REASON_QUOTA,
                 "service %s exceeds the agreement of %s", spec->service, owner);
    reply_hint(context, "arbiter show agreement %s", owner);
    return false;
}

static bool check_limits(struct request_context *context, const struct service *spec,
                         const struct service_record *present)
{
    const struct cluster *cluster = context->cluster;
    uint64_t more = cluster_need_of(spec).vms;
    uint64_t free_vms = cluster->vms.capacity - cluster->vms.count;
    uint32_t at = 0;
    while (present != NULL && cluster_next_vm_of(cluster, present, &at) != NULL) {
        more = more > 0 ? more - 1 : 0;
    }
    bool is_full = present == NULL && cluster->services.count == cluster->services.capacity;
    if (!is_full && more <= free_vms) {
        return true;
    }
    reply_refuse(context, REPLY_FAILED, REASON_LIMIT,
                 "service %s: this orchestrator is full: %u of %u services, %u of %u vms",
                 spec->service, cluster->services.count, cluster->services.capacity,
                 cluster->vms.count, cluster->vms.capacity);
    return false;
}

bool check_service(struct request_context *context, const struct service *spec,
                   const struct service_record *present)
{
    return check_alone(context, spec) && check_kept(context, spec, present) &&
           check_names(context, spec, present) && check_gateway(context, spec) &&
           check_address(context, spec, present) && check_isolation(context, spec, present) &&
           check_quota(context, spec, present) && check_limits(context, spec, present);
}
