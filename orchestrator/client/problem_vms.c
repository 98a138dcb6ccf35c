// SPDX-License-Identifier: Apache-2.0
/* The VMs of a service and their levels. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/closest_word.h"
#include "orchestrator/client/problem_fields.h"

/* Makes room for more elements behind count. 0, -ENOMEM. */
static int grow(void **array, size_t size, uint32_t count, uint32_t more, uint32_t *capacity)
{
    if (count + more <= *capacity) {
        return 0;
    }
    const uint32_t wanted = 2 * *capacity > count + more ? 2 * *capacity : count + more;
    void *larger = realloc(*array, size * wanted);
    if (larger == NULL) {
        return -ENOMEM;
    }
    *array = larger;
    *capacity = wanted;
    return 0;
}

/* ---- levels ---- */

enum { LEVEL_CAP, LEVEL_VCPUS, LEVEL_MEM, LEVEL_FIELDS };
static const struct problem_field level_fields[LEVEL_FIELDS] = {
    [LEVEL_CAP] = {.key = "cap_pct",
                   .kind = PROBLEM_WHOLE,
                   .required = true,
                   .least = 1,
                   .most = PROBLEM_CAP_PCT_MAX},
    [LEVEL_VCPUS] =
        {.key = "vcpus", .kind = PROBLEM_WHOLE, .least = 1, .most = 10000, .missing = 1},
    [LEVEL_MEM] = {.key = "mem_mib", .kind = PROBLEM_WHOLE, .most = PROBLEM_MEM_MIB_MAX},
};

static int read_levels(struct problem_reader *reader, json_t *list, struct allocation_vm *vm,
                       const struct problem_place *place)
{
    struct problem *problem = reader->problem;
    const struct problem_place own = {.above = place, .key = "levels"};
    const size_t count = json_array_size(list);
    if (count == 0 || count > PROBLEM_LEVELS_MAX - problem->levels_count) {
        problem_mistake(reader->mistakes, &own,
                        count == 0 ? "is empty" : "more than %d levels in all",
                        PROBLEM_LEVELS_MAX);
        return 0;
    }
    void *levels = problem->levels;
    const int rc = grow(&levels, sizeof *problem->levels, problem->levels_count,
                        (uint32_t)count, &reader->levels_capacity);
    problem->levels = levels;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        const struct problem_place at = {.above = &own, .index = i};
        struct problem_value values[LEVEL_FIELDS];
        (void)problem_fields_read(json_array_get(list, i), &at, level_fields, LEVEL_FIELDS,
                                  values, reader->mistakes);
        struct allocation_level *level = &problem->levels[problem->levels_count++];
        *level = (struct allocation_level){.cap_pct = (uint32_t)values[LEVEL_CAP].number,
                                           .vcpus = (uint32_t)values[LEVEL_VCPUS].number,
                                           .memory_kib = (uint64_t)values[LEVEL_MEM].number *
                                                         PROBLEM_KIB_PER_MIB};
        if (i > 0 && values[LEVEL_CAP].given && level->cap_pct <= level[-1].cap_pct) {
            const struct problem_place cap = {.above = &at, .key = "cap_pct"};
            problem_mistake(reader->mistakes, &cap, "%u does not follow %u: caps must rise",
                            level->cap_pct, level[-1].cap_pct);
        }
    }
    vm->levels_count = (uint32_t)count;
    return rc;
}

/* ---- VMs ---- */

enum { VM_NODE, VM_MIN, VM_MAX, VM_MEM, VM_LEVELS, VM_PREVIOUS, VM_FIELDS };
static const struct problem_field vm_fields[VM_FIELDS] = {
    [VM_NODE] = {.key = "node", .kind = PROBLEM_TEXT, .required = true},
    [VM_MIN] = {.key = "min_cap_pct",
                .kind = PROBLEM_WHOLE,
                .least = 1,
                .most = PROBLEM_CAP_PCT_MAX,
                .missing = 1},
    [VM_MAX] = {.key = "max_cap_pct",
                .kind = PROBLEM_WHOLE,
                .least = 1,
                .most = PROBLEM_CAP_PCT_MAX},
    [VM_MEM] = {.key = "mem_mib", .kind = PROBLEM_WHOLE, .most = PROBLEM_MEM_MIB_MAX},
    [VM_LEVELS] = {.key = "levels", .kind = PROBLEM_LIST},
    [VM_PREVIOUS] = {.key = "previous_cap_pct",
                     .kind = PROBLEM_WHOLE,
                     .least = 1,
                     .most = PROBLEM_CAP_PCT_MAX},
};

static void find_node(struct problem_reader *reader, const struct problem_value *value,
                      struct allocation_vm *vm, const struct problem_place *place)
{
    const struct problem_name *named =
        value->given ? table_find(&reader->node_names, value->text) : NULL;
    if (named != NULL) {
        vm->node = named->index;
    } else if (value->given) {
        const struct problem_place own = {.above = place, .key = "node"};
        struct closest_word closest;
        char suggestion[CLOSEST_WORD_SIZE + 32];
        closest_word_begin(&closest, value->text);
        for (uint32_t j = 0; j < reader->problem->allocation.nodes_count; j++) {
            closest_word_offer(&closest, reader->problem->nodes[j].name);
        }
        closest_word_print(&closest, suggestion, sizeof suggestion);
        problem_mistake(reader->mistakes, &own, "there is no node \"%s\"%s", value->text,
                        suggestion);
    }
}

/* The range of caps: min and max, or the first and the last level. */
static void read_range(struct problem_reader *reader, const struct problem_value *values,
                       struct allocation_vm *vm, const struct problem_place *place)
{
    const struct problem *problem = reader->problem;
    const struct problem_place own = {.above = place, .key = "min_cap_pct"};
    if (vm->levels_count > 0) {
        const struct allocation_level *first = &problem->levels[reader->first_level];
        vm->min_cap_pct = first->cap_pct;
        vm->max_cap_pct = first[vm->levels_count - 1].cap_pct;
        if (values[VM_MIN].given || values[VM_MAX].given) {
            const struct problem_place levels = {.above = place, .key = "levels"};
            problem_mistake(reader->mistakes, &levels,
                            "stand instead of min_cap_pct and max_cap_pct, not beside them");
        }
        return;
    }
    vm->min_cap_pct = (uint32_t)values[VM_MIN].number;
    /* A node that is not there or wrong was told already. */
    const uint32_t most = problem->nodes[vm->node].cpu_pct;
    vm->max_cap_pct = values[VM_MAX].given ? (uint32_t)values[VM_MAX].number
                      : most > 0           ? most
                                           : vm->min_cap_pct;
    if (!values[VM_MAX].wrong && vm->max_cap_pct < vm->min_cap_pct) {
        problem_mistake(reader->mistakes, &own, "%u is above %s %u", vm->min_cap_pct,
                        values[VM_MAX].given ? "max_cap_pct" : "the CPU of its node,",
                        vm->max_cap_pct);
    }
}

static int read_vm(struct problem_reader *reader, json_t *json, struct allocation_vm *vm,
                   const struct problem_place *place)
{
    struct problem_value values[VM_FIELDS];
    if (!problem_fields_read(json, place, vm_fields, VM_FIELDS, values, reader->mistakes)) {
        return 0;
    }
    vm->memory_kib = (uint64_t)values[VM_MEM].number * PROBLEM_KIB_PER_MIB;
    vm->previous_cap_pct = values[VM_PREVIOUS].given ? (uint32_t)values[VM_PREVIOUS].number : 0;
    find_node(reader, &values[VM_NODE], vm, place);
    int rc = 0;
    reader->first_level = reader->problem->levels_count;
    if (values[VM_LEVELS].given) {
        rc = read_levels(reader, values[VM_LEVELS].json, vm, place);
    }
    if (rc == 0) {
        read_range(reader, values, vm, place);
    }
    return rc;
}

int problem_vms_read(struct problem_reader *reader, json_t *list,
                     struct allocation_service *service, const struct problem_place *place)
{
    struct problem *problem = reader->problem;
    const struct problem_place own = {.above = place, .key = "vms"};
    const size_t count = json_array_size(list);
    const uint32_t first = problem->allocation.vms_count;
    if (count == 0 || count > PROBLEM_VMS_MAX - first) {
        problem_mistake(reader->mistakes, &own,
                        count == 0 ? "is empty: a service has at least one VM"
                                   : "more than %d VMs in all",
                        PROBLEM_VMS_MAX);
        return 0;
    }
    void *vms = problem->vms;
    int rc = grow(&vms, sizeof *problem->vms, first, (uint32_t)count, &reader->vms_capacity);
    problem->vms = vms;
    if (rc != 0) {
        return rc;
    }
    memset(&problem->vms[first], 0, count * sizeof *problem->vms);
    service->first_vm = first;
    service->vms_count = (uint32_t)count;
    problem->allocation.vms_count = first + (uint32_t)count;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        const struct problem_place at = {.above = &own, .index = i};
        rc = read_vm(reader, json_array_get(list, i), &problem->vms[first + i], &at);
    }
    return rc;
}
