// SPDX-License-Identifier: Apache-2.0
/* From a tree of values to the arrays of the optimizer. What is wrong is told and read on. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/service_level.h"
#include "common/table.h"
#include "orchestrator/client/problem_fields.h"
#include "proto/text_plain.h"

/* ---- names ---- */

/* Remembers a name; told when it was there before. */
static void add_name(struct problem_reader *reader, struct table *names, const char *name,
                     uint32_t index, const struct problem_place *place)
{
    const struct problem_place own = {.above = place, .key = "name"};
    struct problem_name *named = table_add(names, name);
    if (named == NULL) {
        named = table_find(names, name);
        problem_mistake(reader->mistakes, &own, "\"%s\" is the name of number %u already", name,
                        named != NULL ? named->index : 0);
        return;
    }
    named->index = index;
}

/* ---- nodes ---- */

enum { NODE_NAME, NODE_CPU, NODE_MEM, NODE_SPEED, NODE_FIELDS };
static const struct problem_field node_fields[NODE_FIELDS] = {
    [NODE_NAME] = {.key = "name", .kind = PROBLEM_TEXT, .required = true},
    [NODE_CPU] = {.key = "cpu_pct",
                  .kind = PROBLEM_WHOLE,
                  .required = true,
                  .least = 1,
                  .most = PROBLEM_CAP_PCT_MAX},
    [NODE_MEM] = {.key = "mem_mib", .kind = PROBLEM_WHOLE, .most = PROBLEM_MEM_MIB_MAX},
    [NODE_SPEED] =
        {.key = "speed", .kind = PROBLEM_NUMBER, .above = true, .most = 1000, .missing = 1.0},
};

static void read_node(struct problem_reader *reader, json_t *json, uint32_t index,
                      const struct problem_place *place)
{
    struct problem_value values[NODE_FIELDS];
    struct allocation_node *node = &reader->problem->nodes[index];
    if (!problem_fields_read(json, place, node_fields, NODE_FIELDS, values, reader->mistakes)) {
        return;
    }
    node->cpu_pct = (uint32_t)values[NODE_CPU].number;
    node->memory_kib = (uint64_t)values[NODE_MEM].number * PROBLEM_KIB_PER_MIB;
    node->speed = values[NODE_SPEED].number;
    if (values[NODE_NAME].given) {
        (void)snprintf(node->name, sizeof node->name, "%s", values[NODE_NAME].text);
        add_name(reader, &reader->node_names, node->name, index, place);
    }
}

/* ---- services ---- */

enum { CURVE_A, CURVE_B, CURVE_W, CURVE_FIELDS };
static const struct problem_field curve_fields[CURVE_FIELDS] = {
    [CURVE_A] =
        {.key = "a", .kind = PROBLEM_NUMBER, .above = true, .most = 1e6, .missing = 10.0},
    [CURVE_B] =
        {.key = "b", .kind = PROBLEM_NUMBER, .above = true, .most = 1e6, .missing = 1.0},
    [CURVE_W] =
        {.key = "w", .kind = PROBLEM_NUMBER, .above = true, .most = 0.5, .missing = 0.5},
};

enum { IS_NAME, IS_WEIGHT, IS_CURVE, IS_MODEL, IS_COUPLING, IS_PAST, IS_VMS, IS_FIELDS };
static const struct problem_field service_fields[IS_FIELDS] = {
    [IS_NAME] = {.key = "name", .kind = PROBLEM_TEXT, .required = true},
    [IS_WEIGHT] =
        {.key = "weight", .kind = PROBLEM_NUMBER, .above = true, .most = 1e9, .missing = 1.0},
    [IS_CURVE] = {.key = "curve", .kind = PROBLEM_MAPPING},
    [IS_MODEL] = {.key = "model", .kind = PROBLEM_MAPPING, .required = true},
    [IS_COUPLING] = {.key = "coupling", .kind = PROBLEM_TEXT},
    [IS_PAST] = {.key = "past", .kind = PROBLEM_TEXT},
    [IS_VMS] = {.key = "vms", .kind = PROBLEM_LIST, .required = true},
};

static void read_curve(struct problem_reader *reader, json_t *json, struct level_curve *curve,
                       const struct problem_place *place)
{
    const struct problem_place own = {.above = place, .key = "curve"};
    struct problem_value values[CURVE_FIELDS];
    (void)problem_fields_read(json, &own, curve_fields, CURVE_FIELDS, values, reader->mistakes);
    curve->a = values[CURVE_A].number;
    curve->b = values[CURVE_B].number;
    curve->w = values[CURVE_W].number;
}

static void read_coupling(struct problem_reader *reader, const struct problem_value *values,
                          struct allocation_service *service, const struct problem_place *place)
{
    const struct problem_place own = {.above = place, .key = "coupling"};
    const char *word = values[IS_COUPLING].given ? values[IS_COUPLING].text : "single";
    service->coupling = strcmp(word, "single") == 0 ? COUPLING_SINGLE
                        : strcmp(word, "sum") == 0  ? COUPLING_SUM
                        : strcmp(word, "gang") == 0 ? COUPLING_GANG
                                                    : (enum coupling)0;
    if (service->coupling == 0) {
        problem_mistake(reader->mistakes, &own, "expected single, sum or gang, got \"%s\"",
                        word);
    } else if (service->coupling == COUPLING_SINGLE && service->vms_count > 1) {
        problem_mistake(reader->mistakes, &own, "single is one VM, and here are %u",
                        service->vms_count);
    }
}

static void read_past(struct problem_reader *reader, const struct problem_value *value,
                      struct allocation_service *service, const struct problem_place *place)
{
    const struct problem_place own = {.above = place, .key = "past"};
    if (!value->given) {
        return;
    }
    if (strcmp(value->text, "kept") == 0) {
        service->past = ALLOCATION_PAST_KEPT;
    } else if (strcmp(value->text, "sacrificed") == 0) {
        service->past = ALLOCATION_PAST_SACRIFICED;
    } else {
        problem_mistake(reader->mistakes, &own, "expected kept or sacrificed, got \"%s\"",
                        value->text);
    }
}

/* All VMs of a gang have one cap, so there must be one that all may have. */
static void check_gang(struct problem_reader *reader, const struct allocation_service *service,
                       const struct problem_place *place)
{
    uint32_t least = 0;
    uint32_t most = UINT32_MAX;
    for (uint32_t k = 0; k < service->vms_count; k++) {
        const struct allocation_vm *vm = &reader->problem->vms[service->first_vm + k];
        least = vm->min_cap_pct > least ? vm->min_cap_pct : least;
        most = vm->max_cap_pct < most ? vm->max_cap_pct : most;
    }
    if (service->coupling == COUPLING_GANG && least > most) {
        const struct problem_place own = {.above = place, .key = "vms"};
        problem_mistake(reader->mistakes, &own,
                        "a gang has one cap: it is at least %u for one VM and at most %u for "
                        "another",
                        least, most);
    }
}

static int read_service(struct problem_reader *reader, json_t *json, uint32_t index,
                        const struct problem_place *place)
{
    struct problem *problem = reader->problem;
    struct problem_value values[IS_FIELDS];
    struct allocation_service *service = &problem->services[index];
    const struct problem_place model = {.above = place, .key = "model"};
    service->model = &problem->models[index];
    service->curve = service_level_default_curve();
    if (!problem_fields_read(json, place, service_fields, IS_FIELDS, values,
                             reader->mistakes)) {
        return 0;
    }
    service->weight = values[IS_WEIGHT].number;
    if (values[IS_NAME].given) {
        (void)snprintf(service->name, sizeof service->name, "%s", values[IS_NAME].text);
        add_name(reader, &reader->service_names, service->name, index, place);
    }
    if (values[IS_CURVE].given) {
        read_curve(reader, values[IS_CURVE].json, &service->curve, place);
    }
    if (values[IS_MODEL].given) {
        problem_model_read(values[IS_MODEL].json, &model, &problem->models[index],
                           reader->mistakes);
    }
    const size_t before = reader->mistakes->count;
    const int rc = values[IS_VMS].given
                       ? problem_vms_read(reader, values[IS_VMS].json, service, place)
                       : 0;
    const bool vms_right = reader->mistakes->count == before;
    read_past(reader, &values[IS_PAST], service, place);
    if (!values[IS_COUPLING].wrong) {
        read_coupling(reader, values, service, place);
    }
    if (rc == 0 && vms_right) {
        check_gang(reader, service, place);
    }
    return rc;
}

/* ---- the whole ---- */

enum {
    VERSION,
    OBJECTIVE,
    NODES,
    SERVICES,
    GUARD,
    SWITCHING_COST,
    DEAD_BAND,
    STICKY_WEIGHT,
    RETURN_MARGIN,
    ROOT_FIELDS
};
static const struct problem_field root_fields[ROOT_FIELDS] = {
    [VERSION] = {.key = "version",
                 .kind = PROBLEM_WHOLE,
                 .required = true,
                 .least = PROBLEM_VERSION,
                 .most = PROBLEM_VERSION},
    [OBJECTIVE] = {.key = "objective", .kind = PROBLEM_TEXT},
    [NODES] = {.key = "nodes", .kind = PROBLEM_LIST, .required = true},
    [SERVICES] = {.key = "services", .kind = PROBLEM_LIST, .required = true},
    [GUARD] = {.key = "guard", .kind = PROBLEM_NUMBER, .most = 0.499},
    [SWITCHING_COST] = {.key = "switching_cost", .kind = PROBLEM_NUMBER, .most = 1e6},
    [DEAD_BAND] = {.key = "dead_band", .kind = PROBLEM_NUMBER, .most = 1e6},
    [STICKY_WEIGHT] = {.key = "sticky_weight", .kind = PROBLEM_NUMBER, .most = 1e9},
    [RETURN_MARGIN] = {.key = "return_margin", .kind = PROBLEM_NUMBER, .most = 10.0},
};

/* The number of elements; 0 when it is none that can be read, told. */
static uint32_t count_list(struct problem_reader *reader, const struct problem_value *value,
                           const char *key, uint32_t most)
{
    const struct problem_place place = {.key = key};
    const size_t count = json_array_size(value->json);
    if (value->given && count == 0) {
        problem_mistake(reader->mistakes, &place, "is empty");
    } else if (count > most) {
        problem_mistake(reader->mistakes, &place, "%zu are more than %u", count, most);
        return 0;
    }
    return (uint32_t)count;
}

static void read_settings(struct problem_reader *reader, const struct problem_value *values)
{
    struct allocation_problem *out = &reader->problem->allocation;
    const struct problem_place place = {.key = "objective"};
    const char *word = values[OBJECTIVE].given ? values[OBJECTIVE].text : "floors";
    out->objective = ALLOCATION_FLOORS;
    out->guard = values[GUARD].number;
    out->switching_cost = values[SWITCHING_COST].number;
    out->dead_band = values[DEAD_BAND].number;
    out->sticky_weight = values[STICKY_WEIGHT].number;
    out->return_margin = values[RETURN_MARGIN].number;
    if (strcmp(word, "product") == 0) {
        out->objective = ALLOCATION_PRODUCT;
    } else if (strcmp(word, "floors") != 0) {
        problem_mistake(reader->mistakes, &place, "expected floors or product, got \"%s\"",
                        word);
    }
}

static int read_lists(struct problem_reader *reader, const struct problem_value *values)
{
    struct problem *problem = reader->problem;
    const struct problem_place nodes = {.key = "nodes"};
    const struct problem_place services = {.key = "services"};
    for (uint32_t j = 0; j < problem->allocation.nodes_count; j++) {
        const struct problem_place place = {.above = &nodes, .index = j};
        read_node(reader, json_array_get(values[NODES].json, j), j, &place);
    }
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < problem->allocation.services_count; i++) {
        const struct problem_place place = {.above = &services, .index = i};
        rc = read_service(reader, json_array_get(values[SERVICES].json, i), i, &place);
    }
    return rc;
}

static int read_root(struct problem_reader *reader, json_t *root)
{
    struct problem *problem = reader->problem;
    struct allocation_problem *out = &problem->allocation;
    struct problem_value values[ROOT_FIELDS];
    if (!problem_fields_read(root, NULL, root_fields, ROOT_FIELDS, values, reader->mistakes)) {
        return 0;
    }
    read_settings(reader, values);
    out->nodes_count = count_list(reader, &values[NODES], "nodes", PROBLEM_NODES_MAX);
    out->services_count =
        count_list(reader, &values[SERVICES], "services", PROBLEM_SERVICES_MAX);
    /* One more: VMs of an unknown node look at node 0. */
    problem->nodes = calloc(out->nodes_count + 1u, sizeof *problem->nodes);
    problem->services = calloc(out->services_count + 1u, sizeof *problem->services);
    problem->models = calloc(out->services_count + 1u, sizeof *problem->models);
    if (problem->nodes == NULL || problem->services == NULL || problem->models == NULL ||
        table_init(&reader->node_names, out->nodes_count + 1u, sizeof(struct problem_name),
                   0) != 0 ||
        table_init(&reader->service_names, out->services_count + 1u,
                   sizeof(struct problem_name), 0) != 0) {
        return -ENOMEM;
    }
    return read_lists(reader, values);
}

/* The arrays do not move any more: VMs find their levels, which follow each other. */
static void connect(struct problem *problem)
{
    struct allocation_problem *out = &problem->allocation;
    uint32_t level = 0;
    for (uint32_t v = 0; v < out->vms_count; v++) {
        if (problem->vms[v].levels_count > 0) {
            problem->vms[v].levels = &problem->levels[level];
            level += problem->vms[v].levels_count;
        }
    }
    out->nodes = problem->nodes;
    out->services = problem->services;
    out->vms = problem->vms;
}

int problem_read(const char *text, size_t size, struct problem *out,
                 struct problem_mistakes *mistakes)
{
    struct problem_reader reader = {.problem = out, .mistakes = mistakes};
    struct err err = {0};
    json_t *root = NULL;
    memset(out, 0, sizeof *out);
    mistakes->count = 0;
    int rc = text_plain_read(text, size, &root, &err);
    if (rc == -EINVAL) {
        problem_mistake(mistakes, NULL, "%s", err.text);
    } else if (rc == 0) {
        rc = read_root(&reader, root);
    }
    json_decref(root);
    table_finish(&reader.node_names);
    table_finish(&reader.service_names);
    rc = rc == 0 && mistakes->count > 0 ? -EINVAL : rc;
    if (rc != 0) {
        problem_finish(out);
    } else {
        connect(out);
    }
    return rc;
}

void problem_finish(struct problem *problem)
{
    free(problem->nodes);
    free(problem->services);
    free(problem->models);
    free(problem->vms);
    free(problem->levels);
    memset(problem, 0, sizeof *problem);
}
